"""Uncertainty of a person's position and orientation: standard deviations, and the covariance of the pelvis pose.

The constants were fitted to estimates of `lite` on rendered people, and are used for all backbones;
docs/explanation/localization.md describes these people, and how well the constants fit others.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smplerx_ros.arrays import FloatArray

from .camera import Camera
from .rotations import normalized

# Scale error of the fit relative to the distance: 0.053 RMS with a given height, mostly a bias to larger distances;
# about 0.03 in `bench multiview`.
FIT_SCALE_SIGMA = 0.045
# Of a distance measured by depth: the pelvis' depth behind the visible surface, by errors of pose and shape (metres);
# and the depth camera's scale error (relative), which data sheets bound by 1 to 2 %.
DEPTH_SIGMA, DEPTH_SCALE_SIGMA = 0.045, 0.005
# Of the pelvis in the image: relative to the person's extent, and in pixels.
IMAGE_SIGMA, PIXEL_SIGMA = 0.012, 1.0
MIN_ACROSS_SIGMA = 0.01  # metres; lower bound at short distances
# Relative, of an assumed focal length: fields of view are 39 to 80 degrees instead of the default 60.
ASSUMED_FOCAL_SIGMA = 0.24
# Of the pelvis' orientation, rad: about the ray, well visible in the outline; about the body's long axis, orthogonal to
# the ray, hardly visible; and about the third axis, towards or away from the camera.
ROTATION_SIGMA_RAY, ROTATION_SIGMA_LONG_AXIS, ROTATION_SIGMA_PITCH = 0.085, 0.25, 0.175

# For people partly outside the image: exponents (pelvis inside, pelvis outside) with which the deviations grow with the
# inverse of the share of the body inside.
FIT_GROWTH, DEPTH_GROWTH, ACROSS_GROWTH, ROTATION_GROWTH = (2, 3), (0, 1), (0, 3), (0, 1)
MIN_SHARE = 0.3  # smaller shares count as this one, below which nothing was measured

UNKNOWN_VARIANCE = 1e6  # m^2 or rad^2, as documented in Person.msg

_MAX_RAY = 100.0  # x/z, for a pelvis beside or behind the camera
_HALF_PIXELS = 0.5 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
_UNIT = np.eye(3)


@dataclass(frozen=True)
class InImage:
    """Visibility of a person: the `share` of the 22 body joints inside the image, and whether the `pelvis` is."""

    share: float = 1.0
    pelvis: bool = True

    @classmethod
    def of(cls, joints: NDArray[np.bool_]) -> InImage:
        """From the flags of the 22 body joints, pelvis first: `joints (22,)`."""
        return cls(float(joints.mean()), bool(joints[0]))

    def growth(self, powers: tuple[int, int]) -> float:
        """Factor on a standard deviation, 1 if all joints are inside; `powers` are such as FIT_GROWTH."""
        inside, outside = powers
        return float(max(self.share, MIN_SHARE) ** -(inside if self.pelvis else outside))


WHOLE = InImage()


def sigma_along(distance: float, stature: float, stature_sigma: float, inside: InImage = WHOLE) -> float:
    """Standard deviation along the ray, in metres, of a distance from the size in the image and a `stature` (m)."""
    return distance * hypot(stature_sigma / stature, FIT_SCALE_SIGMA * inside.growth(FIT_GROWTH))


def sigma_along_measured(distance: float, inside: InImage = WHOLE) -> float:
    """Standard deviation along the ray, in metres, of a distance measured in a depth image."""
    return hypot(DEPTH_SIGMA * inside.growth(DEPTH_GROWTH), DEPTH_SCALE_SIGMA * distance)


def sigma_across(pelvis: ArrayLike, camera: Camera, person_pixels: float, inside: InImage = WHOLE) -> float:
    """Standard deviation across the ray to `pelvis (3,)`, in metres, of a person `person_pixels` long in the image."""
    pixels = hypot(IMAGE_SIGMA * person_pixels, PIXEL_SIGMA) * inside.growth(ACROSS_GROWTH)
    return max(pixels * _metres_per_pixel(np.asarray(pelvis, np.float64), camera), MIN_ACROSS_SIGMA)


def focal_sigma(pelvis: ArrayLike, camera: Camera, *, measured: bool) -> FloatArray:
    """Displacement `(3,)`, in metres, of `pelvis (3,)` by an error of one sigma of the focal length; 0 if calibrated.

    The error scales z if the distance follows from the size in the image, and x and y if it is `measured`.
    """
    sigma = 0.0 if camera.calibrated else ASSUMED_FOCAL_SIGMA
    moved = (1, 1, 0) if measured else (0, 0, 1)
    return np.asarray(sigma * np.multiply(moved, np.asarray(pelvis, np.float64)))


def position_covariance(pelvis: ArrayLike, along: float, across: float, lens: ArrayLike) -> FloatArray:
    """Covariance `(3, 3)`, m^2, of the position of a `pelvis (3,)` in the optical frame.

    Args:
        pelvis: `(3,)` metres.
        along: Standard deviation along the ray, metres.
        across: Standard deviation across the ray, metres.
        lens: `(3,)` metres, of `focal_sigma`.
    """
    point, moved = np.asarray(pelvis, np.float64), np.asarray(lens, np.float64)
    toward = point[:, None] * point / (point @ point)
    return np.asarray(across**2 * _UNIT + (along**2 - across**2) * toward + moved[:, None] * moved)


def rotation_covariance(pelvis: ArrayLike, long_axis: ArrayLike, inside: InImage = WHOLE) -> FloatArray:
    """Covariance `(3, 3)`, rad^2, of the rotation about the optical axes of a body at `pelvis (3,)`.

    `long_axis (3,)` points up the body. If it points at the camera, rotations about all axes orthogonal to the ray are
    as uncertain as about the long axis.
    """
    ray = normalized(pelvis)
    orthogonal = _UNIT - ray[:, None] * ray
    own = normalized(long_axis) @ orthogonal  # shorter than 1 if it is not orthogonal to the ray
    reduction = ROTATION_SIGMA_LONG_AXIS**2 - ROTATION_SIGMA_PITCH**2
    side = np.cross(ray, own)
    whole = (
        ROTATION_SIGMA_RAY**2 * ray[:, None] * ray
        + ROTATION_SIGMA_LONG_AXIS**2 * orthogonal
        - reduction * side[:, None] * side
    )
    return np.asarray(inside.growth(ROTATION_GROWTH) ** 2 * whole)


def pose_covariance(position: FloatArray, rotation: FloatArray) -> FloatArray:
    """Covariance `(6, 6)` of x, y, z (m) and rotations (rad) from both blocks `(3, 3)`, assumed independent."""
    covariance = np.zeros((6, 6))
    covariance[:3, :3], covariance[3:, 3:] = position, rotation
    return covariance


def with_unknown_as_large(covariance: FloatArray) -> FloatArray:
    """A finite `covariance (6, 6)`: blocks with NaN get UNKNOWN_VARIANCE on their diagonal.

    A Kalman filter would take zeros for certainty, and NaN would spread through its state.
    """
    if isfinite(covariance.sum()):  # faster than a test of each entry
        return np.asarray(covariance, np.float64)
    known = np.array(covariance, np.float64)
    for block in (slice(3), slice(3, 6)):
        if not np.isfinite(known[block, block]).all():
            known[block], known[:, block] = 0, 0
            known[block, block] = UNKNOWN_VARIANCE * _UNIT
    known[~np.isfinite(known)] = 0  # between position and rotation
    return known


def _metres_per_pixel(pelvis: FloatArray, camera: Camera) -> float:
    """Largest displacement of a `pelvis (3,)`, relative to the optical centre, across its ray per pixel.

    A pelvis without a pixel in the image (outside, beside or behind the camera, beyond the lens' limit) is treated as
    if it were at the image's edge.
    """
    radius, reach = hypot(pelvis[0], pelvis[1]), min(0.999 * camera.limit, _MAX_RAY)
    ray = pelvis[:2] / max(float(pelvis[2]), radius / reach, np.finfo(float).tiny)
    pixel = camera.project_rays(ray).clip(0, [camera.width - 1, camera.height - 1])
    right, left, below, above = camera.directions(pixel + _HALF_PIXELS)
    return float(np.linalg.norm(pelvis) * np.linalg.norm([right - left, below - above], 2))
