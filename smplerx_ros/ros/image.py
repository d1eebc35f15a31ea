"""sensor_msgs/Image to RGB: every field is checked before the bytes are looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from ..errors import InputError

RgbImage = NDArray[np.uint8]
Convert = Callable[[NDArray[Any]], NDArray[Any]]

MAX_PIXELS = 1 << 26  # 67 million: above any camera in use, below what would exhaust a small machine's memory


@dataclass(frozen=True)
class Encoding:
    """How pixels lie in memory: `channels` values of `bits` each, and what makes them RGB of that depth."""

    channels: int
    convert: Convert
    bits: int = 8
    even: bool = False  # pixels come in pairs: the width (and, for bayer, the height) must be even


def _cvt(code: int) -> Convert:
    return lambda pixels: cv2.cvtColor(pixels, code)


def _same(pixels: NDArray[Any]) -> NDArray[Any]:
    return pixels


_GREY = _cvt(cv2.COLOR_GRAY2RGB)
# OpenCV names a Bayer pattern by the second row's second and third pixel, ROS by the first four: rggb is OpenCV's BG.
_BAYER = {
    "rggb": _cvt(cv2.COLOR_BayerBG2RGB),
    "bggr": _cvt(cv2.COLOR_BayerRG2RGB),
    "gbrg": _cvt(cv2.COLOR_BayerGR2RGB),
    "grbg": _cvt(cv2.COLOR_BayerGB2RGB),
}
_UYVY, _YUYV = (
    Encoding(2, _cvt(cv2.COLOR_YUV2RGB_UYVY), even=True),
    Encoding(2, _cvt(cv2.COLOR_YUV2RGB_YUYV), even=True),
)

# sensor_msgs/image_encodings.hpp; the types without colour names (8UC3 ...) are read as OpenCV's users mean them: BGR.
ENCODINGS: dict[str, Encoding] = {
    "rgb8": Encoding(3, _same),
    "bgr8": Encoding(3, _cvt(cv2.COLOR_BGR2RGB)),
    "8UC3": Encoding(3, _cvt(cv2.COLOR_BGR2RGB)),
    "rgba8": Encoding(4, _cvt(cv2.COLOR_RGBA2RGB)),
    "bgra8": Encoding(4, _cvt(cv2.COLOR_BGRA2RGB)),
    "8UC4": Encoding(4, _cvt(cv2.COLOR_BGRA2RGB)),
    "mono8": Encoding(1, _GREY),
    "8UC1": Encoding(1, _GREY),
    "mono16": Encoding(1, _GREY, bits=16),
    "16UC1": Encoding(1, _GREY, bits=16),
    "rgb16": Encoding(3, _same, bits=16),
    "bgr16": Encoding(3, _cvt(cv2.COLOR_BGR2RGB), bits=16),
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    **{f"bayer_{name}8": Encoding(1, convert, even=True) for name, convert in _BAYER.items()},
    **{f"bayer_{name}16": Encoding(1, convert, bits=16, even=True) for name, convert in _BAYER.items()},
}


def image_from_message(message: Image, topic: str) -> RgbImage:
    """`(H, W, 3) uint8` RGB, without a copy where the message already is that (then keep the message unchanged).

    16-bit images are scaled to 8 bits by their full range. Raises InputError naming the topic and the field.
    """
    encoding = checked(message, topic, ENCODINGS)
    pixels = pixels_of(message, encoding, "u")
    if encoding.channels == 1:
        pixels = pixels[..., 0]
    if encoding.bits == 16:
        pixels = pixels.astype(np.uint16)  # the machine's byte order, for OpenCV
    rgb = encoding.convert(pixels)
    if encoding.bits == 16:
        rgb = cv2.convertScaleAbs(rgb, alpha=255 / 65535)
    return rgb


def pixels_of(message: Image, encoding: Encoding, kind: str) -> NDArray[Any]:
    """`(H, W, C)` in the message's byte order, of a `checked` message; `kind` is NumPy's: `u` unsigned, `f` float."""
    dtype = np.dtype(f"{'>' if message.is_bigendian else '<'}{kind}{encoding.bits // 8}")
    row_bytes = message.width * encoding.channels * dtype.itemsize
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)[:, :row_bytes]
    return np.ascontiguousarray(rows).view(dtype).reshape(message.height, message.width, encoding.channels)


def checked(message: Image, topic: str, encodings: Mapping[str, Encoding]) -> Encoding:
    """The message's encoding, if its fields fit together; raises InputError naming the topic and the field."""
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
    least = width * encoding.channels * encoding.bits // 8
    if step < least:
        raise InputError(
            f"{topic}: step {step} is too small: {width} pixels of {message.encoding} need {least} bytes a row"
        )
    if len(message.data) != step * height:
        raise InputError(
            f"{topic}: data has {len(message.data)} bytes, step {step} x height {height} = {step * height}"
        )
    bayer = message.encoding.startswith("bayer")
    if encoding.even and (width % 2 or (bayer and height % 2)):
        raise InputError(f"{topic}: {message.encoding} needs an even size, got {width}x{height}")
    return encoding


def message_from_image(image: RgbImage, message: Image) -> Image:
    """Fill `message` (its header stays) with an `(H, W, 3) uint8` RGB image and return it."""
    message.height, message.width = image.shape[:2]
    message.encoding = "rgb8"
    message.is_bigendian = 0
    message.step = 3 * image.shape[1]
    # array.frombytes of a memoryview is the one quick way in: assigning an array or bytes checks every element.
    del message.data[:]
    message.data.frombytes(np.ascontiguousarray(image).data.cast("B"))
    return message
