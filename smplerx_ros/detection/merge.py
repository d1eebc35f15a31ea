"""One box for each person out of several looks at an image: at sizes, and at tiles that overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray

MAX_OVERLAP = 0.5  # intersection over union of two people
# A tile may show a part of somebody: its box lies within the other one, and the body's points agree.
INSIDE = 0.7  # of the smaller box's area
NEAR = 0.3  # median distance of common points, as a share of the smaller box's longer side
POINT_SCORE = 0.2  # least score of a point that counts
LEAST_POINTS = 3  # in common; with fewer the boxes decide


@dataclass(frozen=True, eq=False)
class Sightings:
    """What looks at one image showed: `boxes (N, 4)` x0, y0, x1, y1, `points (N, P, 3)` x, y, score; image pixels."""

    boxes: FloatArray
    scores: FloatArray  # (N,)
    points: FloatArray
    in_tile: NDArray[np.bool_]  # (N,) seen in a part of the image only

    def __getitem__(self, which: NDArray[Any]) -> Sightings:
        """The chosen ones."""
        return Sightings(self.boxes[which], self.scores[which], self.points[which], self.in_tile[which])

    @classmethod
    def join(cls, parts: Sequence[Sightings]) -> Sightings:
        """All of them."""
        names = ("boxes", "scores", "points", "in_tile")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def one_each(seen: Sightings) -> Sightings:
    """The best sighting of each person, best first. Boxes must have an area."""
    same = _same_person(seen)
    kept: list[int] = []
    for candidate in np.argsort(-seen.scores, kind="stable").tolist():
        if not same[candidate, kept].any():
            kept.append(candidate)
    return seen[np.array(kept, dtype=int)]


def _same_person(seen: Sightings) -> NDArray[np.bool_]:
    """`(N, N)`."""
    sides = seen.boxes[:, 2:] - seen.boxes[:, :2]
    areas = sides.prod(axis=1)
    low = np.maximum(seen.boxes[:, None, :2], seen.boxes[None, :, :2])
    high = np.minimum(seen.boxes[:, None, 2:], seen.boxes[None, :, 2:])
    shared = (high - low).clip(0).prod(axis=-1)
    overlap = shared / (areas[:, None] + areas[None] - shared)
    inside = shared > INSIDE * np.minimum(areas[:, None], areas[None])
    in_tile = seen.in_tile[:, None] | seen.in_tile[None]
    longer = sides.max(axis=1)
    near = _points_agree(seen.points, NEAR * np.minimum(longer[:, None], longer[None]))
    return np.asarray((overlap > MAX_OVERLAP) | (inside & in_tile & near))


def _points_agree(points: FloatArray, within: FloatArray) -> NDArray[np.bool_]:
    """`(N, N)` whether the points of two sightings lie `within` some pixels, or tell nothing."""
    common = (points[:, None, :, 2] > POINT_SCORE) & (points[None, :, :, 2] > POINT_SCORE)
    distances = np.linalg.norm(points[:, None, :, :2] - points[None, :, :, :2], axis=-1)
    telling = common.sum(axis=-1) >= LEAST_POINTS
    distances[~common] = np.nan
    distances[~telling] = 0
    return np.asarray(np.nanmedian(distances, axis=-1) < within)
