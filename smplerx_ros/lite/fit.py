"""The body that people's landmarks show: closed-form start, refinement, fingers and face, batched over people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..body.model import BodyModel
from .inverse_kinematics import initial_rotations, placed
from .points import BodyPoints
from .pose_prior import PosePrior
from .refinement import Pose, Refiner, Targets
from .targets import Sightings, direction_matrix

FloatArray = NDArray[np.floating[Any]]

# Mean stature of adults, men 1.71 m and women 1.59 m (NCD-RisC, eLife 2016), and the spread of both together.
MEAN_STATURE, STATURE_SIGMA = 1.65, 0.09
KNOWN_STATURE_SIGMA = 0.01
_FIRST_ITERATIONS, _NEXT_ITERATIONS = 12, 5
_TURN_RATE = 8.0  # rad/s: standard deviation of a joint's speed, ties a pose to the frame before
_SHAPE_MEMORY = 30  # frames after which a shape is as good as known


@dataclass(frozen=True)
class Track:
    """What the fit remembers of one person: the last pose `(1, ...)` and for how many frames the shape was averaged."""

    pose: Pose
    frames: int


class BodyFitter:
    """Fits the 22 body joints, place and shape."""

    def __init__(self, body: BodyModel, person_height: float | None = None) -> None:
        self.points = BodyPoints.of(body)
        self.refiner = Refiner(self.points, PosePrior.standard(), direction_matrix())
        self._stature = MEAN_STATURE if person_height is None else person_height
        self._stature_sigma = STATURE_SIGMA if person_height is None else KNOWN_STATURE_SIGMA

    def fit(self, seen: Sequence[Sightings], tracks: Sequence[Track | None], seconds: Sequence[float]) -> Pose:
        """Poses of N people; `seconds` since the frame of each track (not read without one)."""
        first = self._first(seen)
        known = np.array([track is not None for track in tracks])
        previous = _stacked([first[i] if track is None else track.pose for i, track in enumerate(tracks)])
        frames = np.array([0 if track is None else track.frames for track in tracks])
        interval = np.array([1.0 if track is None else max(s, 1e-3) for track, s in zip(tracks, seconds, strict=True)])
        targets = Targets(
            rays=np.stack([s.rays for s in seen]),
            ray_weights=np.stack([s.ray_weights for s in seen]),
            directions=np.stack([s.directions for s in seen]),
            direction_weights=np.stack([s.direction_weights for s in seen]),
            stature=np.full(len(seen), self._stature),
            stature_weight=np.full(len(seen), 1 / self._stature_sigma),
            previous=previous,
            rotation_weight=np.where(known, 1 / (_TURN_RATE * interval), 0.0),
            betas_weight=np.sqrt(np.minimum(frames, _SHAPE_MEMORY)),
        )
        nearer = self.refiner.costs(targets, previous) < self.refiner.costs(targets, first)
        start = previous.where(nearer & known, first)
        return self.refiner.refine(targets, start, _NEXT_ITERATIONS if known.all() else _FIRST_ITERATIONS)

    def _first(self, seen: Sequence[Sightings]) -> Pose:
        """Closed-form poses of the mean shape."""
        rotations = initial_rotations(self.points, np.stack([s.world for s in seen]))
        betas = np.zeros((len(seen), 10))
        at_origin = Pose(rotations, np.zeros((len(seen), 3)), betas)
        rays, weights = np.stack([s.rays for s in seen]), np.stack([s.ray_weights for s in seen])
        transl = placed(self.refiner.places(at_origin), rays, weights)
        return Pose(rotations, transl, betas)


def _stacked(poses: Sequence[Pose]) -> Pose:
    return Pose(*(np.concatenate([getattr(pose, name) for pose in poses]) for name in ("rotations", "transl", "betas")))
