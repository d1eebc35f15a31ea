"""Pickles are read as data: what NumPy writes comes back, what runs code does not."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csc_matrix

from smplerx_ros.errors import InputError
from smplerx_ros.research.evaluation import pickles
from smplerx_ros.research.evaluation.pickles import read_npz, read_pickle


def pickled(path: Path, value: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


class Calls:
    """Pickled as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12, dtype=np.int16).reshape(3, 4)),
        np.arange(5, dtype=">f8"),
        np.array([True, False]),
        np.array(["one", "two"]),
        np.zeros((0, 3)),
        np.array(7.5),
    ],
    ids=lambda array: f"{array.dtype.str}{array.shape}",
)
def test_arrays_come_back(tmp_path: Path, array: Any, protocol: int) -> None:
    back = read_pickle(pickled(tmp_path / "a.pkl", {"x": [array, (1, "two", None)]}, protocol))
    assert back["x"][1] == (1, "two", None)
    np.testing.assert_array_equal(back["x"][0], array)
    assert back["x"][0].dtype == array.dtype


@pytest.mark.parametrize("protocol", range(6))
def test_scalars_and_arrays_of_objects_come_back(tmp_path: Path, protocol: int) -> None:
    objects = np.array([{"a": np.arange(3)}, None, "text"], object)
    back = read_pickle(pickled(tmp_path / "a.pkl", [np.float32(1.5), np.int64(3), objects], protocol))
    assert back[:2] == [1.5, 3]
    np.testing.assert_array_equal(back[2][0]["a"], [0, 1, 2])
    assert back[2].tolist()[1:] == [None, "text"]


@pytest.mark.parametrize("protocol", range(6))
def test_sparse_matrices_become_arrays(tmp_path: Path, protocol: int) -> None:
    dense = np.random.default_rng(0).normal(size=(4, 6)) * (np.random.default_rng(1).uniform(size=(4, 6)) > 0.6)
    np.testing.assert_array_equal(read_pickle(pickled(tmp_path / "a.pkl", csc_matrix(dense), protocol)), dense)


def test_constants_of_chumpy_become_arrays(tmp_path: Path) -> None:
    """As Python 2 wrote them: `copy_reg._reconstructor(chumpy.ch.Ch, object, None)` and a state."""
    inner = pickle.dumps({"x": np.arange(3.0)}, protocol=2)[2:-1]  # without start and stop
    script = b"ccopy_reg\n_reconstructor\n(cchumpy.ch\nCh\nc__builtin__\nobject\nNtR" + inner + b"b."
    (tmp_path / "a.pkl").write_bytes(script)
    np.testing.assert_array_equal(read_pickle(tmp_path / "a.pkl"), [0, 1, 2])


@pytest.mark.parametrize(
    "value",
    [
        Calls(os.system, "true"),
        Calls(eval, "1"),
        Calls(getattr, "x", "upper"),
        {"a": [Calls(os.getcwd)]},
        np.array([Calls(os.getcwd)], object),
        {1, 2},
        Path("x"),
        np.dtype("f4"),
        np.zeros(2, [("a", "O")]),
        object(),
    ],
    ids=[
        *("system", "eval", "getattr", "in a dictionary", "in an array of objects"),
        *("set", "path", "dtype", "array of records with objects", "object"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(InputError, match="more than arrays and plain containers"):
        read_pickle(pickled(tmp_path / "a.pkl", value))


def test_a_forged_dtype_cannot_turn_bytes_into_addresses(tmp_path: Path) -> None:
    """An array of objects whose dtype denies it and whose items are bytes: NumPy would follow them as addresses."""
    script = pickle.dumps(np.array([None], object), protocol=2)
    forged = script.replace(b"]q\x11Na", b"U\x08AAAAAAAA").replace(b"K?tq", b"K\x00tq")
    assert len(forged) > len(script)
    (tmp_path / "a.pkl").write_bytes(forged)
    with pytest.raises(InputError, match="damaged"):
        read_pickle(tmp_path / "a.pkl")


def test_a_pickle_cannot_change_the_functions_it_may_call(tmp_path: Path) -> None:
    script = b"c_codecs\nencode\n(N}X\x0c\x00\x00\x00__defaults__(X\x06\x00\x00\x00latin1tstb."
    (tmp_path / "a.pkl").write_bytes(script)
    with pytest.raises(InputError, match="a function with a state"):
        read_pickle(tmp_path / "a.pkl")
    assert pickles._encode.__defaults__ is None


@pytest.mark.parametrize(
    "text", ["V8", "O,O", "f4,08", "M8[s]", "(2,3)f4", {"names": ["a"], "formats": ["O"]}], ids=str
)
def test_dtypes_that_are_no_plain_numbers_are_refused(tmp_path: Path, text: Any) -> None:
    with pytest.raises(InputError, match="dtype"):
        read_pickle(pickled(tmp_path / "a.pkl", Calls(np.dtype, text)))


def test_a_sparse_matrix_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """A few bytes must not fill the memory."""
    with pytest.raises(InputError, match="a sparse matrix of 1000000x100000"):
        read_pickle(pickled(tmp_path / "a.pkl", csc_matrix((1_000_000, 100_000))))


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"garbage", b"\x80\x04]\x94h\x00."])
def test_damaged_files_are_errors(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pkl").write_bytes(content)
    if content.endswith(b"h\x00."):
        assert read_pickle(tmp_path / "a.pkl") == []
        return
    with pytest.raises(InputError, match="damaged"):
        read_pickle(tmp_path / "a.pkl")


def test_a_list_that_holds_itself_is_refused(tmp_path: Path) -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(InputError, match="recursion"):
        read_pickle(pickled(tmp_path / "a.pkl", value))


def test_entries_of_npz_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", plain=np.asfortranarray(np.eye(3)[:2]), text=np.array(["x"]), table={"a": np.ones(2)})
    with read_npz(tmp_path / "a.npz") as npz:
        assert list(npz) == ["plain", "table", "text"]
        np.testing.assert_array_equal(npz["plain"], np.eye(3)[:2])
        np.testing.assert_array_equal(npz["table"]["a"], [1, 1])
        assert npz["text"].tolist() == ["x"]
        assert npz.get("none", 5) == 5
        with pytest.raises(InputError, match="none"):
            npz["none"]


def test_an_npz_that_runs_code_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", table={"a": Calls(os.system, "true")})
    with read_npz(tmp_path / "a.npz") as npz, pytest.raises(InputError, match=r"table .* more than plain data"):
        npz["table"]
