"""Reader for the vertices of ASCII and binary PLY files (Turk 1994), the format of EHF's ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.errors import InputError
from smplerx_ros.io.files import file_problem, reason

_TYPES = {
    **{"char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2"},
    **{"uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4"},
    **{"double": "f8", "float64": "f8"},
}
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": "="}
_MAX_HEADER_LINES = 1000


def read_vertices(path: Path) -> NDArray[np.float64]:
    """Read the vertices `(V, 3)`, in the file's unit.

    Raises:
        InputError: If the file is missing or damaged, or its first element is not `vertex`.
    """
    if problem := file_problem(path):
        raise InputError(f"{path}: {problem}")
    try:
        with path.open("rb") as file:
            return _vertices(file)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise InputError(f"{path}: not a readable PLY file ({reason(error)})") from error


def _vertices(file: IO[bytes]) -> NDArray[np.float64]:
    encoding, count, properties = _header(file)
    names = [name for name, _ in properties]
    if encoding == "ascii":
        rows = [file.readline().split() for _ in range(count)]
        table = np.array([[float(row[names.index(axis)]) for axis in "xyz"] for row in rows], np.float64)
        return table.reshape(count, 3)
    dtype = np.dtype([(name, _ORDERS[encoding] + kind) for name, kind in properties])
    records: Any = np.frombuffer(file.read(count * dtype.itemsize), dtype, count)
    return np.stack([records[axis].astype(np.float64) for axis in "xyz"], axis=1)


def _header(file: IO[bytes]) -> tuple[str, int, list[tuple[str, str]]]:
    """Return the encoding, the number of vertices, and the names and types of the vertex properties."""
    if file.readline().strip() != b"ply":
        raise ValueError("no PLY header")
    encoding, count, element, properties = "", 0, "", []
    for _ in range(_MAX_HEADER_LINES):
        words = file.readline().decode("ascii").split()
        if words[:1] == ["format"]:
            encoding = words[1]
        elif words[:1] == ["element"]:
            if not element and words[1] != "vertex":
                raise ValueError("vertices do not come first")
            element = words[1]
            count = int(words[2]) if element == "vertex" else count
        elif words[:1] == ["property"] and element == "vertex":
            properties.append((words[2], _TYPES[words[1]]))
        elif words == ["end_header"]:
            if encoding not in _ORDERS or count <= 0:
                raise ValueError("no vertices")
            return encoding, count, properties
    raise ValueError("no end of the header")
