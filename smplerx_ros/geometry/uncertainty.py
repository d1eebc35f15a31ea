"""How well a person's place and turn are known: standard deviations, and the covariance of the pelvis.

The constants were chosen on rendered people whom `lite` estimated and are taken for all backbones;
docs/explanation/localization.md says which people, and what the constants are worth on others.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smplerx_ros.arrays import FloatArray

from .camera import Camera
from .rotations import normalized

# The fit's own error in scale, a share of the distance: 0.053 RMS with the height given, most of it a bias to too far;
# the man of `bench multiview` is nearer to 0.03.
FIT_SCALE_SIGMA = 0.045
# Of a distance measured by depth: how far the pelvis lies behind the surface that is seen, which errors of pose and
# shape change, as much at any distance (metres); a depth camera's scale (share), which data sheets bound by 1 to 2 %.
DEPTH_SIGMA, DEPTH_SCALE_SIGMA = 0.045, 0.005
# Of the pelvis in the image: as a share of the person's extent in it, and a pixel.
IMAGE_SIGMA, PIXEL_SIGMA = 0.012, 1.0
MIN_ACROSS_SIGMA = 0.01  # metres; nobody's pelvis is known better, however near they are
# Of an assumed focal length: cameras see 39 to 80 degrees across their longer side rather than the default of 60.
ASSUMED_FOCAL_SIGMA = 0.24
# Of the pelvis' turn, rad: about the ray, which outlines show well; about the body's own long axis, square to the ray,
# which they hardly show; and towards or away from the camera.
ROTATION_SIGMA_RAY, ROTATION_SIGMA_LONG_AXIS, ROTATION_SIGMA_PITCH = 0.085, 0.25, 0.175

# Of people partly outside the image: these deviations grow with the inverse of the share of the body inside, to the
# power (pelvis inside, pelvis outside).
FIT_GROWTH, DEPTH_GROWTH, ACROSS_GROWTH, ROTATION_GROWTH = (2, 3), (0, 1), (0, 3), (0, 1)
MIN_SHARE = 0.3  # nobody of whom less is inside was looked at; less counts as this

UNKNOWN_VARIANCE = 1e6  # m^2 or rad^2, as Person.msg has it: far above what any pose has

_MAX_RAY = 100.0  # x/z of a pelvis beside the camera, or behind it
_HALF_PIXELS = 0.5 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
_UNIT = np.eye(3)


@dataclass(frozen=True)
class InImage:
    """How much of a person is in the image: the `share` of the 22 body joints, and whether the `pelvis` is."""

    share: float = 1.0
    pelvis: bool = True

    @classmethod
    def of(cls, joints: NDArray[np.bool_]) -> InImage:
        """Of the body `joints (22,)`, pelvis first: which are in the image."""
        return cls(float(joints.mean()), bool(joints[0]))

    def growth(self, powers: tuple[int, int]) -> float:
        """Factor on a standard deviation; 1 where all is inside. See FIT_GROWTH."""
        inside, outside = powers
        return float(max(self.share, MIN_SHARE) ** -(inside if self.pelvis else outside))


WHOLE = InImage()


def sigma_along(distance: float, stature: float, stature_sigma: float, inside: InImage = WHOLE) -> float:
    """Metres along the ray: a distance from the size in the image is as uncertain as `stature` (m) and fit."""
    return distance * hypot(stature_sigma / stature, FIT_SCALE_SIGMA * inside.growth(FIT_GROWTH))


def sigma_along_measured(distance: float, inside: InImage = WHOLE) -> float:
    """Metres along the ray where a depth image measured the distance."""
    return hypot(DEPTH_SIGMA * inside.growth(DEPTH_GROWTH), DEPTH_SCALE_SIGMA * distance)


def sigma_across(pelvis: ArrayLike, camera: Camera, person_pixels: float, inside: InImage = WHOLE) -> float:
    """Metres across the ray to `pelvis (3,)` of a person whose longer side, in the image or not, is `person_pixels`."""
    pixels = hypot(IMAGE_SIGMA * person_pixels, PIXEL_SIGMA) * inside.growth(ACROSS_GROWTH)
    return max(pixels * _metres_per_pixel(np.asarray(pelvis, np.float64), camera), MIN_ACROSS_SIGMA)


def focal_sigma(pelvis: ArrayLike, camera: Camera, *, measured: bool) -> FloatArray:
    """`(3,)` metres: how a focal length wrong by one standard deviation moves a `pelvis (3,)`; zero of a known one.

    Sizes in the image fix x and y, and the focal length z; a measured distance fixes z, and the focal length x and y.
    """
    sigma = 0.0 if camera.calibrated else ASSUMED_FOCAL_SIGMA
    moved = (1, 1, 0) if measured else (0, 0, 1)
    return np.asarray(sigma * np.multiply(moved, np.asarray(pelvis, np.float64)))


def position_covariance(pelvis: ArrayLike, along: float, across: float, lens: ArrayLike) -> FloatArray:
    """`(3, 3)` m^2 of a pelvis `(3,)` in the optical frame.

    Standard deviations in metres: `along` the ray from the camera, `across` it; and `lens (3,)` of `focal_sigma`.
    """
    point, moved = np.asarray(pelvis, np.float64), np.asarray(lens, np.float64)
    toward = point[:, None] * point / (point @ point)
    return np.asarray(across**2 * _UNIT + (along**2 - across**2) * toward + moved[:, None] * moved)


def rotation_covariance(pelvis: ArrayLike, long_axis: ArrayLike, inside: InImage = WHOLE) -> FloatArray:
    """`(3, 3)` rad^2 about the axes of the optical frame, of a body at `pelvis (3,)` with its `long_axis (3,)` upwards.

    Where it points at the camera, both axes square to the ray are as uncertain as the worse one.
    """
    ray = normalized(pelvis)
    square = _UNIT - ray[:, None] * ray
    own = normalized(long_axis) @ square  # shorter than one where it points towards or away from the camera
    less = ROTATION_SIGMA_LONG_AXIS**2 - ROTATION_SIGMA_PITCH**2
    side = np.cross(ray, own)
    whole = (
        ROTATION_SIGMA_RAY**2 * ray[:, None] * ray + ROTATION_SIGMA_LONG_AXIS**2 * square - less * side[:, None] * side
    )
    return np.asarray(inside.growth(ROTATION_GROWTH) ** 2 * whole)


def pose_covariance(place: FloatArray, turn: FloatArray) -> FloatArray:
    """`(6, 6)` of x, y, z (m) and rotation (rad), of both `(3, 3)`; their errors are taken as independent."""
    covariance = np.zeros((6, 6))
    covariance[:3, :3], covariance[3:, 3:] = place, turn
    return covariance


def with_unknown_as_large(covariance: FloatArray) -> FloatArray:
    """`covariance (6, 6)`, finite: a pose of which anything is not known has UNKNOWN_VARIANCE in that block's diagonal.

    Zeros would be certainty to a Kalman filter, and NaN would spoil its state.
    """
    if isfinite(covariance.sum()):  # quicker than asking for each entry
        return np.asarray(covariance, np.float64)
    known = np.array(covariance, np.float64)
    for block in (slice(3), slice(3, 6)):
        if not np.isfinite(known[block, block]).all():
            known[block], known[:, block] = 0, 0
            known[block, block] = UNKNOWN_VARIANCE * _UNIT
    known[~np.isfinite(known)] = 0  # between place and turn
    return known


def _metres_per_pixel(pelvis: FloatArray, camera: Camera) -> float:
    """How far a `pelvis (3,)`, from the optical centre, moves across its ray with a pixel, the way it moves most.

    Outside the image, or without a pixel (beside the camera, behind it, beyond what the lens sees), it is taken to be
    at the image's edge.
    """
    aside, reach = hypot(pelvis[0], pelvis[1]), min(0.999 * camera.limit, _MAX_RAY)
    ray = pelvis[:2] / max(float(pelvis[2]), aside / reach, np.finfo(float).tiny)
    pixel = camera.project_rays(ray).clip(0, [camera.width - 1, camera.height - 1])
    right, left, below, above = camera.directions(pixel + _HALF_PIXELS)
    return float(np.linalg.norm(pelvis) * np.linalg.norm([right - left, below - above], 2))
