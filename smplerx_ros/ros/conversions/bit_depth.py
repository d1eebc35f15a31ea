"""Bit depth of 16-bit images: cameras with 10, 12 or 14 bits use the low bits and declare 16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_DEPTHS = (10, 12, 14, 16)
_OUTLIERS = 0.005  # share of values that may exceed a depth: hot pixels, embedded frame counters


class BitDepth:
    """The smallest bit depth that holds all values of a camera so far, apart from outliers.

    It only grows, so that brightness does not flicker.

    Args:
        topic: Topic of the images, for messages.
        warn: Called with a message when fewer than 16 bits are assumed, and when the depth grows later.
    """

    def __init__(self, topic: str, warn: Callable[[str], object] = lambda _: None) -> None:
        self._topic = topic
        self._warn = warn
        self.bits = 0  # 0: not known yet

    def to_8_bits(self, pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Scale `pixels` so that the largest value of this depth becomes 255; larger values are clipped."""
        bits = next(bits for bits in (0, *_DEPTHS) if bits >= self.bits and _holds(bits, pixels))
        if bits > self.bits:
            before, self.bits = self.bits, bits
            if before or bits < _DEPTHS[-1]:
                self._warn(self._described(before))
        scaled: NDArray[Any] = cv2.convertScaleAbs(pixels, alpha=255 / ((1 << max(bits, _DEPTHS[0])) - 1))
        return scaled.astype(np.uint8, copy=False)

    def _described(self, before: int) -> str:
        values = f"values stay below {1 << self.bits}" if self.bits < _DEPTHS[-1] else f"values reach {1 << before}"
        instead = f" instead of {before}" if before else ""
        return (
            f"{self._topic}: 16-bit images whose {values}: assumed to come from a camera of {self.bits} bits{instead}, "
            "and scaled to 8 bits by that range"
        )


def _holds(bits: int, pixels: NDArray[np.uint16]) -> bool:
    """Whether all but outliers fit into `bits` bits; for 0 bits, whether the image is black."""
    if pixels.max(initial=0) < 1 << bits:
        return True
    return bool(np.count_nonzero(pixels >= 1 << bits) <= _OUTLIERS * pixels.size)
