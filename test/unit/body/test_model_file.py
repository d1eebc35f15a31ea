"""Files that are not a usable body model are refused with a message one can act on; none is ever unpickled."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smplerx_ros.body import load_body
from smplerx_ros.body.model_file import NAME_KEY
from smplerx_ros.errors import ModelFileError
from support.smplx_cases import synthetic_model

Arrays = dict[str, Any]
Edit = Callable[[Arrays], None]


class Bomb:
    """Unpickling this fails the test."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was loaded",))


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    model = synthetic_model(20)
    model["posedirs"] = np.zeros(model["posedirs"].shape, np.float16)
    return model


def drop(key: str) -> Edit:
    return lambda arrays: arrays.pop(key)


def put(key: str, change: Callable[[Any], Any]) -> Edit:
    return lambda arrays: arrays.update({key: change(arrays[key])})


def set_item(index: tuple[int, ...], value: float) -> Callable[[Any], Any]:
    def change(array: Any) -> Any:
        array = array.copy()
        array[index] = value
        return array

    return change


BAD_ARRAYS: dict[str, tuple[Edit, str]] = {
    "no weights": (drop("weights"), "weights is missing"),
    "no landmarks": (drop("dynamic_lmk_faces_idx"), "dynamic_lmk_faces_idx is missing"),
    "SMPL's vertices": (put("v_template", lambda a: a[:6890]), "v_template has 6890 vertices"),
    "flat template": (put("v_template", np.ravel), r"v_template has shape \(31425,\)"),
    "SMPL-H's weights": (put("weights", lambda a: a[:, :52]), r"weights has shape \(10475, 52\)"),
    "10 components": (put("shapedirs", lambda a: a[..., :10]), "shapedirs has 10 components"),
    "short posedirs": (put("posedirs", lambda a: a[..., :459]), "posedirs has shape"),
    "PCA hands": (put("hands_meanl", lambda a: a[:6]), "hands_meanl has shape"),
    "text": (put("J_regressor", lambda a: a.astype("U8")), "J_regressor has dtype"),
    "not finite": (put("v_template", set_item((7, 1), np.nan)), "v_template holds non-finite values"),
    "face beyond the mesh": (put("f", set_item((0, 0), 10475)), r"f holds indices outside 0\.\.10474"),
    "landmark beyond the faces": (put("lmk_faces_idx", set_item((3,), 20908)), "lmk_faces_idx holds indices"),
    "negative landmark": (put("lmk_faces_idx", set_item((3,), -1)), "lmk_faces_idx holds indices"),
    "another tree": (put("kintree_table", set_item((0, 5), 0)), "kintree_table is not the joint tree"),
    "pickled weights": (put("weights", lambda _: np.array([Bomb()], object)), "weights cannot be read.*pickled"),
}


@pytest.mark.parametrize(("edit", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS.keys())
def test_bad_arrays_are_named(arrays: Arrays, tmp_path: Path, edit: Edit, message: str) -> None:
    changed = dict(arrays)
    edit(changed)
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    np.savez(path, **changed)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_body(path)
    assert str(path) in str(caught.value)
    assert "smpl-x.is.tue.mpg.de" in str(caught.value)


def test_official_files_hold_pickled_tables_that_are_not_touched(arrays: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "SMPLX_FEMALE.npz"
    np.savez(path, joint2num=np.array(Bomb(), object), **arrays)
    assert load_body(path).name == "SMPLX_FEMALE"


def test_a_file_that_names_itself_keeps_its_name(arrays: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    np.savez(path, **{NAME_KEY: np.array("standin_test")}, **arrays)
    assert load_body(path).name == "standin_test"


def test_double_precision_files_load(arrays: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "SMPLX_MALE.npz"
    np.savez(path, **{k: a.astype(np.float64) if k in ("v_template", "weights") else a for k, a in arrays.items()})
    assert load_body(str(path)).v_template.shape == (10475, 3)


def _npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04 but nothing more", b"not a model", pickle.dumps({"v_template": Bomb()}), _npy()],
    ids=["empty", "torn zip", "text", "pickle", "single array"],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"SMPLX_NEUTRAL\.npz"):
        load_body(path)


@pytest.mark.parametrize("keep", [0.2, 0.9, 0.999])
def test_truncated_files_are_refused(arrays: Arrays, tmp_path: Path, keep: float) -> None:
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    np.savez(path, **arrays)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(ModelFileError, match=r"SMPLX_NEUTRAL\.npz: a damaged .npz file"):
        load_body(path)


def test_flipped_bytes_are_noticed(arrays: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    np.savez(path, **{"v_template": arrays["v_template"]}, **{k: a for k, a in arrays.items() if k != "v_template"})
    content = bytearray(path.read_bytes())
    content[50_000] ^= 0xFF  # inside the first array
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="v_template cannot be read"):
        load_body(path)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "SMPLX_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelFileError, match=r"SMPLX_NEUTRAL\.pkl: pickles.*download the \.npz"):
        load_body(path)


@pytest.mark.parametrize(("name", "message"), [("missing.npz", "no such file"), (".", "a folder, expected a file")])
def test_missing_files_and_folders_are_named(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        load_body(tmp_path / name)


def test_nobody_is_told_to_unpickle(arrays: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    np.savez(path, **(dict(arrays) | {"v_template": np.array([{}], object)}))
    with pytest.raises(ModelFileError, match=r"v_template cannot be read .*objects, which are never loaded") as one:
        load_body(path)
    path.write_bytes(pickle.dumps({"v_template": 1}))
    with pytest.raises(ModelFileError, match="neither a NumPy archive nor an array") as other:
        load_body(path)
    assert "allow_pickle" not in f"{one.value} {other.value}"
