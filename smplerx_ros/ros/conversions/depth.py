"""Depth images (REP-118) to metres, registered to the color image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from smplerx_ros.errors import InputError

from .image import Encoding, checked, pixels_of

DepthImage = NDArray[np.float32]

_MILLIMETRE = np.float32(1e-3)


def _same(pixels: NDArray[Any]) -> NDArray[Any]:
    return pixels


DEPTH_ENCODINGS = {
    "16UC1": Encoding(1, _same, bits=16),  # millimetres; 0 is invalid
    "mono16": Encoding(1, _same, bits=16),  # the same, as some drivers name it
    "32FC1": Encoding(1, _same, bits=32),  # metres; non-finite and non-positive values are invalid
}


def depth_from_message(message: Image, topic: str) -> DepthImage:
    """Depth `(H, W) float32`, metres, NaN where invalid. Raises InputError naming the topic and the field."""
    encoding = checked(message, topic, DEPTH_ENCODINGS)
    floats = message.encoding == "32FC1"
    depth = pixels_of(message, encoding, "f" if floats else "u")[..., 0].astype(np.float32)
    if not floats:
        depth *= _MILLIMETRE
    depth[~((depth > 0) & (depth < np.inf))] = np.nan
    return depth


def registered(message: Image, topic: str, image: NDArray[np.uint8], frame_id: str) -> DepthImage:
    """The depth `(H, W)` at each pixel of `image (H, W, 3)`, in the optical frame `frame_id`.

    Raises:
        InputError: Another frame or size than the image's, or no valid measurement.
    """
    theirs = message.header.frame_id
    if theirs and frame_id and theirs.lstrip("/") != frame_id.lstrip("/"):
        raise InputError(
            f"{topic} is in frame {theirs!r}, the image in {frame_id!r}: depth must be registered to "
            "the image (a driver's aligned depth, or depth_image_proc's register)"
        )
    height, width = image.shape[:2]
    if (message.height, message.width) != (height, width):
        raise InputError(
            f"{topic} has {message.width}x{message.height} pixels, the image {width}x{height}: "
            "depth must be registered to the image"
        )
    depth = depth_from_message(message, topic)
    if np.isnan(depth).all():
        raise InputError(f"{topic}: no pixel holds a measurement")
    return depth
