"""Which detected people are which of the truth, and what is lost by missing some: AGORA's F1, NMVE and NMJE.

A detection and a person match if their joints in the image lie close together; the closest pairs first, each once,
none whose boxes hardly overlap. The benchmark's own server decides the published figures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.boxes import iou

MIN_IOU = 0.1  # intersection over union of the boxes round the joints; ours, see docs/howto/evaluation.md


def match_people(joints: ArrayLike, truth: ArrayLike, valid: ArrayLike | None = None) -> list[tuple[int, int]]:
    """Pairs (row of `joints`, row of `truth`), each row at most once.

    `joints (P, J, 2)` and `truth (T, J, 2)` in pixels; `valid (T, J)`: joints of the truth that count.
    """
    joints, truth = np.asarray(joints, np.float64), np.asarray(truth, np.float64)
    if not len(joints) or not len(truth):
        return []
    counted = np.ones(truth.shape[:2], bool) if valid is None else np.asarray(valid, bool)
    distances = np.linalg.norm(joints[:, None] - truth[None], axis=-1)  # (P, T, J)
    numbers = np.maximum(counted.sum(axis=1), 1)
    costs = np.where(counted, distances, 0.0).sum(axis=2) / numbers
    usable = (_iou(joints, truth, counted) >= MIN_IOU) & counted.any(axis=1) & np.isfinite(costs)
    pairs: list[tuple[int, int]] = []
    for flat in np.argsort(costs, axis=None, kind="stable"):
        person, true = (int(i) for i in np.unravel_index(flat, costs.shape))
        if usable[person, true]:
            pairs.append((person, true))
            usable[person], usable[:, true] = False, False
    return pairs


def f1_score(matched: int, detections: int, people: int) -> float:
    """Harmonic mean of precision and recall; NaN where there is nobody and nothing was detected."""
    return 2 * matched / (detections + people) if detections + people else float("nan")


def f1_normalized(error: float, f1: float) -> float:
    """NMVE of an MVE, NMJE of an MPJPE: the error divided by F1. Infinite where nothing matched."""
    return error / f1 if f1 else float("inf")


def _iou(joints: FloatArray, truth: FloatArray, counted: NDArray[np.bool_]) -> FloatArray:
    """Intersection over union `(P, T)` of the boxes round those joints that count for the person of the truth."""
    return iou(_boxes_around(joints[:, None], counted), _boxes_around(truth, counted))


def _boxes_around(points: FloatArray, counted: NDArray[np.bool_]) -> FloatArray:
    """Boxes `(..., 4)` x0, y0, x1, y1 of those `points (..., J, 2)` that count; infinite where none does."""
    mask = counted[..., None]
    low = np.where(mask, points, np.inf).min(axis=-2)
    return np.concatenate([low, np.where(mask, points, -np.inf).max(axis=-2)], axis=-1)
