"""sensor_msgs/Image to RGB and back; all fields are validated before the data is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from smplerx_ros.arrays import RgbImage
from smplerx_ros.errors import InputError

from .bit_depth import BitDepth

Convert = Callable[[NDArray[Any]], NDArray[Any]]

MAX_PIXELS = 1 << 26  # 67 million: above any camera in use, and within the memory of a small machine


@dataclass(frozen=True)
class Encoding:
    """Memory layout of a pixel, `channels` values of `bits` each, and the conversion to RGB of that depth."""

    channels: int
    convert: Convert
    bits: int = 8
    even_width: bool = False  # pixels come in pairs
    even_height: bool = False  # pixels come in blocks of 2 x 2
    chroma: bool = False  # half as many rows of chroma follow the luma rows

    def rows(self, height: int) -> int:
        """Rows of bytes of an image of this height."""
        return height * 3 // 2 if self.chroma else height


def _cvt(code: int) -> Convert:
    return lambda pixels: cv2.cvtColor(pixels, code)


def _same(pixels: NDArray[Any]) -> NDArray[Any]:
    return pixels


_GREY, _BGR, _BGRA = _cvt(cv2.COLOR_GRAY2RGB), _cvt(cv2.COLOR_BGR2RGB), _cvt(cv2.COLOR_BGRA2RGB)
# OpenCV names a Bayer pattern after the second row's second and third pixel, ROS after the first 2 x 2 block: ROS's
# rggb is OpenCV's BG.
_BAYER = {
    "rggb": _cvt(cv2.COLOR_BayerBG2RGB),
    "bggr": _cvt(cv2.COLOR_BayerRG2RGB),
    "gbrg": _cvt(cv2.COLOR_BayerGR2RGB),
    "grbg": _cvt(cv2.COLOR_BayerGB2RGB),
}
_UYVY, _YUYV = _cvt(cv2.COLOR_YUV2RGB_UYVY), _cvt(cv2.COLOR_YUV2RGB_YUYV)

# sensor_msgs/image_encodings.hpp, and nv12 as drivers write it. Types without a colour order (8UC3, 8UC4) are read as
# BGR, OpenCV's own order.
ENCODINGS: dict[str, Encoding] = {
    "rgb8": Encoding(3, _same),
    "bgr8": Encoding(3, _BGR),
    "8UC3": Encoding(3, _BGR),
    "rgba8": Encoding(4, _cvt(cv2.COLOR_RGBA2RGB)),
    "bgra8": Encoding(4, _BGRA),
    "8UC4": Encoding(4, _BGRA),
    "mono8": Encoding(1, _GREY),
    "8UC1": Encoding(1, _GREY),
    "mono16": Encoding(1, _GREY, bits=16),
    "16UC1": Encoding(1, _GREY, bits=16),
    "rgb16": Encoding(3, _same, bits=16),
    "bgr16": Encoding(3, _BGR, bits=16),
    "yuv422": Encoding(2, _UYVY, even_width=True),
    "uyvy": Encoding(2, _UYVY, even_width=True),
    "yuv422_yuy2": Encoding(2, _YUYV, even_width=True),
    "yuyv": Encoding(2, _YUYV, even_width=True),
    "nv12": Encoding(1, _cvt(cv2.COLOR_YUV2RGB_NV12), even_width=True, even_height=True, chroma=True),
    "nv21": Encoding(1, _cvt(cv2.COLOR_YUV2RGB_NV21), even_width=True, even_height=True, chroma=True),
    **{
        f"bayer_{pattern}{bits}": Encoding(1, convert, bits, even_width=True, even_height=True)
        for pattern, convert in _BAYER.items()
        for bits in (8, 16)
    },
}


def image_from_message(message: Image, topic: str, depth: BitDepth | None = None) -> RgbImage:
    """RGB `(H, W, 3) uint8` of a message.

    Args:
        message: Not copied if it holds rgb8 without padding; then it must not change while the result is in use.
        topic: Its topic, for errors.
        depth: Bit depth of the camera, by which 16-bit images are scaled to 8 bits; None: that of this image.

    Raises:
        InputError: A field is invalid; the error names the topic and the field.
    """
    encoding = checked(message, topic, ENCODINGS)
    pixels = pixels_of(message, encoding, "u")
    if encoding.channels == 1:
        pixels = pixels[..., 0]
    if encoding.bits == 16:
        pixels = pixels.astype(np.uint16)  # the machine's byte order, for OpenCV
    rgb = encoding.convert(pixels)
    if encoding.bits == 16:
        rgb = (depth or BitDepth(topic)).to_8_bits(rgb)
    return rgb


def _row_bytes(message: Image, encoding: Encoding) -> int:
    """Bytes of the pixels of one row, without padding."""
    return int(message.width) * encoding.channels * encoding.bits // 8


def pixels_of(message: Image, encoding: Encoding, kind: str) -> NDArray[Any]:
    """Pixels `(rows, W, C)` of a `checked` message, in its byte order; chroma rows follow the image's own.

    `kind`: NumPy's kind of the values, `u` (unsigned integers) or `f` (floats).
    """
    dtype = np.dtype(f"{'>' if message.is_bigendian else '<'}{kind}{encoding.bits // 8}")
    rows = np.frombuffer(message.data, np.uint8).reshape(-1, message.step)[:, : _row_bytes(message, encoding)]
    return np.ascontiguousarray(rows).view(dtype).reshape(len(rows), message.width, encoding.channels)


def checked(message: Image, topic: str, encodings: Mapping[str, Encoding]) -> Encoding:
    """Validate a message; returns its encoding. Raises InputError naming the topic and the field."""
    height, width, step = message.height, message.width, message.step
    if height == 0 or width == 0 or len(message.data) == 0:
        raise InputError(
            f"{topic}: the image is empty: width {width}, height {height}, {len(message.data)} bytes of data"
        )
    if height * width > MAX_PIXELS:
        raise InputError(f"{topic}: {width}x{height} pixels are more than the limit of {MAX_PIXELS}")
    encoding = encodings.get(message.encoding)
    if encoding is None:
        raise InputError(
            f"{topic}: encoding {message.encoding[:40]!r} is not supported; use one of {', '.join(encodings)}"
        )
    if (encoding.even_width and width % 2) or (encoding.even_height and height % 2):
        raise InputError(f"{topic}: {message.encoding} needs an even size, got {width}x{height}")
    least = _row_bytes(message, encoding)
    if step < least:
        raise InputError(
            f"{topic}: step {step} is too small: {width} pixels of {message.encoding} need {least} bytes a row"
        )
    rows = encoding.rows(height)
    if len(message.data) != step * rows:
        raise InputError(f"{topic}: data has {len(message.data)} bytes, step {step} x {rows} rows = {step * rows}")
    return encoding


def message_from_image(image: RgbImage, message: Image) -> Image:
    """Fill `message` with an `(H, W, 3) uint8` RGB image and return it; the header is kept."""
    message.height, message.width = image.shape[:2]
    message.encoding = "rgb8"
    message.is_bigendian = 0
    message.step = 3 * image.shape[1]
    # Assigning an array or bytes to `data` checks each element; array.frombytes does not.
    del message.data[:]
    message.data.frombytes(np.ascontiguousarray(image).data.cast("B"))
    return message
