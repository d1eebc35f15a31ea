"""How many of an image's 16 bits are in use: cameras of 10, 12 and 14 bits send theirs in the low ones, and say 16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_DEPTHS = (10, 12, 14, 16)


class BitDepth:
    """The smallest depth of a camera that holds all values so far: it only grows, so brightness does not flicker.

    `tell` gets a text where values are taken for less than 16 bits.
    """

    def __init__(self, topic: str, tell: Callable[[str], object] = lambda _: None) -> None:
        self._topic = topic
        self._tell = tell
        self.bits = 0  # 0: none known yet

    def to_8_bits(self, pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """`pixels` scaled so that the largest value of this depth is 255."""
        largest = int(pixels.max(initial=0))
        bits = next(bits for bits in _DEPTHS if largest < 1 << bits)
        if largest and bits > self.bits:
            self.bits = bits
            if bits < _DEPTHS[-1]:
                self._tell(
                    f"{self._topic}: 16-bit images whose values stay below {1 << bits}: taken for those of a camera of "
                    f"{bits} bits, and scaled to 8 bits by that range"
                )
        scaled: NDArray[Any] = cv2.convertScaleAbs(pixels, alpha=255 / ((1 << max(bits, self.bits)) - 1))
        return scaled.astype(np.uint8, copy=False)
