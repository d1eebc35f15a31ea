"""What is wrong with a file, in words that help; NumPy's archives, read without ever unpickling."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from smplerx_ros.errors import printable

# What a damaged or forged archive raises: its directory, its compression, and the headers of its arrays.
DAMAGED = (
    *(OSError, ValueError, TypeError, LookupError, EOFError, SyntaxError, OverflowError, MemoryError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)


class NotAnArchive(ValueError):
    """A file that is no `.npz`."""


def why_no_file(path: Path) -> str:
    """Why `path` cannot be opened as a file; empty where it can."""
    try:
        if path.is_file():
            return ""
        if path.is_dir():
            return "a folder, expected a file"
        return "not a regular file" if path.exists() else "no such file"
    except OSError as error:  # of folders that may not be entered, of names that are too long
        return reason(error)


def partial_path(path: Path) -> Path:
    """The name of a file that is still being written; hidden, and beside the one it will replace."""
    return path.with_name(f".{path.stem}.partial{path.suffix}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write what takes the name `path` when it is complete; after an exception nothing is left of it."""
    partial = partial_path(path)
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


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
