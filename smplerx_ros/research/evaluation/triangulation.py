"""Triangulation of points seen by several calibrated cameras, and refinement of their calibration.

Shapes: C cameras, T frames, K points. `rays (C, T, K, 2)` are undistorted normalized image coordinates (x/z, y/z),
`weights (C, T, K)` their weights. The world frame is that of the calibration, in metres.
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

_CAUCHY_SCALE = 10.0  # pixels; landmarks of a moving person have a standard deviation of about 5
_ITERATIONS = 10
_MIN_DEPTH = 0.1  # metres, bounds the weight of points close to a camera

# Priors of `refine_views`.
_ROTATION_SIGMA = np.radians(0.5)
_DELAY_SIGMA = 0.5  # frames
_LANDMARK_SIGMA = 5.0  # pixels
_HUBER_SCALE = 1.5  # of the pseudo-Huber cost, in units of _LANDMARK_SIGMA
_EFFECTIVE_FRAMES = 30  # landmark errors in consecutive frames are correlated: a clip counts as this many frames


@dataclass(frozen=True, eq=False)
class View:
    """A camera with its pose in the world."""

    camera: Camera
    optical_from_world: FloatArray  # (3, 3) rotation
    position: FloatArray  # (3,) metres, world frame
    delay: float = 0.0  # frames; image i was taken at time i + delay of the common clock

    @property
    def focal(self) -> float:
        """Focal length in pixels, geometric mean of both axes."""
        return float(np.sqrt(self.camera.k[0, 0] * self.camera.k[1, 1]))

    def to_optical(self, points_world: FloatArray) -> FloatArray:
        """Transform points `(..., 3)` from the world frame to the camera's optical frame."""
        return np.asarray((points_world - self.position) @ self.optical_from_world.T)


def triangulate(views: Sequence[View], rays: FloatArray, weights: FloatArray) -> FloatArray:
    """Triangulate points by iteratively reweighted linear least squares with Cauchy weights.

    Args:
        views: The C cameras.
        rays: `(C, ..., 2)`.
        weights: `(C, ...)`. At least two must be positive per point; otherwise the result is meaningless.

    Returns:
        Points `(..., 3)` in the world frame.
    """
    points = _linear(views, rays, weights)
    for _ in range(_ITERATIONS):
        errors = np.linalg.norm(reprojection_errors(views, rays, points), axis=-1)
        depths = np.stack([view.to_optical(points)[..., 2] for view in views])
        weight = weights / np.maximum(depths, _MIN_DEPTH) / np.sqrt(1 + (errors / _CAUCHY_SCALE) ** 2)
        points = _linear(views, rays, weight)
    return points


def reprojection_errors(views: Sequence[View], rays: FloatArray, points_world: FloatArray) -> FloatArray:
    """Return the errors `(C, ..., 2)`, pixels of the undistorted images, of projected points against `rays`."""
    seen = np.stack([view.to_optical(points_world) for view in views])
    focal = np.array([view.focal for view in views]).reshape(-1, *[1] * (rays.ndim - 1))
    return np.asarray((seen[..., :2] / seen[..., 2:] - rays) * focal)


def resample_to_common_clock(views: Sequence[View], rays: FloatArray) -> FloatArray:
    """Interpolate `rays (C, T, K, 2)` at the times 0 .. T - 1 of the common clock, constant beyond the ends."""
    frames = np.arange(rays.shape[1])
    moved = [
        CubicSpline(frames, ray, axis=0)(np.clip(frames - view.delay, 0, frames[-1])) if view.delay else ray
        for view, ray in zip(views, rays, strict=True)
    ]
    return np.stack(moved)


def refine_views(views: Sequence[View], rays: FloatArray, weights: FloatArray) -> list[View]:
    """Refine the rotations and delays of the views by minimizing the reprojection error (bundle adjustment).

    Maximum a posteriori estimate with a pseudo-Huber cost of the reprojection errors and Gaussian priors on the
    corrections. Positions are kept, and the mean correction of the delays is 0.

    Args:
        views: The C cameras.
        rays: `(C, T, K, 2)`.
        weights: `(C, T, K)`.
    """
    count = len(views)
    observations = min(_EFFECTIVE_FRAMES, rays.shape[1]) / rays.shape[1]

    def corrected(corrections: FloatArray) -> list[View]:
        rotations = Rotation.from_rotvec(corrections[: 3 * count].reshape(count, 3)).as_matrix()
        delays = corrections[3 * count :] - corrections[3 * count :].mean()
        return [
            replace(view, optical_from_world=rotation @ view.optical_from_world, delay=view.delay + delay)
            for view, rotation, delay in zip(views, rotations, delays, strict=True)
        ]

    def residuals(corrections: FloatArray) -> FloatArray:
        trial = corrected(corrections)
        resampled = resample_to_common_clock(trial, rays)
        errors = reprojection_errors(trial, resampled, triangulate(trial, resampled, weights)) / _LANDMARK_SIGMA
        size = np.linalg.norm(errors, axis=-1)
        # The square root of the pseudo-Huber cost as a factor on the errors.
        factor = _HUBER_SCALE * np.sqrt(2 * (np.sqrt(1 + (size / _HUBER_SCALE) ** 2) - 1)) / np.maximum(size, 1e-9)
        data = errors * (factor * np.sqrt(weights * observations))[..., None]
        prior = corrections / np.repeat([_ROTATION_SIGMA, _DELAY_SIGMA], [3 * count, count])
        return np.concatenate([data.ravel(), prior])

    return corrected(least_squares(residuals, np.zeros(4 * count)).x)


def _linear(views: Sequence[View], rays: FloatArray, weights: FloatArray) -> FloatArray:
    """Triangulate by weighted linear least squares (two plane equations per ray)."""
    normal = np.zeros((*rays.shape[1:-1], 3, 3))
    right = np.zeros((*rays.shape[1:-1], 3))
    for view, ray, weight in zip(views, rays, weights, strict=True):
        x, y, z = view.optical_from_world
        for row in (x - ray[..., :1] * z, y - ray[..., 1:] * z):
            weighted = row * (weight**2)[..., None]
            normal += weighted[..., :, None] * row[..., None, :]
            right += weighted * (row @ view.position)[..., None]
    return np.asarray(np.linalg.solve(normal + 1e-12 * np.eye(3), right[..., None])[..., 0])
