"""Fit images to the input size of a network, and map boxes back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray


class Fit(Enum):
    """How an image is fitted to another aspect ratio."""

    CORNER = "corner"  # padded below and on the right
    CENTRE = "centre"  # padded on both sides
    STRETCH = "stretch"  # scaled without preserving the aspect ratio


@dataclass(frozen=True, eq=False)
class FittedImage:
    """An image fitted to a canvas."""

    canvas: NDArray[np.uint8]  # (height, width, 3)
    scale: tuple[float, float]  # x, y: pixels of the canvas per pixel of the image
    offset: tuple[int, int]  # x, y: position of the image in the canvas

    def boxes_in_image(self, boxes: FloatArray) -> FloatArray:
        """Convert boxes `(N, 4)` x0, y0, x1, y1 from pixels of the canvas to pixels of the image."""
        return np.asarray((boxes - np.tile(self.offset, 2)) / np.tile(self.scale, 2))


def fit_image(image: NDArray[np.uint8], width: int, height: int, fit: Fit, grey: int) -> FittedImage:
    """Scale the image to fit a grey canvas; its aspect ratio is preserved unless `fit` is STRETCH."""
    rows, columns = image.shape[:2]
    if fit is Fit.STRETCH:
        return FittedImage(scaled(image, width, height), (width / columns, height / rows), (0, 0))
    scale = min(width / columns, height / rows)
    small = scaled(image, min(width, round(columns * scale)), min(height, round(rows * scale)))
    free = width - small.shape[1], height - small.shape[0]
    x, y = (free[0] // 2, free[1] // 2) if fit is Fit.CENTRE else (0, 0)
    return FittedImage(padded(small, width, height, grey, x, y), (scale, scale), (x, y))


def scaled(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize the image `(H, W, 3)`, to at least one pixel per side."""
    size = max(1, width), max(1, height)
    if image.shape[:2] == (1, 1):  # OpenCV 4.5 cannot enlarge it
        return np.tile(image, (size[1], size[0], 1))
    shrinks = size[0] < image.shape[1] or size[1] < image.shape[0]
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)


def padded(image: NDArray[np.uint8], width: int, height: int, grey: int, x: int = 0, y: int = 0) -> NDArray[np.uint8]:
    """Place the image at (x, y) in a grey canvas of `width` x `height` pixels."""
    canvas = np.full((height, width, 3), grey, np.uint8)
    canvas[y : y + image.shape[0], x : x + image.shape[1]] = image
    return canvas
