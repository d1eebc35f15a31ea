"""Points in space from several calibrated cameras, and the small corrections that their calibration wants.

Arrays over cameras come first: `rays (C, T, K, 2)` are undistorted ray coordinates (x/z, y/z) of K points in T frames,
`weights (C, T, K)` how much each counts. World coordinates are those of the calibration, metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.camera import Camera

_OUTLIER = 10.0  # pixels, scale of Cauchy's weight: landmarks of a moving person scatter by about 5
_ITERATIONS = 10
_NEAR = 0.1  # metres; no weight grows further for points nearer to a camera

# Spreads of the corrections that `refine_views` may find, and of landmarks around them.
_ROTATION_SIGMA = np.radians(0.5)
_DELAY_SIGMA = 0.5  # frames
_LANDMARK_SIGMA, _LANDMARK_SCALE = 5.0, 1.5  # pixels; scale of the robust cost in units of the first
_INDEPENDENT_FRAMES = 30  # a clip counts as so many: landmarks err alike in frames close in time


@dataclass(frozen=True, eq=False)
class View:
    """A camera in the world: `optical_from_world (3, 3)` rotation, `position (3,)` metres.

    `delay` in frames: picture i was taken at the time i + delay of the common clock.
    """

    camera: Camera
    optical_from_world: FloatArray
    position: FloatArray
    delay: float = 0.0

    @property
    def focal(self) -> float:
        """Pixels per unit of ray coordinate, mean of both directions."""
        return float(np.sqrt(self.camera.k[0, 0] * self.camera.k[1, 1]))

    def to_optical(self, points_world: FloatArray) -> FloatArray:
        """Points `(..., 3)` of the world in the camera's optical frame."""
        return np.asarray((points_world - self.position) @ self.optical_from_world.T)


def triangulate(views: Sequence[View], rays: FloatArray, weights: FloatArray) -> FloatArray:
    """World points `(..., 3)` nearest to `rays (C, ..., 2)` in the images: linear, reweighted (Cauchy).

    Two cameras with positive weights are needed; where there are fewer the answer is meaningless.
    """
    points = _linear(views, rays, weights)
    for _ in range(_ITERATIONS):
        errors = np.linalg.norm(reprojection_errors(views, rays, points), axis=-1)
        depths = np.stack([view.to_optical(points)[..., 2] for view in views])
        points = _linear(views, rays, weights / np.maximum(depths, _NEAR) / np.sqrt(1 + (errors / _OUTLIER) ** 2))
    return points


def reprojection_errors(views: Sequence[View], rays: FloatArray, points_world: FloatArray) -> FloatArray:
    """`(C, ..., 2)` pixels (of the undistorted image) from rays `(C, ..., 2)` to the projected points `(..., 3)`."""
    seen = np.stack([view.to_optical(points_world) for view in views])
    focal = np.array([view.focal for view in views]).reshape(-1, *[1] * (rays.ndim - 1))
    return np.asarray((seen[..., :2] / seen[..., 2:] - rays) * focal)


def resample_to_common_clock(views: Sequence[View], rays: FloatArray) -> FloatArray:
    """`rays (C, T, K, 2)` as they would be if all cameras looked at the times 0 .. T - 1; ends are held."""
    frames = np.arange(rays.shape[1])
    moved = [
        CubicSpline(frames, ray, axis=0)(np.clip(frames - view.delay, 0, frames[-1])) if view.delay else ray
        for view, ray in zip(views, rays, strict=True)
    ]
    return np.stack(moved)


def refine_views(views: Sequence[View], rays: FloatArray, weights: FloatArray) -> list[View]:
    """The views with rotations and delays (their mean 0) that make the rays meet best; positions are believed.

    Maximum a posteriori with robust errors: what a wrong landmark asks for is weighed against what a calibration can be
    wrong by.
    """
    count = len(views)
    observations = min(_INDEPENDENT_FRAMES, rays.shape[1]) / rays.shape[1]

    def moved(unknowns: FloatArray) -> list[View]:
        turns = Rotation.from_rotvec(unknowns[: 3 * count].reshape(count, 3)).as_matrix()
        delays = unknowns[3 * count :] - unknowns[3 * count :].mean()
        return [
            replace(view, optical_from_world=turn @ view.optical_from_world, delay=view.delay + delay)
            for view, turn, delay in zip(views, turns, delays, strict=True)
        ]

    def residuals(unknowns: FloatArray) -> FloatArray:
        trial = moved(unknowns)
        now = resample_to_common_clock(trial, rays)
        errors = reprojection_errors(trial, now, triangulate(trial, now, weights)) / _LANDMARK_SIGMA
        size = np.linalg.norm(errors, axis=-1)
        # The pseudo-Huber cost as a factor on the errors.
        factor = (
            _LANDMARK_SCALE * np.sqrt(2 * (np.sqrt(1 + (size / _LANDMARK_SCALE) ** 2) - 1)) / np.maximum(size, 1e-9)
        )
        data = errors * (factor * np.sqrt(weights * observations))[..., None]
        prior = unknowns / np.repeat([_ROTATION_SIGMA, _DELAY_SIGMA], [3 * count, count])
        return np.concatenate([data.ravel(), prior])

    return moved(least_squares(residuals, np.zeros(4 * count)).x)


def _linear(views: Sequence[View], rays: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted linear least squares: two planes through each ray must hold the point."""
    normal = np.zeros((*rays.shape[1:-1], 3, 3))
    right = np.zeros((*rays.shape[1:-1], 3))
    for view, ray, weight in zip(views, rays, weights, strict=True):
        x, y, z = view.optical_from_world
        for row in (x - ray[..., :1] * z, y - ray[..., 1:] * z):
            weighted = row * (weight**2)[..., None]
            normal += weighted[..., :, None] * row[..., None, :]
            right += weighted * (row @ view.position)[..., None]
    return np.asarray(np.linalg.solve(normal + 1e-12 * np.eye(3), right[..., None])[..., 0])
