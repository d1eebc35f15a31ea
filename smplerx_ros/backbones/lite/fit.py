"""Fit bodies to landmarks: a closed-form initial pose, or the predicted one, and its refinement; batched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.model import BodyModel
from smplerx_ros.body.stature import KNOWN_STATURE_SIGMA, MEAN_STATURE, STATURE_SIGMA
from smplerx_ros.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix

from .inverse_kinematics import InitialPose, solve_translation
from .points import BodyPoints
from .pose_prior import PosePrior
from .refinement import Pose, Refiner, Targets
from .targets import Measurements, direction_matrix

# Maximum iterations. The fit of a tracked person continues in the next frame: on the demo clip at 15 images per second,
# joints are 5.9 mm on average from the result of 40 iterations (0.5 at 30 images per second); 3.9 (0.3) with 8
# iterations, 8.3 (0.8) with 4.
_INITIAL_ITERATIONS, _TRACKING_ITERATIONS = 12, 5
# Remaining cost (squared standard deviations) above which the track may be lost.
_LOST = 250.0
# A restart replaces a lost pose only if its cost is at most this fraction: of two distant poses with similar costs, the
# new one may be wrong (Pose2Sim, one camera against the triangulation of four: 103 mm; 109 mm with a fraction of 1).
_RESTART_GAIN = 0.7
_ANGULAR_ACCELERATION = 50.0  # rad/s^2: standard deviation from constant angular velocity
_VELOCITY_WINDOW, _VELOCITY_DECAY = 0.05, 0.06  # seconds: time constants of averaging and of decaying velocities
_NUM_BETAS = 10
_SHAPE_FRAMES = 30  # maximum frames that weigh the tracked shape


@dataclass(frozen=True, eq=False)
class Track:
    """State of one person's fit: a constant-velocity model of joint rotations."""

    pose: Pose  # the latest, (1, ...)
    velocities: FloatArray  # (1, 22, 3) rad/s, each about axes of its joint
    frames: int = 1  # over which the shape was averaged

    @classmethod
    def start(cls, pose: Pose) -> Track:
        """Start a track at rest."""
        return cls(pose, np.zeros(pose.rotations.shape[:-1]))

    def followed_by(self, pose: Pose, seconds: float) -> Track:
        """Update the track with the pose `seconds` later."""
        velocities = rotvec_from_matrix(np.swapaxes(self.pose.rotations, -1, -2) @ pose.rotations) / seconds
        weight = 1 - np.exp(-seconds / _VELOCITY_WINDOW)
        return Track(pose, self.velocities + weight * (velocities - self.velocities), self.frames + 1)

    def expected(self, seconds: float) -> Pose:
        """Predict the pose `seconds` later, with exponentially decaying velocities."""
        rotvecs = self.velocities * _VELOCITY_DECAY * (1 - np.exp(-seconds / _VELOCITY_DECAY))
        return replace(self.pose, rotations=self.pose.rotations @ matrix_from_rotvec(rotvecs))


class BodyFitter:
    """Fits the rotations of the 22 body joints, translation and shape.

    Args:
        body: The body model.
        person_height: Height of the people in metres; None for an average adult.
    """

    def __init__(self, body: BodyModel, person_height: float | None = None) -> None:
        points = BodyPoints.of(body)
        self._initial = InitialPose(points)
        self.refiner = Refiner(points, PosePrior.standard(), direction_matrix())
        self._stature = MEAN_STATURE if person_height is None else person_height
        self._stature_sigma = STATURE_SIGMA if person_height is None else KNOWN_STATURE_SIGMA

    def fit(self, measured: Sequence[Measurements], tracks: Sequence[Track | None], seconds: Sequence[float]) -> Pose:
        """Fit the poses of N people.

        Args:
            measured: Measurements of each person.
            tracks: Track of each person; None for a new one.
            seconds: Time since the frame of each track; infinity if only its shape is valid. Unused without a track.
        """
        pairs = list(zip(tracks, seconds, strict=True))
        known = np.array([_predicts_pose(track, elapsed) for track, elapsed in pairs])
        expected = self._expected(measured, pairs)
        frames = np.array([0 if track is None else track.frames for track in tracks])
        interval = np.array([1.0 if track is None else max(s, 1e-3) for track, s in pairs])
        targets = Targets(
            rays=np.stack([m.rays for m in measured]),
            ray_weights=np.stack([m.ray_weights for m in measured]),
            directions=np.stack([m.directions for m in measured]),
            direction_weights=np.stack([m.direction_weights for m in measured]),
            stature=np.full(len(measured), self._stature),
            stature_weight=np.full(len(measured), 1 / self._stature_sigma),
            previous=expected,
            rotation_weight=np.where(known, 1 / (_ANGULAR_ACCELERATION * interval**2), 0.0),
            betas_weight=np.sqrt(np.minimum(frames, _SHAPE_FRAMES)),
        )
        iterations = _TRACKING_ITERATIONS if known.all() else _INITIAL_ITERATIONS
        poses, errors = self.refiner.refine(targets, expected, iterations)
        lost = np.flatnonzero(known & (errors > _LOST))
        if len(lost):
            start = self._initial_poses([measured[i] for i in lost], np.zeros((len(lost), _NUM_BETAS)))
            found, others = self.refiner.refine(targets[lost], start, _TRACKING_ITERATIONS)
            better = np.flatnonzero(others < _RESTART_GAIN * errors[lost])
            poses = poses.replaced(lost[better], found[better])
        return poses

    def _expected(self, measured: Sequence[Measurements], tracks: Sequence[tuple[Track | None, float]]) -> Pose:
        """Predicted poses of tracked people, and closed-form poses of new ones."""
        pairs = enumerate(tracks)
        poses = {i: track.expected(elapsed) for i, (track, elapsed) in pairs if _predicts_pose(track, elapsed)}
        new = [i for i in range(len(tracks)) if i not in poses]
        if new:
            shapes = [np.zeros(_NUM_BETAS) if (track := tracks[i][0]) is None else track.pose.betas[0] for i in new]
            initial = self._initial_poses([measured[i] for i in new], np.stack(shapes))
            poses |= {i: initial[k] for k, i in enumerate(new)}
        return _stacked([poses[i] for i in range(len(tracks))])

    def _initial_poses(self, measured: Sequence[Measurements], betas: FloatArray) -> Pose:
        """Closed-form poses of bodies with `betas (N, 10)`."""
        rotations = self._initial.rotations(np.stack([m.world for m in measured]))
        at_origin = Pose(rotations, np.zeros((len(measured), 3)), betas)
        rays, weights = np.stack([m.rays for m in measured]), np.stack([m.ray_weights for m in measured])
        transl = solve_translation(self.refiner.points(at_origin), rays, weights)
        return Pose(rotations, transl, betas)


def _predicts_pose(track: Track | None, seconds: float) -> TypeGuard[Track]:
    return track is not None and seconds < np.inf


def _stacked(poses: Sequence[Pose]) -> Pose:
    return Pose(*(np.concatenate([getattr(pose, name) for pose in poses]) for name in ("rotations", "transl", "betas")))
