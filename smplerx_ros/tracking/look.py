"""What people wear, in six numbers each: tells apart those whom place and size do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..types import Box

FloatArray = NDArray[np.floating[Any]]

# Torso and legs as shares of the height of a person's box; of its width the middle, where there is little background.
_PARTS = ((0.18, 0.45), (0.5, 0.8))
_MIDDLE = (0.3, 0.7)

_SPREAD = 10.0  # standard deviation of the look of one person, in units of Lab
_UNKNOWN = 0.3  # squared deviation that is taken where one of both is not known
_MOST = 12.0  # light and shade change looks: none is so strange that it says more

NO_LOOK = np.full(3 * len(_PARTS), np.nan)


def looks(image: NDArray[np.uint8], boxes: Sequence[Box]) -> FloatArray:
    """`(B, 6)` CIE Lab (L 0 to 100) of the mean colours of torso and legs in an RGB image; NaN outside of it."""
    colours = [[_mean_lab(image, box, part) for part in _PARTS] for box in boxes]
    return np.asarray(colours, float).reshape(len(boxes), len(NO_LOOK))


def strangeness(known: FloatArray, seen: FloatArray) -> FloatArray:
    """`(K, S)` how little looks `seen (S, 6)` are those of people `known (K, 6)`: -2 log likelihood, bounded."""
    deviation = ((known[:, None] - seen[None]) / _SPREAD) ** 2
    return np.asarray(np.minimum(np.nan_to_num(deviation, nan=_UNKNOWN).sum(axis=2), _MOST))


def _mean_lab(image: NDArray[np.uint8], box: Box, part: tuple[float, float]) -> FloatArray:
    height, width = image.shape[:2]
    x0, x1 = (int(np.clip(box.x0 + share * box.width, 0, width)) for share in _MIDDLE)
    y0, y1 = (int(np.clip(box.y0 + share * box.height, 0, height)) for share in part)
    if x0 >= x1 or y0 >= y1:
        return np.full(3, np.nan)
    mean = np.array([[cv2.mean(image[y0:y1, x0:x1])[:3]]], np.float32) / 255
    return np.asarray(cv2.cvtColor(mean, cv2.COLOR_RGB2Lab)[0, 0], float)
