"""Matching of detected to annotated people, and AGORA's metrics that penalize missed people: F1, NMVE and NMJE.

Detections and annotated people are matched greedily by the mean distance of their joints in the image, if their boxes
overlap. Published results come from the benchmark's own server.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.boxes import iou

MIN_IOU = 0.1  # of the bounding boxes of the joints of a match; our choice, see docs/howto/evaluation.md


def match_people(joints: ArrayLike, truth: ArrayLike, valid: ArrayLike | None = None) -> list[tuple[int, int]]:
    """Match detected to annotated people.

    Args:
        joints: Detected joints `(P, J, 2)`, pixels.
        truth: Annotated joints `(T, J, 2)`, pixels.
        valid: `(T, J)` annotated joints to compare; None: all.

    Returns:
        Pairs (row of `joints`, row of `truth`), each row at most once.
    """
    joints, truth = np.asarray(joints, np.float64), np.asarray(truth, np.float64)
    if not len(joints) or not len(truth):
        return []
    counted = np.ones(truth.shape[:2], bool) if valid is None else np.asarray(valid, bool)
    distances = np.linalg.norm(joints[:, None] - truth[None], axis=-1)  # (P, T, J)
    numbers = np.maximum(counted.sum(axis=1), 1)
    costs = np.where(counted, distances, 0.0).sum(axis=2) / numbers
    usable = (_pairwise_iou(joints, truth, counted) >= MIN_IOU) & counted.any(axis=1) & np.isfinite(costs)
    pairs: list[tuple[int, int]] = []
    for flat in np.argsort(costs, axis=None, kind="stable"):
        person, true = (int(i) for i in np.unravel_index(flat, costs.shape))
        if usable[person, true]:
            pairs.append((person, true))
            usable[person], usable[:, true] = False, False
    return pairs


def f1_score(matched: int, detections: int, people: int) -> float:
    """Return the harmonic mean of precision and recall; NaN if there are neither people nor detections."""
    return 2 * matched / (detections + people) if detections + people else float("nan")


def f1_normalized(error: float, f1: float) -> float:
    """Return the error divided by F1: NMVE from MVE, NMJE from MPJPE. Infinite if nothing matched."""
    return error / f1 if f1 else float("inf")


def _pairwise_iou(joints: FloatArray, truth: FloatArray, counted: NDArray[np.bool_]) -> FloatArray:
    """Return the IoU `(P, T)` of the bounding boxes of those joints that are valid for the annotated person."""
    return iou(_bounding_boxes(joints[:, None], counted), _bounding_boxes(truth, counted))


def _bounding_boxes(points: FloatArray, counted: NDArray[np.bool_]) -> FloatArray:
    """Return boxes `(..., 4)` (x0, y0, x1, y1) of the counted `points (..., J, 2)`; infinite if there are none."""
    mask = counted[..., None]
    low = np.where(mask, points, np.inf).min(axis=-2)
    return np.concatenate([low, np.where(mask, points, -np.inf).max(axis=-2)], axis=-1)
