"""Sanitize the boxes of a detector: clip them to the image and drop invalid ones."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.boxes import Box

log = logging.getLogger(__name__)

MIN_SIDE = 2.0  # pixels inside the image; smaller boxes show no person
MAX_BOXES = 100  # the maximum of the parameter max_people


def clean_boxes(boxes: Iterable[Box], width: int, height: int, *, min_side: float = MIN_SIDE) -> list[Box]:
    """Sanitize boxes in an image of `width` x `height` pixels, as `clean_rows` does."""
    rows = np.array([[*box.xyxy, box.score] for box in boxes], dtype=np.float64).reshape(-1, 5)
    return clean_rows(rows, width, height, min_side=min_side)


def clean_rows(rows: FloatArray, width: int, height: int, *, min_side: float = MIN_SIDE) -> list[Box]:
    """Clip boxes to the image, sort them by descending score, and drop invalid ones; never raises.

    Non-finite and inverted boxes are dropped, and those with a side below `min_side` pixels inside the image, and all
    but the best `MAX_BOXES`. Scores are clipped to 0..1.

    Args:
        rows: `(N, 5)` x0, y0, x1, y1 in pixels, score.
        width: Width of the image.
        height: Height of the image.
        min_side: Minimum width and height of a box inside the image, pixels.
    """
    rows = np.asarray(rows, dtype=np.float64).reshape(-1, 5)
    finite = rows[np.isfinite(rows).all(axis=1)].clip(0, [width, height, width, height, 1])
    sides = finite[:, 2:4] - finite[:, :2]
    kept = finite[(sides > 0).all(axis=1) & (sides >= min_side).all(axis=1)]
    kept = kept[np.argsort(-kept[:, 4], kind="stable")][:MAX_BOXES]
    if len(kept) < len(rows):
        log.debug("dropped %d of %d boxes: non-finite, empty, outside, or too many", len(rows) - len(kept), len(rows))
    return [Box(*row) for row in kept.tolist()]
