"""The body that people's landmarks show: closed-form start, refinement, fingers and face, batched over people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.model import BodyModel
from smplerx_ros.body.stature import KNOWN_STATURE_SIGMA, MEAN_STATURE, STATURE_SIGMA
from smplerx_ros.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix

from .inverse_kinematics import InitialPose, placed
from .points import BodyPoints
from .pose_prior import PosePrior
from .refinement import Pose, Refiner, Targets
from .targets import Sightings, direction_matrix

# At most. Somebody who is followed goes on in the next frame: on the demo clip at 15 images a second joints are 5.9 mm
# on average from where 40 steps take them (0.5 at 30); 3.9 (0.3) with 8, 8.3 (0.8) with 4.
_FIRST_ITERATIONS, _NEXT_ITERATIONS = 12, 5
# Squared standard deviations that are left after those steps, above which the track may have been lost.
_LOST = 250.0
# Of them only such a share may be left from another start. Where hardly less speaks against a pose decimetres away, it
# may be the wrong one (a camera of Pose2Sim's, against the truth of four: 103 mm so, 109 where any less counts).
_BETTER = 0.7
_TURN_ACCELERATION = 50.0  # rad/s^2: standard deviation from joints that go on turning as they did
_SPEED_MEMORY, _SPEED_DECAY = 0.05, 0.06  # s: over which speeds are averaged, and after which they are not trusted
_NUM_BETAS = 10
_SHAPE_MEMORY = 30  # frames after which a shape is as good as known


@dataclass(frozen=True, eq=False)
class Track:
    """What the fit remembers of one person: the last pose `(1, ...)`, how fast its joints turned, and since when."""

    pose: Pose
    turning: FloatArray  # (1, 22, 3) rad/s, each about axes of its joint
    frames: int = 1  # over which the shape was averaged

    @classmethod
    def start(cls, pose: Pose) -> Track:
        """Of a person seen for the first time."""
        return cls(pose, np.zeros(pose.rotations.shape[:-1]))

    def followed_by(self, pose: Pose, seconds: float) -> Track:
        """The track `seconds` later, where the person has `pose`."""
        turned = rotvec_from_matrix(np.swapaxes(self.pose.rotations, -1, -2) @ pose.rotations) / seconds
        share = 1 - np.exp(-seconds / _SPEED_MEMORY)
        return Track(pose, self.turning + share * (turned - self.turning), self.frames + 1)

    def expected(self, seconds: float) -> Pose:
        """The pose to expect `seconds` later: joints go on turning, ever slower."""
        turned = self.turning * _SPEED_DECAY * (1 - np.exp(-seconds / _SPEED_DECAY))
        return replace(self.pose, rotations=self.pose.rotations @ matrix_from_rotvec(turned))


class BodyFitter:
    """Fits the 22 body joints, place and shape."""

    def __init__(self, body: BodyModel, person_height: float | None = None) -> None:
        self.points = BodyPoints.of(body)
        self._initial = InitialPose(self.points)
        self.refiner = Refiner(self.points, PosePrior.standard(), direction_matrix())
        self._stature = MEAN_STATURE if person_height is None else person_height
        self._stature_sigma = STATURE_SIGMA if person_height is None else KNOWN_STATURE_SIGMA

    def fit(self, seen: Sequence[Sightings], tracks: Sequence[Track | None], seconds: Sequence[float]) -> Pose:
        """Poses of N people; `seconds` since the frame of each track (not read without one).

        Infinity: the track tells the shape, but nothing of the pose.
        """
        pairs = list(zip(tracks, seconds, strict=True))
        known = np.array([_tells_pose(track, elapsed) for track, elapsed in pairs])
        expected = self._expected(seen, pairs)
        frames = np.array([0 if track is None else track.frames for track in tracks])
        interval = np.array([1.0 if track is None else max(s, 1e-3) for track, s in pairs])
        targets = Targets(
            rays=np.stack([s.rays for s in seen]),
            ray_weights=np.stack([s.ray_weights for s in seen]),
            directions=np.stack([s.directions for s in seen]),
            direction_weights=np.stack([s.direction_weights for s in seen]),
            stature=np.full(len(seen), self._stature),
            stature_weight=np.full(len(seen), 1 / self._stature_sigma),
            previous=expected,
            rotation_weight=np.where(known, 1 / (_TURN_ACCELERATION * interval**2), 0.0),
            betas_weight=np.sqrt(np.minimum(frames, _SHAPE_MEMORY)),
        )
        poses, errors = self.refiner.refine(targets, expected, _NEXT_ITERATIONS if known.all() else _FIRST_ITERATIONS)
        lost = np.flatnonzero(known & (errors > _LOST))
        if len(lost):
            start = self._first([seen[i] for i in lost], np.zeros((len(lost), _NUM_BETAS)))
            found, others = self.refiner.refine(targets[lost], start, _NEXT_ITERATIONS)
            better = np.flatnonzero(others < _BETTER * errors[lost])
            poses = poses.replaced(lost[better], found[better])
        return poses

    def _expected(self, seen: Sequence[Sightings], tracks: Sequence[tuple[Track | None, float]]) -> Pose:
        """Where everybody should be by now; of new people what is seen says so."""
        poses = {i: track.expected(elapsed) for i, (track, elapsed) in enumerate(tracks) if _tells_pose(track, elapsed)}
        new = [i for i in range(len(tracks)) if i not in poses]
        if new:
            shapes = [np.zeros(_NUM_BETAS) if (track := tracks[i][0]) is None else track.pose.betas[0] for i in new]
            first = self._first([seen[i] for i in new], np.stack(shapes))
            poses |= {i: first[k] for k, i in enumerate(new)}
        return _stacked([poses[i] for i in range(len(tracks))])

    def _first(self, seen: Sequence[Sightings], betas: FloatArray) -> Pose:
        """Closed-form poses of bodies with `betas (N, 10)`."""
        rotations = self._initial.rotations(np.stack([s.world for s in seen]))
        at_origin = Pose(rotations, np.zeros((len(seen), 3)), betas)
        rays, weights = np.stack([s.rays for s in seen]), np.stack([s.ray_weights for s in seen])
        transl = placed(self.refiner.places(at_origin), rays, weights)
        return Pose(rotations, transl, betas)


def _tells_pose(track: Track | None, seconds: float) -> TypeGuard[Track]:
    return track is not None and seconds < np.inf


def _stacked(poses: Sequence[Pose]) -> Pose:
    return Pose(*(np.concatenate([getattr(pose, name) for pose in poses]) for name in ("rotations", "transl", "betas")))
