"""How many of an image's 16 bits are in use: cameras of 10, 12 and 14 bits send theirs in the low ones, and say 16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_DEPTHS = (10, 12, 14, 16)
_OUTLIERS = 0.005  # share of the values that may exceed a depth: hot pixels, and drivers' frame counters and telemetry


class BitDepth:
    """The smallest depth of a camera that holds the values so far, outliers apart: it only grows, without flicker.

    `warn` gets a message where values are taken for less than 16 bits, and where the depth grows later.
    """

    def __init__(self, topic: str, warn: Callable[[str], object] = lambda _: None) -> None:
        self._topic = topic
        self._warn = warn
        self.bits = 0  # 0: none known yet

    def to_8_bits(self, pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """`pixels` scaled so that the largest value of this depth is 255; values beyond it are 255, too."""
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
            f"{self._topic}: 16-bit images whose {values}: taken for those of a camera of {self.bits} bits{instead}, "
            "and scaled to 8 bits by that range"
        )


def _holds(bits: int, pixels: NDArray[np.uint16]) -> bool:
    """Whether no more than outliers are beyond so many bits; with none, whether the image is black."""
    if pixels.max(initial=0) < 1 << bits:
        return True
    return bool(np.count_nonzero(pixels >= 1 << bits) <= _OUTLIERS * pixels.size)
