"""Images in the sizes that networks take, and boxes back again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray


class Fit(Enum):
    """How an image gets another aspect: pixels added below and to the right, added all round, or stretched."""

    CORNER = "corner"
    CENTRE = "centre"
    STRETCH = "stretch"


@dataclass(frozen=True, eq=False)
class Placed:
    """An image in a canvas `(height, width, 3) uint8`, scaled by `scale` (x, y) with its corner at `corner` (x, y)."""

    canvas: NDArray[np.uint8]
    scale: tuple[float, float]
    corner: tuple[int, int]

    def boxes_in_image(self, boxes: FloatArray) -> FloatArray:
        """Boxes `(N, 4)` x0, y0, x1, y1 in pixels of the canvas, in pixels of the image."""
        return np.asarray((boxes - np.tile(self.corner, 2)) / np.tile(self.scale, 2))


def place(image: NDArray[np.uint8], width: int, height: int, fit: Fit, grey: int) -> Placed:
    """The image as large as it fits in a canvas of one grey, proportions kept unless `fit` stretches."""
    rows, columns = image.shape[:2]
    if fit is Fit.STRETCH:
        return Placed(scaled(image, width, height), (width / columns, height / rows), (0, 0))
    scale = min(width / columns, height / rows)
    small = scaled(image, min(width, round(columns * scale)), min(height, round(rows * scale)))
    free = width - small.shape[1], height - small.shape[0]
    x, y = (free[0] // 2, free[1] // 2) if fit is Fit.CENTRE else (0, 0)
    return Placed(padded(small, width, height, grey, x, y), (scale, scale), (x, y))


def scaled(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The image `(H, W, 3)` in another size, at least one pixel a side."""
    size = max(1, width), max(1, height)
    if image.shape[:2] == (1, 1):  # OpenCV 4.5 cannot enlarge it
        return np.tile(image, (size[1], size[0], 1))
    shrinks = size[0] < image.shape[1] or size[1] < image.shape[0]
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)


def padded(image: NDArray[np.uint8], width: int, height: int, grey: int, x: int = 0, y: int = 0) -> NDArray[np.uint8]:
    """The image with its corner at (x, y) of `width` x `height` pixels of one grey."""
    canvas = np.full((height, width, 3), grey, np.uint8)
    canvas[y : y + image.shape[0], x : x + image.shape[1]] = image
    return canvas
