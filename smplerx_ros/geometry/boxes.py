"""Axis-aligned boxes in images."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.errors import InputError


@dataclass(frozen=True)
class Box:
    """Axis-aligned box in image pixels, `x0 < x1`, `y0 < y1`; it may reach beyond the image."""

    x0: float
    y0: float
    x1: float
    y1: float
    score: float = 1.0

    def __post_init__(self) -> None:
        if not all(map(isfinite, (self.x0, self.y0, self.x1, self.y1, self.score))):
            raise InputError(f"Box holds a value that is not finite: {self.xyxy.tolist()}, score {self.score}")
        if self.x1 <= self.x0 or self.y1 <= self.y0:
            raise InputError(f"Box is empty or inverted: {self.xyxy.tolist()}")

    @property
    def xyxy(self) -> FloatArray:
        """`(4,) float64`: x0, y0, x1, y1."""
        return np.array([self.x0, self.y0, self.x1, self.y1])

    @property
    def width(self) -> float:
        """Pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Pixels."""
        return self.y1 - self.y0
