"""How well a person's place is known: standard deviations along and across the ray, and their covariance."""

from __future__ import annotations

from math import hypot
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .camera import Camera

FloatArray = NDArray[np.floating[Any]]

# The fit's own error in scale: with the height given, `lite` has mean errors of 2.5 % of the distance on a real person
# (`bench multiview`) and 3.8 % on rendered ones (benchmarks/rendered_lite.py). Taken for all backbones.
FIT_SCALE_SIGMA = 0.04
# Of a distance measured by depth: noise and the wearer's clothes (metres), and the camera's scale (share).
DEPTH_SIGMA, DEPTH_SCALE_SIGMA = 0.02, 0.01
# Of the pelvis in the image: what `lite` expects of a hip, as a share of the person's height in it, and a pixel.
IMAGE_SIGMA, PIXEL_SIGMA = 0.01, 1.0
# Of an assumed focal length: cameras have horizontal fields of view of 45 to 80 degrees rather than the default of 60.
ASSUMED_FOCAL_SIGMA = 0.3

_UNIT = np.eye(3)


def sigma_along(distance: float, camera: Camera, stature: float, stature_sigma: float) -> float:
    """Metres along the ray: a distance from the size in the image is as uncertain as `stature` (m), fit and lens."""
    return distance * hypot(stature_sigma / stature, FIT_SCALE_SIGMA, _focal_sigma(camera))


def sigma_along_measured(distance: float) -> float:
    """Metres along the ray where a depth image measured the distance."""
    return DEPTH_SIGMA + DEPTH_SCALE_SIGMA * distance


def sigma_across(pelvis: ArrayLike, camera: Camera, person_pixels: float) -> float:
    """Metres across the ray to `pelvis (3,)`, of a person `person_pixels` high in the image."""
    x, y, z = np.asarray(pelvis, np.float64).tolist()
    focal = float(camera.k[0, 0] * camera.k[1, 1]) ** 0.5
    pixels = hypot(IMAGE_SIGMA * person_pixels, PIXEL_SIGMA)
    return hypot(pixels * z / focal, _focal_sigma(camera) * hypot(x, y))


def pelvis_covariance(pelvis: ArrayLike, along: float, across: float) -> FloatArray:
    """`(6, 6)` of x, y, z (m) and rotation (rad) of a pelvis `(3,)` in the optical frame; the rotation is NaN.

    Standard deviations in metres: `along` the ray from the camera, `across` it.
    """
    point = np.asarray(pelvis, np.float64)
    toward = point[:, None] * point / (point @ point)
    covariance = np.full((6, 6), np.nan)
    covariance[:3, :3] = across**2 * _UNIT + (along**2 - across**2) * toward
    return covariance


def _focal_sigma(camera: Camera) -> float:
    return 0.0 if camera.calibrated else ASSUMED_FOCAL_SIGMA
