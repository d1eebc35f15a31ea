"""Pickles of others, read without trust: NumPy arrays, strings, numbers and plain containers, nothing else.

A pickle is a program that may call anything. Here it may only name what NumPy's own pickles name, and even those names
lead to the functions below, not to NumPy: a forged `dtype` could make NumPy take bytes for addresses.
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
_DTYPE = re.compile(r"[<>=|]?[biufcSUO?]\d*")  # numbers, texts, objects; nothing structured
_LARGEST_SPARSE = 1 << 27  # entries; body models have some hundred thousand
# What damaged or forged pickles raise.
_ERRORS = (
    *(pickle.UnpicklingError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, OverflowError),
    *(ImportError, MemoryError, RecursionError, UnicodeError, OSError),
)


def read_pickle(path: str | Path) -> Any:
    """The content of a pickle file of Python 2 or 3. Raises InputError for anything but arrays and plain containers.

    Sparse matrices of SciPy and constants of chumpy, which the files of body models hold, become arrays.
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
    """An `.npz` file whose entries are read when asked for, pickled ones without trust. Raises InputError."""
    path = Path(path)
    if problem := file_problem(path):
        raise InputError(f"{path}: {problem}")
    try:
        return Npz(zipfile.ZipFile(path), path)
    except ARCHIVE_ERRORS as error:
        raise InputError(f"{path}: not a readable .npz file ({reason(error)})") from error


class Npz:
    """The entries of an open `.npz`, by name."""

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
        """The entry if there is one."""
        if name not in self.names:
            return default
        return self[name]

    def __getitem__(self, name: str) -> Any:
        """The entry as an array; an array of no dimension that holds an object answers the object."""
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
        raise ValueError("the pickle is not the array that its header announces")
    return value


def _load(file: IO[bytes]) -> Any:
    return _plain(_Unpickler(io.BytesIO(file.read()), encoding="latin1").load())


class _DType:
    """Stands for a NumPy dtype while it is unpickled."""

    def __init__(self, text: str, *_: object) -> None:
        if not isinstance(text, str) or not _DTYPE.fullmatch(text):
            raise pickle.UnpicklingError(f"dtype {text!r}")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, order, subarray, names, fields = state[:5]
        if subarray is not None or names is not None or fields is not None:
            raise pickle.UnpicklingError("a structured dtype")
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """Stands for a NumPy array while it is unpickled; `value` is it."""

    value: NDArray[Any]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        shape, dtype, fortran, data = state[-4:]
        self.value = _filled(data, dtype, shape, "F" if fortran else "C")


class _Constant:
    """Stands for chumpy's constant."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.value = state["x"]


class _Function:
    """A function that a pickle may call and not change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("a function with a state")


class _Sparse:
    """Stands for SciPy's matrix of compressed columns."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        data, rows, starts = (_plain(state[name]) for name in ("data", "indices", "indptr"))
        height, width = state["_shape"]
        if width != len(starts) - 1 or height * width > _LARGEST_SPARSE:
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
    """How Python 3 writes bytes for Python 2."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding!r}")
    return text.encode(encoding)


def _no_bytes() -> bytes:
    """How Python 3 writes empty bytes for Python 2."""
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
    """`value` with the arrays instead of what stood for them."""
    if isinstance(value, (_Array, _Constant, _Sparse)):
        return _plain(value.value)
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    if not isinstance(value, (str, bytes, int, float, complex, np.ndarray, np.generic, type(None))):
        raise pickle.UnpicklingError(f"{type(value).__name__} is not plain data")
    return value
