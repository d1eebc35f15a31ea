"""A calibrated camera, as CameraInfo describes it: project points and undo the lens."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import radians, tan
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

FloatArray = NDArray[np.floating[Any]]

# sensor_msgs/distortion_models.hpp; the numbers of coefficients are OpenCV's.
DISTORTION_COEFFICIENTS = {
    "": (0,),
    "plumb_bob": (0, 4, 5),
    "rational_polynomial": (0, 8, 12, 14),
    "equidistant": (0, 4),
}
# OpenCV's five fixed-point steps leave pixels in the corners of ordinary wide lenses, and more steps may diverge:
# Newton's method goes on from there.
_NEWTON_STEPS, _NEWTON_REACH, _NEWTON_SHIFT = 20, 0.3, 1e-6  # longest step and differences, ray coordinates
_NEWTON_ERROR = 1e-6  # pixels, good enough
# Without calibration: the horizontal field of view of common webcams and depth cameras' colour sensors.
DEFAULT_HORIZONTAL_FOV_DEG = 60.0


@dataclass(frozen=True)
class Camera:
    """Pinhole camera with lens distortion.

    `width`, `height` pixels; `k (3, 3)` intrinsics in pixels; `d (n,)` distortion coefficients in the order of
    CameraInfo; `model` one of `plumb_bob`, `rational_polynomial`, `equidistant`. `calibrated` is False for an
    assumed field of view. Raises InputError where a value cannot belong to a camera.
    """

    width: int
    height: int
    k: FloatArray
    d: FloatArray = field(default_factory=lambda: np.zeros(0))
    model: str = "plumb_bob"
    calibrated: bool = True

    def __post_init__(self) -> None:
        k = np.asarray(self.k, dtype=np.float64)
        d = np.asarray(self.d, dtype=np.float64).ravel()
        if self.width <= 0 or self.height <= 0:
            raise InputError(f"Camera: width and height must be positive, got {self.width}x{self.height}")
        if k.shape != (3, 3) or not np.isfinite(k).all():
            raise InputError(f"Camera.k must be a finite 3x3 matrix, got {k.tolist()}")
        if k[0, 0] <= 0 or k[1, 1] <= 0:
            raise InputError(f"Camera.k: focal lengths must be positive, got {k[0, 0]:g}, {k[1, 1]:g} (uncalibrated?)")
        if self.model not in DISTORTION_COEFFICIENTS:
            known = ", ".join(sorted(filter(None, DISTORTION_COEFFICIENTS)))
            raise InputError(f"Camera.model {self.model!r} is unknown; known distortion models: {known}")
        if len(d) not in DISTORTION_COEFFICIENTS[self.model] or not np.isfinite(d).all():
            counts = DISTORTION_COEFFICIENTS[self.model]
            raise InputError(f"Camera.d: {self.model!r} takes {counts} finite coefficients, got {d.tolist()}")
        object.__setattr__(self, "k", k)
        object.__setattr__(self, "d", d)

    @classmethod
    def from_fov(cls, width: int, height: int, horizontal_fov_deg: float = DEFAULT_HORIZONTAL_FOV_DEG) -> Camera:
        """Assumed camera without distortion for images that come without calibration."""
        focal = 0.5 * width / tan(0.5 * radians(horizontal_fov_deg))
        k = np.array([[focal, 0, 0.5 * (width - 1)], [0, focal, 0.5 * (height - 1)], [0, 0, 1]])
        return cls(width, height, k, calibrated=False)

    @property
    def distorted(self) -> bool:
        """Whether pixels are not those of a pinhole; a fisheye lens bends rays with all coefficients zero, too."""
        return bool(np.any(self.d)) or (self.model == "equidistant" and len(self.d) > 0)

    def normalize(self, points_image: ArrayLike) -> FloatArray:
        """Undistorted ray coordinates `(..., 2)` (x/z, y/z) of pixels `(..., 2)`."""
        points = np.asarray(points_image, dtype=np.float64)
        if not self.distorted:
            return np.asarray((points - self.k[:2, 2] - self._skew(points)) / self.k[[0, 1], [0, 1]])
        if not points.size:
            return points.copy()
        flat = points.reshape(-1, 1, 2)
        if self.model == "equidistant":
            out = cv2.fisheye.undistortPoints(flat, self.k, self.d)
        else:
            guess = np.asarray(cv2.undistortPoints(flat, self.k, self.d), np.float64)
            out = self._refined(guess[:, 0], flat[:, 0])
        return np.asarray(out, np.float64).reshape(points.shape)

    def project(self, points_optical: ArrayLike) -> FloatArray:
        """Pixels `(..., 2)` of points `(..., 3)` in metres, optical frame; NaN for points not in front."""
        points = np.asarray(points_optical, dtype=np.float64)
        z = points[..., 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            rays = np.where(z > 0, points[..., :2] / z, np.nan)
        return self.project_rays(rays)

    def project_rays(self, rays: ArrayLike) -> FloatArray:
        """Pixels `(..., 2)` of undistorted ray coordinates `(..., 2)`; the inverse of `normalize`."""
        xy = np.asarray(rays, dtype=np.float64)
        if not self.distorted:
            return np.asarray(xy @ self.k[:2, :2].T + self.k[:2, 2])
        if not xy.size:
            return xy.copy()
        xyz = np.concatenate([xy, np.ones((*xy.shape[:-1], 1))], axis=-1).reshape(-1, 1, 3)
        zero = np.zeros(3)
        if self.model == "equidistant":
            out = cv2.fisheye.projectPoints(xyz, zero, zero, self.k, self.d)[0]
        else:
            out = cv2.projectPoints(xyz, zero, zero, self.k, self.d)[0]
        return np.asarray(out, np.float64).reshape(xy.shape)

    def _refined(self, rays: FloatArray, pixels: FloatArray) -> FloatArray:
        """Rays `(N, 2)` that project to `pixels (N, 2)`, from a guess or, where that is worse, from the pinhole's."""
        pinhole = (pixels - self.k[:2, 2]) / self.k[[0, 1], [0, 1]]
        errors = [np.linalg.norm(self.project_rays(start) - pixels, axis=1) for start in (rays, pinhole)]
        rays = np.where((errors[0] <= errors[1])[:, None], rays, pinhole)
        shift = _NEWTON_SHIFT * np.eye(2)
        for _ in range(_NEWTON_STEPS):
            error = self.project_rays(rays) - pixels
            if not (np.abs(error) > _NEWTON_ERROR).any():
                break
            slopes = [(self.project_rays(rays + s) - self.project_rays(rays - s)) / (2 * _NEWTON_SHIFT) for s in shift]
            (a, c), (b, d) = slopes[0].T, slopes[1].T
            determinant = a * d - b * c
            determinant = np.where(np.abs(determinant) < 1e-9, 1e-9, determinant)
            steps = np.stack([d * error[:, 0] - b * error[:, 1], a * error[:, 1] - c * error[:, 0]], 1)
            steps /= determinant[:, None]
            rays = (
                rays - steps * np.minimum(1, _NEWTON_REACH / np.maximum(np.linalg.norm(steps, axis=1), 1e-12))[:, None]
            )
        return rays

    def _skew(self, points: FloatArray) -> FloatArray:
        rows = (points[..., 1] - self.k[1, 2]) / self.k[1, 1]
        return np.stack([self.k[0, 1] * rows, np.zeros_like(rows)], axis=-1)
