"""Orient stored frames as a player shows them: square pixels, rotated and mirrored by the display matrix."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np

from smplerx_ros.arrays import IntArray, RgbImage

LARGEST_ASPECT = 4  # the widest pixels of a broadcast standard are 32:11; larger values are errors


def square_pixels(image: RgbImage, aspect: Fraction | None) -> RgbImage:
    """Resample `image (H, W, 3)` to square pixels by enlarging the compressed side.

    Args:
        image: The stored frame.
        aspect: Width of a stored pixel over its height; None or 0 if square.
    """
    if not aspect or not 1 / LARGEST_ASPECT <= aspect <= LARGEST_ASPECT:
        return image
    height, width = image.shape[:2]
    size = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    if size == (width, height):
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def upright(image: RgbImage, matrix: IntArray | None) -> RgbImage:
    """Rotate `image (H, W, 3)` by multiples of 90 degrees and mirror it, as its display matrix declares.

    The `(3, 3)` matrix (ISO 14496-12, 6.2.2) maps a stored pixel to `x' = a x + c y`, `y' = b x + d y`, with a, b in
    its first row and c, d in the second. Other transforms are rounded to the nearest of these eight.
    """
    if matrix is None:
        return image
    (a, b), (c, d) = matrix[:2, :2].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        image = image.transpose(1, 0, 2)
        right, down = c, b
    else:
        right, down = a, d
    image = image[:, ::-1] if right < 0 else image
    image = image[::-1] if down < 0 else image
    return np.ascontiguousarray(image)
