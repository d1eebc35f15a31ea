"""Depth images: messages to metres (REP-118), and the one that belongs to an image."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from ..errors import InputError
from .from_messages import stamp_ns
from .image import Encoding, checked, pixels_of

DepthImage = NDArray[np.float32]

_KEPT = 5  # messages: depth may come a little before or after its image
_ALIVE_NS = 1_000_000_000  # a topic this far behind is not waited for
_MILLIMETRE = np.float32(1e-3)


def _same(pixels: NDArray[Any]) -> NDArray[Any]:
    return pixels


DEPTH_ENCODINGS = {
    "16UC1": Encoding(1, _same, bits=16),  # millimetres, 0 is invalid
    "mono16": Encoding(1, _same, bits=16),  # what some drivers call the same
    "32FC1": Encoding(1, _same, bits=32),  # metres; NaN, infinities and what is not positive are invalid
}


def depth_from_message(message: Image, topic: str) -> DepthImage:
    """`(H, W) float32` metres, NaN where not measured. Raises InputError naming the topic and the field."""
    encoding = checked(message, topic, DEPTH_ENCODINGS)
    floats = message.encoding == "32FC1"
    depth = pixels_of(message, encoding, "f" if floats else "u")[..., 0].astype(np.float32)
    if not floats:
        depth *= _MILLIMETRE
    depth[~((depth > 0) & (depth < np.inf))] = np.nan
    return depth


class DepthBuffer:
    """The newest depth messages; `put` in one thread, `nearest` in another."""

    def __init__(self, max_age: float) -> None:
        self._max_age_ns = round(max_age * 1e9)
        self._messages: deque[Image] = deque(maxlen=_KEPT)
        self._arrived = threading.Condition()

    def put(self, message: Image) -> None:
        """A message arrived."""
        with self._arrived:
            self._messages.append(message)
            self._arrived.notify_all()

    def clear(self) -> None:
        """Forget all messages."""
        with self._arrived:
            self._messages.clear()

    def nearest(self, image_ns: int) -> Image | None:
        """The message nearest in time to an image, at most `max_age` away from it; None where there is none.

        Waits for it as long as `max_age`, but only where the topic is alive: depth is often published a little later.
        """
        with self._arrived:
            if self._may_come(image_ns):
                self._arrived.wait_for(lambda: self._match(image_ns) is not None, self._max_age_ns * 1e-9)
            return self._match(image_ns)

    def _may_come(self, image_ns: int) -> bool:
        newest = max(map(stamp_ns, self._messages), default=None)
        return newest is not None and 0 < image_ns - newest < _ALIVE_NS

    def _match(self, image_ns: int) -> Image | None:
        nearest = min(self._messages, key=lambda message: abs(stamp_ns(message) - image_ns), default=None)
        if nearest is None or abs(stamp_ns(nearest) - image_ns) > self._max_age_ns:
            return None
        return nearest


def registered(message: Image, topic: str, image: NDArray[np.uint8], frame_id: str) -> DepthImage:
    """The depth at each pixel of `image (H, W, 3)` in the optical frame `frame_id`.

    Raises InputError where the message cannot be that, or measures nothing.
    """
    if message.header.frame_id and frame_id and message.header.frame_id != frame_id:
        raise InputError(
            f"{topic} is in frame {message.header.frame_id!r}, the image in {frame_id!r}: depth must be registered to "
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
