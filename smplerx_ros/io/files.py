"""Helpers to open, validate and atomically write files; NumPy archives are read without unpickling."""

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

# Raised by the directory, the compression and the array headers of a damaged or malicious archive.
ARCHIVE_ERRORS = (
    *(OSError, ValueError, TypeError, LookupError, EOFError, SyntaxError, OverflowError, MemoryError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)


class NotAnArchive(ValueError):
    """A file that is not an `.npz` archive."""


def file_problem(path: Path) -> str:
    """Reason why `path` cannot be opened as a file; empty if it can."""
    try:
        if path.is_file():
            return ""
        if path.is_dir():
            return "a folder, expected a file"
        return "not a regular file" if path.exists() else "no such file"
    except OSError as error:  # no permission for the folder, or a name that is too long
        return reason(error)


def partial_path(path: Path) -> Path:
    """Name of the temporary file that is written before it replaces `path`: hidden, in the same folder."""
    return path.with_name(f".{path.stem}.partial{path.suffix}")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path, which is renamed to `path` at the end, or removed after an exception."""
    partial = partial_path(path)
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def reason(error: BaseException) -> str:
    """Message of an exception: one printable line, without the path and without NumPy's advice to allow pickles."""
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)
    text = str(error)
    if "allow_pickle" in text:
        return "it holds pickled objects, which are never loaded"
    return printable(text.strip().split("\n")[0]) or type(error).__name__


def open_npz(file: Path | IO[bytes]) -> Any:
    """Open a NumPy archive as an `NpzFile`, to be closed by the caller.

    Raises:
        NotAnArchive: If the file is of another kind.
        Exception: One of `ARCHIVE_ERRORS` if it is damaged.
    """
    try:
        archive = np.load(file, allow_pickle=False)
    except ValueError as error:  # NumPy takes any other content for a pickle
        raise NotAnArchive("neither a NumPy archive nor an array") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise NotAnArchive("a single array, not an archive of arrays")
    return archive
