"""sensor_msgs/CompressedImage to RGB and back; size and completeness are checked before decoding."""

from __future__ import annotations

import re
import struct

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from smplerx_ros.arrays import RgbImage
from smplerx_ros.errors import InputError

from .bit_depth import BitDepth
from .image import MAX_PIXELS

_JPEG_START, _PNG_START = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"  # ITU T.81, table B.1; PNG specification
# A JPEG marker (ITU T.81, B.1.1), but no stuffed zero and no restart marker, which occur in the data; 0xFF may repeat.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_END_OF_IMAGE = 0xD9
# ITU T.81, table B.1: start-of-frame markers hold the size; C4, C8 and CC are not among them.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_QUALITY = 80  # of 100: lines of an overlay show no visible artefacts
# As compressed_image_transport writes it: encoding of the image, codec, encoding of the codec's input.
JPEG_FORMAT = "rgb8; jpeg compressed bgr8"


def image_from_compressed(message: CompressedImage, topic: str, depth: BitDepth | None = None) -> RgbImage:
    """Decode a JPEG or PNG to RGB `(H, W, 3) uint8`; alpha is dropped.

    The format is recognized by the data, not by `message.format`. A 16-bit PNG is scaled as by `image_from_message`.

    Raises:
        InputError: Another format, more than `MAX_PIXELS`, or truncated or corrupt data; the error names the topic.
    """
    data = bytes(message.data)
    if not data:
        raise InputError(f"{topic}: the compressed image is empty")
    width, height = _declared_size(data, message.format, topic)
    if width * height > MAX_PIXELS:
        raise InputError(f"{topic}: the header declares {width}x{height} pixels, more than the limit of {MAX_PIXELS}")
    # CameraInfo describes the image as stored: an EXIF orientation tag must not rotate it.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise InputError(f"{topic}: data is corrupt: {error}") from error
    if bgr is None or bgr.shape[:2] != (height, width):
        raise InputError(f"{topic}: data is corrupt: {len(data)} bytes declared as a {width}x{height} image")
    if bgr.dtype == np.uint16:
        bgr = (depth or BitDepth(topic)).to_8_bits(bgr.astype(np.uint16, copy=False))
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def compressed_from_image(image: RgbImage, header: Header) -> CompressedImage:
    """Encode an `(H, W, 3) uint8` RGB image as JPEG. Raises InputError if a side exceeds 65500 pixels."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    try:
        made, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    except cv2.error:  # OpenCV versions differ: some return False
        made, data = False, np.zeros(0, np.uint8)
    if not made:
        raise InputError(f"an image of {image.shape[1]}x{image.shape[0]} pixels cannot be encoded as JPEG")
    message = CompressedImage(header=header, format=JPEG_FORMAT)
    message.data.frombytes(data.data)
    return message


def _declared_size(data: bytes, format_name: str, topic: str) -> tuple[int, int]:
    """Width and height of a complete image; bytes after its end are padding that some drivers add."""
    if data.startswith(_PNG_START):
        size = _png_size(data)
    elif data.startswith(_JPEG_START):
        size = _jpeg_size(data)
    else:
        raise InputError(f"{topic}: data is neither JPEG nor PNG (format {format_name[:40]!r})")
    if size is None:  # decoders fill the missing part with grey without an error
        raise InputError(f"{topic}: data is truncated: {len(data)} bytes without a complete image")
    return size


def _png_size(data: bytes) -> tuple[int, int] | None:
    """Width and height; None if there is no IEND chunk."""
    at = len(_PNG_START)
    while at + 12 <= len(data):  # length, type and checksum
        kind, length = data[at + 4 : at + 8], int.from_bytes(data[at : at + 4], "big")
        at += 12 + length
        if kind == b"IEND":
            width, height = struct.unpack(">II", data[16:24])
            return (width, height) if at <= len(data) else None
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height; None without an end-of-image marker. Markers of embedded thumbnails do not count."""
    size, at = None, len(_JPEG_START)
    while found := _MARKER.search(data, at):
        at = found.end()
        marker = data[at - 1]
        if marker == _END_OF_IMAGE:
            return size
        if marker in _START_OF_FRAME and at + 7 <= len(data):
            height, width = struct.unpack(">HH", data[at + 3 : at + 7])
            size = width, height
        at += int.from_bytes(data[at : at + 2], "big")
    return None
