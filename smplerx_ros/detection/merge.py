"""Merge duplicate detections from several runs on an image: at several sizes and on overlapping tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.boxes import box_area, intersection_area, iou

MAX_OVERLAP = 0.5  # intersection over union of two people
# A tile may show a part of a person: its box is inside the other one, and the keypoints agree.
INSIDE = 0.7  # minimum intersection relative to the smaller box's area
NEAR = 0.3  # maximum median distance of common keypoints, relative to the smaller box's longer side
POINT_SCORE = 0.2  # minimum score of a keypoint
MIN_POINTS = 3  # common keypoints; with fewer, only the boxes are compared


@dataclass(frozen=True, eq=False)
class Candidates:
    """Detections in one image before duplicates are merged; pixels of the image."""

    boxes: FloatArray  # (N, 4) x0, y0, x1, y1
    scores: FloatArray  # (N,)
    points: FloatArray  # (N, P, 3) keypoints: x, y, score
    in_tile: NDArray[np.bool_]  # (N,) detected in a tile

    def __getitem__(self, which: NDArray[Any]) -> Candidates:
        """Select rows by a mask or indices."""
        return Candidates(self.boxes[which], self.scores[which], self.points[which], self.in_tile[which])

    @classmethod
    def join(cls, parts: Sequence[Candidates]) -> Candidates:
        """Concatenate the candidates of several runs."""
        names = ("boxes", "scores", "points", "in_tile")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def merge_duplicates(candidates: Candidates) -> Candidates:
    """Keep the best candidate of each person, best score first; boxes must have an area."""
    same = _same_person(candidates)
    kept: list[int] = []
    for candidate in np.argsort(-candidates.scores, kind="stable").tolist():
        if not same[candidate, kept].any():
            kept.append(candidate)
    return candidates[np.array(kept, dtype=int)]


def _same_person(candidates: Candidates) -> NDArray[np.bool_]:
    """Whether two candidates are the same person, `(N, N)`."""
    first, second = candidates.boxes[:, None], candidates.boxes[None]
    inside = intersection_area(first, second) > INSIDE * np.minimum(box_area(first), box_area(second))
    in_tile = candidates.in_tile[:, None] | candidates.in_tile[None]
    longer = (candidates.boxes[:, 2:] - candidates.boxes[:, :2]).max(axis=1)
    near = _points_agree(candidates.points, NEAR * np.minimum(longer[:, None], longer[None]))
    return np.asarray((iou(first, second) > MAX_OVERLAP) | (inside & in_tile & near))


def _points_agree(points: FloatArray, within: FloatArray) -> NDArray[np.bool_]:
    """Whether the keypoints of two candidates are `within` some pixels, or too few to compare, `(N, N)`."""
    common = (points[:, None, :, 2] > POINT_SCORE) & (points[None, :, :, 2] > POINT_SCORE)
    distances = np.linalg.norm(points[:, None, :, :2] - points[None, :, :, :2], axis=-1)
    comparable = common.sum(axis=-1) >= MIN_POINTS
    distances[~common] = np.nan
    distances[~comparable] = 0
    return np.asarray(np.nanmedian(distances, axis=-1) < within)
