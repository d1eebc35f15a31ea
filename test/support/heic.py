"""HEIC files as written by phones: one image in tiles, with orientation (ISO 23008-12)."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

TILE = 64  # pixels, both sides
SEQUENCE = 33
PARAMETER_SETS = (32, SEQUENCE, 34)  # types of HEVC's NAL units


def write_heic(path: Path, image: np.ndarray, *, quarter_turns: int = 0, mirror_axis: int | None = None) -> Path:
    """Write `image` in tiles. It is displayed rotated counter-clockwise, then mirrored (0: vertical, 1: horizontal)."""
    height, width = image.shape[:2]
    rows, columns = -(-height // TILE), -(-width // TILE)
    padded = np.pad(image, ((0, rows * TILE - height), (0, columns * TILE - width), (0, 0)), mode="edge")
    corners = [(row * TILE, column * TILE) for row in range(rows) for column in range(columns)]
    tiles = [_encoded(padded[y : y + TILE, x : x + TILE]) for y, x in corners]
    numbers = range(1, len(tiles) + 1)
    grid = len(tiles) + 1
    properties = [
        _box("hvcC", tiles[0][0]),
        _full("ispe", struct.pack(">II", TILE, TILE)),
        _full("ispe", struct.pack(">II", width, height)),
        _box("irot", bytes([quarter_turns])),
        *([] if mirror_axis is None else [_box("imir", bytes([mirror_axis]))]),
    ]
    orientation = range(3, len(properties) + 1)
    associations = {**dict.fromkeys(numbers, (1, 2)), grid: orientation}
    content = [data for _, data in tiles] + [struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)]
    reference = _box("dimg", struct.pack(f">HH{len(tiles)}H", grid, len(tiles), *numbers))

    def meta(start: int) -> bytes:
        return _full(
            "meta",
            _full("hdlr", bytes(4) + b"pict" + bytes(13))
            + _full("pitm", struct.pack(">H", grid))
            + _full("iinf", struct.pack(">H", grid) + b"".join(_item(n, "hvc1") for n in numbers) + _item(grid, "grid"))
            + _full("iref", reference)
            + _box("iprp", _box("ipco", b"".join(properties)) + _full("ipma", _associations(associations)))
            + _full("iloc", _locations(start, [len(part) for part in content])),
        )

    head = _box("ftyp", b"heic" + bytes(4) + b"mif1heic")
    start = len(head) + len(meta(0)) + 8
    path.write_bytes(head + meta(start) + _box("mdat", b"".join(content)))
    return path


def _encoded(image: np.ndarray) -> tuple[bytes, bytes]:
    """Encode an HEVC image: decoder configuration (ISO 14496-15, 8.3.3.1) and coded slices."""
    encoder: Any = av.CodecContext.create("libx265", "w")
    encoder.options = {"crf": "4", "x265-params": "log-level=none:info=0:repeat-headers=1"}
    encoder.height, encoder.width, encoder.pix_fmt = TILE, TILE, "yuv420p"
    encoder.framerate, encoder.time_base = 1, Fraction(1)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    stream = b"".join(map(bytes, [*encoder.encode(frame), *encoder.encode(None)]))
    units = [unit.rstrip(b"\0") for unit in stream.split(b"\0\0\1")[1:]]
    sets = {kind: [unit for unit in units if _kind(unit) == kind] for kind in PARAMETER_SETS}
    profile = sets[SEQUENCE][0].replace(b"\0\0\3", b"\0\0")[3:15]
    arrays = b"".join(
        struct.pack(">BHH", 0x80 | kind, 1, len(unit)) + unit for kind, found in sets.items() for unit in found
    )
    one_layer = bytes.fromhex("f000fcfdf8f800000f")  # 4:2:0, 8 bits, lengths of four bytes
    slices = b"".join(struct.pack(">I", len(unit)) + unit for unit in units if _kind(unit) < min(PARAMETER_SETS))
    return b"\1" + profile + one_layer + bytes([len(sets)]) + arrays, slices


def _kind(unit: bytes) -> int:
    return unit[0] >> 1 & 0x3F


def _box(name: str, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name.encode() + content


def _full(name: str, content: bytes, version: int = 0) -> bytes:
    return _box(name, bytes([version, 0, 0, 0]) + content)


def _item(number: int, kind: str) -> bytes:
    return _full("infe", struct.pack(">HH", number, 0) + kind.encode() + b"\0", version=2)


def _associations(properties: dict[int, Any]) -> bytes:
    entries = [
        struct.pack(">HB", item, len(numbers)) + bytes(0x80 | n for n in numbers)
        for item, numbers in properties.items()
    ]
    return struct.pack(">I", len(entries)) + b"".join(entries)


def _locations(start: int, sizes: list[int]) -> bytes:
    """Encode the locations of consecutive items: offsets and lengths of four bytes, no base offset."""
    entries, offset = b"", start
    for number, size in enumerate(sizes, 1):
        entries += struct.pack(">HHHII", number, 0, 1, offset, size)
        offset += size
    return b"\x44\x00" + struct.pack(">H", len(sizes)) + entries
