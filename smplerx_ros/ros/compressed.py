"""sensor_msgs/CompressedImage to RGB: size and completeness are read from the header before anything is decoded."""

from __future__ import annotations

import struct

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage

from ..errors import InputError
from .image import MAX_PIXELS, RgbImage

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"  # ITU T.81, table B.1
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"  # PNG specification: signature; IEND chunk with its CRC
_MAX_PADDING = 64  # bytes that drivers append to fill a transfer
# ITU T.81, table B.1: start-of-frame markers hold the size. C4, C8 and CC lie between them and do not.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def image_from_compressed(message: CompressedImage, topic: str) -> RgbImage:
    """`(H, W, 3) uint8` RGB of a JPEG or PNG, told by its bytes rather than by `format`; alpha is dropped.

    Raises InputError naming the topic for other formats, oversized headers and truncated or corrupt data.
    """
    data = bytes(message.data)
    if not data:
        raise InputError(f"{topic}: the compressed image is empty")
    width, height = _declared_size(data, message.format, topic)
    if width * height > MAX_PIXELS:
        raise InputError(f"{topic}: the header declares {width}x{height} pixels, more than the limit of {MAX_PIXELS}")
    # The image must lie as CameraInfo describes it: an orientation tag does not turn it.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise InputError(f"{topic}: data is corrupt: {error}") from error
    if bgr is None or bgr.shape[:2] != (height, width):
        raise InputError(f"{topic}: data is corrupt: {len(data)} bytes that say they are a {width}x{height} image")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def _declared_size(data: bytes, format_name: str, topic: str) -> tuple[int, int]:
    if data.startswith(_PNG_START):
        ending, size = _PNG_END, struct.unpack(">II", data[16:24]) if len(data) >= 24 else None
    elif data.startswith(_JPEG_START):
        ending, size = _JPEG_END, _jpeg_size(data)
    else:
        raise InputError(f"{topic}: data is neither JPEG nor PNG (format {format_name[:40]!r})")
    # A decoder fills what is missing with grey and says nothing.
    if size is None or ending not in data[-len(ending) - _MAX_PADDING :]:
        raise InputError(f"{topic}: data is truncated: {len(data)} bytes without a complete image")
    return size[0], size[1]


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _START_OF_FRAME:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 1 if marker == 0xFF else 2 + length
    return None
