"""Restricted unpickling of untrusted files: NumPy arrays, strings, numbers and plain containers, nothing else.

A pickle is a program that can call any function. Here it can only refer to the names in NumPy's own pickles, and these
resolve to the functions below, not to NumPy: with a forged `dtype`, NumPy could interpret bytes as addresses.
"""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.errors import InputError
from smplerx_ros.io.files import ARCHIVE_ERRORS, file_problem, reason

_OBJECT = "O"  # kind of a dtype whose arrays hold addresses: they are filled here, item by item
_DTYPE = re.compile(r"[<>=|]?[biufcSUO?]\d*")  # numbers, strings, objects; nothing structured
_MAX_SPARSE_SIZE = 1 << 27  # elements when dense; those of body models have some hundred thousand
# Raised for damaged or forged pickles.
_ERRORS = (
    *(pickle.UnpicklingError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, OverflowError),
    *(ImportError, MemoryError, RecursionError, UnicodeError, OSError),
)


def read_pickle(path: str | Path) -> Any:
    """Read a pickle file written by Python 2 or 3.

    SciPy's sparse matrices and chumpy's constants, which the files of body models contain, become arrays.

    Raises:
        InputError: If the file is missing, damaged, or contains anything but arrays and plain containers.
    """
    path = Path(path)
    if problem := file_problem(path):
        raise InputError(f"{path}: {problem}")
    try:
        with path.open("rb") as file:
            return _load(file)
    except _ERRORS as error:
        raise InputError(
            f"{path}: damaged, or it holds more than arrays and plain containers ({reason(error)})"
        ) from error


def read_npz(path: str | Path) -> Npz:
    """Open an `.npz` file whose entries are read on access, pickled ones by the restricted unpickler.

    Raises:
        InputError: If the file is missing or not an `.npz` file.
    """
    path = Path(path)
    if problem := file_problem(path):
        raise InputError(f"{path}: {problem}")
    try:
        return Npz(zipfile.ZipFile(path), path)
    except ARCHIVE_ERRORS as error:
        raise InputError(f"{path}: not a readable .npz file ({reason(error)})") from error


class Npz:
    """Mapping from names to the entries of an open `.npz` file."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive = archive
        self.path = path
        self.names = frozenset(name.removesuffix(".npy") for name in archive.namelist())

    def __enter__(self) -> Npz:
        return self

    def __exit__(self, *exception: object) -> None:
        self._archive.close()

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.names))

    def get(self, name: str, default: Any) -> Any:
        """Return the entry, or `default` if there is none."""
        if name not in self.names:
            return default
        return self[name]

    def __getitem__(self, name: str) -> Any:
        """Return the entry as an array; for a 0-dimensional object array, the object.

        Raises:
            InputError: If the entry is damaged or contains anything but plain data.
        """
        try:
            with self._archive.open(f"{name}.npy") as file:
                value = _read_array(file)
        except (*_ERRORS, *ARCHIVE_ERRORS) as error:
            raise InputError(
                f"{self.path}: {name} is damaged or holds more than plain data ({reason(error)})"
            ) from error
        return value.item() if value.dtype.hasobject and value.ndim == 0 else value


def _read_array(file: IO[bytes]) -> NDArray[Any]:
    numpy_format: Any = np.lib.format  # has no types
    version = numpy_format.read_magic(file)
    readers = {(1, 0): numpy_format.read_array_header_1_0, (2, 0): numpy_format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"array format {version}")
    shape, fortran, dtype = readers[version](file)
    if not dtype.hasobject:
        count = int(np.prod(shape, dtype=np.int64))
        return np.frombuffer(file.read(), dtype, count).reshape(shape, order="F" if fortran else "C").copy()
    if dtype != np.dtype(object):
        raise ValueError(f"dtype {dtype}")
    value = _load(file)
    if not isinstance(value, np.ndarray) or value.shape != shape:
        raise ValueError("the pickle is not the array described by its header")
    return value


def _load(file: IO[bytes]) -> Any:
    return _plain(_Unpickler(io.BytesIO(file.read()), encoding="latin1").load())


class _DType:
    """Placeholder for a NumPy dtype during unpickling."""

    def __init__(self, code: str, *_: object) -> None:
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise pickle.UnpicklingError(f"dtype {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, order, subarray, names, fields = state[:5]
        if subarray is not None or names is not None or fields is not None:
            raise pickle.UnpicklingError("a structured dtype")
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """Placeholder for a NumPy array during unpickling; `value` is the array."""

    value: NDArray[Any]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        shape, dtype, fortran, data = state[-4:]
        self.value = _filled(data, dtype, shape, "F" if fortran else "C")


class _Constant:
    """Placeholder for a constant of chumpy."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.value = state["x"]


class _Function:
    """A function that a pickle can call but not modify."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("a function with a state")


class _Sparse:
    """Placeholder for SciPy's `csc_matrix`."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        data, rows, starts = (_plain(state[name]) for name in ("data", "indices", "indptr"))
        height, width = state["_shape"]
        if width != len(starts) - 1 or height * width > _MAX_SPARSE_SIZE:
            raise pickle.UnpicklingError(f"a sparse matrix of {height}x{width}")
        self.value = np.zeros((height, width), data.dtype)
        np.add.at(self.value, (rows, np.repeat(np.arange(self.value.shape[1]), np.diff(starts))), data)


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _filled(data: Any, dtype: _DType, shape: tuple[int, ...], order: Any = "C", *_: object) -> NDArray[Any]:
    if dtype.dtype.kind != _OBJECT:
        raw = data.encode("latin1") if isinstance(data, str) else bytes(data)
        return np.frombuffer(raw, dtype.dtype).reshape(shape, order=order).copy()
    flat = np.empty(len(data), object)
    flat[:] = [_plain(item) for item in data]
    return flat.reshape(shape, order=order)


def _scalar(dtype: _DType, data: Any) -> Any:
    return _filled(data if dtype.dtype.kind != _OBJECT else [data], dtype, (1,))[0]


def _encode(text: str, encoding: str) -> bytes:
    """Stand in for `_codecs.encode`, by which Python 3 pickles bytes for Python 2."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding!r}")
    return text.encode(encoding)


def _no_bytes() -> bytes:
    """Stand in for `bytes`, by which Python 3 pickles empty bytes for Python 2."""
    return b""


def _new(cls: type, *_: object) -> Any:
    if cls not in (_Constant, _Sparse):
        raise pickle.UnpicklingError(f"an object of {cls}")
    return cls()


_NUMPY = {
    ("multiarray", "_reconstruct"): _reconstruct,
    ("multiarray", "scalar"): _scalar,
    ("numeric", "_frombuffer"): _filled,
}
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _no_bytes,
    ("copy_reg", "_reconstructor"): _new,
    ("copyreg", "_reconstructor"): _new,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
    ("chumpy.ch", "Ch"): _Constant,
    ("scipy.sparse.csc", "csc_matrix"): _Sparse,
    ("scipy.sparse._csc", "csc_matrix"): _Sparse,
} | {
    (f"numpy.{core}.{module}", name): stand_in
    for core in ("core", "_core")
    for (module, name), stand_in in _NUMPY.items()
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            allowed = _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not plain data") from None
        return allowed if isinstance(allowed, type) else _Function(allowed)


def _plain(value: Any) -> Any:
    """Replace all placeholders in `value` by arrays."""
    if isinstance(value, (_Array, _Constant, _Sparse)):
        return _plain(value.value)
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    if not isinstance(value, (str, bytes, int, float, complex, np.ndarray, np.generic, type(None))):
        raise pickle.UnpicklingError(f"{type(value).__name__} is not plain data")
    return value
