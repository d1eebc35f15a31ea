"""What a detector answers, made fit for use: whatever is no box inside the image is dropped."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.boxes import Box

log = logging.getLogger(__name__)

LEAST_SIDE = 2.0  # pixels inside the image; nobody can be seen in less
MOST_BOXES = 100  # the most people that the parameter max_people allows


def clean_boxes(boxes: Iterable[Box], width: int, height: int, *, least_side: float = LEAST_SIDE) -> list[Box]:
    """The boxes clipped to an image of `width` x `height` pixels, as `clean_rows` does."""
    rows = np.array([[*box.xyxy, box.score] for box in boxes], dtype=np.float64).reshape(-1, 5)
    return clean_rows(rows, width, height, least_side=least_side)


def clean_rows(rows: FloatArray, width: int, height: int, *, least_side: float = LEAST_SIDE) -> list[Box]:
    """Boxes of `rows (N, 5)`, x0, y0, x1, y1 in pixels and score, clipped to the image; best score first.

    Dropped: rows with a value that is not finite, inverted ones, those with a side below `least_side` pixels inside
    the image, and all but the best `MOST_BOXES`. Scores are clipped to 0..1. Nothing of N is too odd to raise.
    """
    rows = np.asarray(rows, dtype=np.float64).reshape(-1, 5)
    finite = rows[np.isfinite(rows).all(axis=1)].clip(0, [width, height, width, height, 1])
    sides = finite[:, 2:4] - finite[:, :2]
    kept = finite[(sides > 0).all(axis=1) & (sides >= least_side).all(axis=1)]
    kept = kept[np.argsort(-kept[:, 4], kind="stable")][:MOST_BOXES]
    if len(kept) < len(rows):
        log.debug("dropped %d of %d boxes: not finite, empty, outside, or too many", len(rows) - len(kept), len(rows))
    return [Box(*row) for row in kept.tolist()]
