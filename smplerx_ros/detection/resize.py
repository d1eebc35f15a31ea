"""Images in the sizes that networks take, proportions kept."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def scaled(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """The image `(H, W, 3)` scaled, at least one pixel a side."""
    height, width = image.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)


def padded(image: NDArray[np.uint8], width: int, height: int, grey: int, x: int = 0, y: int = 0) -> NDArray[np.uint8]:
    """The image with its corner at (x, y) of `width` x `height` pixels of one grey."""
    canvas = np.full((height, width, 3), grey, np.uint8)
    canvas[y : y + image.shape[0], x : x + image.shape[1]] = image
    return canvas
