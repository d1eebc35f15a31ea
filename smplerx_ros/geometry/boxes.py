"""Axis-aligned boxes in images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike

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


def intersection_area(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Area `(...)` of the intersection of boxes `a (..., 4)` and `b (..., 4)`, x0, y0, x1, y1, which broadcast."""
    first, second = np.asarray(a), np.asarray(b)
    low, high = np.maximum(first[..., :2], second[..., :2]), np.minimum(first[..., 2:], second[..., 2:])
    return np.asarray(np.maximum(high - low, 0).prod(axis=-1))


def box_area(boxes: ArrayLike) -> FloatArray:
    """Area `(...)` of boxes `(..., 4)`, x0, y0, x1, y1."""
    corners = np.asarray(boxes)
    return np.asarray((corners[..., 2:] - corners[..., :2]).prod(axis=-1))


def iou(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Intersection over union `(...)`, 0..1, of boxes `(..., 4)`, x0, y0, x1, y1, which broadcast.

    0 where both boxes are empty and where a corner is not finite.
    """
    shared = intersection_area(a, b)
    union = box_area(a) + box_area(b) - shared
    known = np.isfinite(union) & (union > 0)
    # Not by `np.where`, which makes a single float32 a float64 in NumPy 1.
    ratio = np.zeros_like(union, np.result_type(union.dtype, np.float32))
    return np.asarray(np.divide(shared, union, out=ratio, where=known))


def pairwise_iou(a: Sequence[Box], b: Sequence[Box]) -> FloatArray:
    """Intersection over union `(len(a), len(b))` of each box in `a` with each in `b`."""
    first, second = (np.array([box.xyxy for box in boxes]).reshape(-1, 4) for boxes in (a, b))
    return iou(first[:, None], second[None])
