"""What is wrong with a file, in words that help; NumPy's archives, read without ever unpickling."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from .errors import printable

# What a damaged or forged archive raises: its directory, its compression, and the headers of its arrays.
DAMAGED = (
    *(OSError, ValueError, TypeError, LookupError, EOFError, SyntaxError, OverflowError, MemoryError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)


class NotAnArchive(ValueError):
    """A file that is no `.npz`."""


def why_no_file(path: Path) -> str:
    """Why `path` cannot be opened as a file; empty where it can."""
    if path.is_file():
        return ""
    if path.is_dir():
        return "a folder, expected a file"
    return "not a regular file" if path.exists() else "no such file"


def reason(error: BaseException) -> str:
    """An exception's words without the path (which the caller names), NumPy's advice to unpickle, or terminal codes."""
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)
    text = str(error)
    if "allow_pickle" in text:
        return "it holds pickled objects, which are never loaded"
    return printable(text.strip().split("\n")[0]) or type(error).__name__


def open_npz(file: Path | IO[bytes]) -> Any:
    """NumPy's NpzFile, to be closed. Raises one of DAMAGED; NotAnArchive for a file of another kind."""
    try:
        archive = np.load(file, allow_pickle=False)
    except ValueError as error:  # NumPy takes whatever else for a pickle
        raise NotAnArchive("neither a NumPy archive nor an array") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise NotAnArchive("a single array, not an archive of them")
    return archive
