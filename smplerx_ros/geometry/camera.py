"""Camera model of sensor_msgs/CameraInfo: projection, and rays of pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, radians, tan
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from smplerx_ros.arrays import FloatArray
from smplerx_ros.errors import InputError

from .constants import DEFAULT_FOV_DEG
from .lens import PLUMB_BOB, Lens, cached_lens, canonical

# Near plane, metres from the optical centre along the axis. Projections of nearer points are useless: a hand covers the
# lens, and pixels tend to infinity.
NEAR = 0.1
# Minimum focal length relative to the image's side; smaller values are for an image of unit size. A fisheye lens with a
# field of view of 360 degrees has 1 / (2 pi).
_MIN_FOCAL = 0.01
_NEGLIGIBLE = 1e-6  # for entries of K that must be 0, relative to the focal length, or to 1 in the third row
# Tolerance for equal rays of two cameras, about half a pixel: a calibration may be rounded.
_SAME_RAYS = 1e-3  # of components of unit vectors
_GRID = 5  # pixels per side whose rays are compared


@dataclass(frozen=True, eq=False)
class Camera:
    """Pinhole camera with lens distortion.

    Compared by identity, as all classes with arrays; `sees_like` compares projections.

    Args:
        width: Pixels.
        height: Pixels.
        k: `(3, 3)` intrinsics in pixels, of any scale; normalized to 1 in the corner.
        d: `(n,)` distortion coefficients as in CameraInfo.
        model: Distortion model as in CameraInfo, in any spelling that `lens.canonical` reads; normalized to
            `plumb_bob`, `rational_polynomial` or `equidistant`.
        calibrated: False for an assumed field of view.
        centre: `(3,)` metres, the optical centre in the frame of the points, whose axes are the camera's; non-zero for
            the right camera of a stereo pair.

    Raises:
        InputError: If a value is impossible for a camera.
    """

    width: int
    height: int
    k: FloatArray
    d: FloatArray = field(default_factory=lambda: np.zeros(0))
    model: str = PLUMB_BOB
    calibrated: bool = True
    centre: FloatArray = field(default_factory=lambda: np.zeros(3))

    def __post_init__(self) -> None:
        self._check_types()
        k: FloatArray = np.asarray(self.k, dtype=np.float64)
        centre = np.asarray(self.centre, dtype=np.float64)
        if self.width <= 0 or self.height <= 0:
            raise InputError(f"Camera: width and height must be positive, got {self.width}x{self.height}")
        if k.shape != (3, 3) or not np.isfinite(k).all():
            raise InputError(f"Camera.k must be a finite 3x3 matrix, got {k.tolist()}")
        if k[0, 0] <= 0 or k[1, 1] <= 0:
            raise InputError(f"Camera.k: focal lengths must be positive, got {k[0, 0]:g}, {k[1, 1]:g} (uncalibrated?)")
        k = _intrinsics(k, self.width, self.height)
        if centre.shape != (3,) or not np.isfinite(centre).all():
            raise InputError(f"Camera.centre must be 3 finite values, got {centre.tolist()}")
        model, d = canonical(self.model, self.d)
        for name, value in {"k": k, "d": np.array(d), "model": model, "centre": centre}.items():
            object.__setattr__(self, name, value)

    def _check_types(self) -> None:
        for name in ("width", "height"):
            size = getattr(self, name)
            if not isinstance(size, Integral) or isinstance(size, bool):
                raise InputError(f"Camera.{name} must be an integer of pixels, got {size!r:.40}")
            object.__setattr__(self, name, int(size))
        if not isinstance(self.model, str):
            raise InputError(f"Camera.model must be a string, got {type(self.model).__name__}")
        for name in ("k", "d", "centre"):
            try:
                np.asarray(getattr(self, name), dtype=np.float64)
            except (TypeError, ValueError) as error:
                raise InputError(f"Camera.{name} must be an array of numbers: {error}") from error

    @classmethod
    def from_fov(cls, width: int, height: int, fov_deg: float = DEFAULT_FOV_DEG) -> Camera:
        """Undistorted camera with an assumed field of view, for images without calibration.

        Args:
            width: Pixels.
            height: Pixels.
            fov_deg: Field of view in degrees across the longer side.
        """
        focal = 0.5 * max(width, height) / tan(0.5 * radians(fov_deg))
        k = np.array([[focal, 0, 0.5 * (width - 1)], [0, focal, 0.5 * (height - 1)], [0, 0, 1]])
        return cls(width, height, k, calibrated=False)

    @property
    def distorted(self) -> bool:
        """Whether the lens is not a pinhole; a fisheye lens distorts even with zero coefficients."""
        return len(self.d) > 0

    @property
    def limit(self) -> float:
        """Largest radius of a ray, in ray coordinates, that the camera sees; infinite for a pinhole.

        Beyond it, the lens model is not monotonic or diverges, or rays are 90 degrees from the axis.
        """
        lens = self._lens
        return inf if lens is None else lens.limit

    def normalize(self, points_image: ArrayLike) -> FloatArray:
        """Undistorted ray coordinates `(..., 2)` (x/z, y/z) of pixels `(..., 2)`.

        NaN for pixels outside the image circle, to which no ray within `limit` projects.
        """
        seen, lens = self._plane(points_image), self._lens
        return seen if lens is None else lens.undistort(seen.reshape(-1, 2)).reshape(seen.shape)

    def directions(self, points_image: ArrayLike) -> FloatArray:
        """Unit vectors `(..., 3)` along the rays of pixels `(..., 2)`; outside the image circle, those of its edge."""
        seen, rays = self._plane(points_image), self.normalize(points_image)
        if self.distorted:
            length = np.linalg.norm(seen, axis=-1, keepdims=True)
            edge = seen * (self.limit / np.maximum(length, np.finfo(float).eps))
            rays = np.where(np.isnan(rays), edge, rays)
        vectors = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))

    def project(self, points: ArrayLike) -> FloatArray:
        """Project points `(..., 3)`, in metres along the optical axes, to pixels `(..., 2)`.

        NaN for points nearer than `NEAR`, behind the camera, or beyond the lens' `limit`.
        """
        points = np.asarray(points, dtype=np.float64) - self.centre
        z = points[..., 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            rays = np.where(z >= NEAR, points[..., :2] / z, np.nan)
        return self.project_rays(rays)

    def project_rays(self, rays: ArrayLike) -> FloatArray:
        """Project ray coordinates `(..., 2)` to pixels `(..., 2)`; NaN beyond `limit`. The inverse of `normalize`."""
        seen, lens = np.asarray(rays, dtype=np.float64), self._lens
        seen = np.where(np.isfinite(seen), seen, np.nan)
        if lens is not None:
            flat = seen.reshape(-1, 2)
            within = np.einsum("ni,ni->n", flat, flat) <= lens.limit**2
            seen = np.where(within[:, None], lens.distort(flat), np.nan).reshape(seen.shape)
        return np.asarray(seen @ self.k[:2, :2].T + self.k[:2, 2])

    def sees_like(self, other: Camera) -> bool:
        """Whether both cameras have the same size, and the same rays of pixels within `_SAME_RAYS`."""
        if (self.width, self.height) != (other.width, other.height):
            return False
        if self.model == other.model and np.array_equal(self.k, other.k) and np.array_equal(self.d, other.d):
            return True
        columns, rows = (np.linspace(0, size - 1, _GRID) for size in (self.width, self.height))
        pixels = np.stack(np.meshgrid(columns, rows), axis=-1)
        return bool(np.abs(self.directions(pixels) - other.directions(pixels)).max() <= _SAME_RAYS)

    @property
    def _lens(self) -> Lens | None:
        return cached_lens(self.model, tuple(self.d.tolist()))

    def _plane(self, points_image: ArrayLike) -> FloatArray:
        """Pixels `(..., 2)` on an image plane of focal length 1."""
        offsets = np.asarray(points_image, dtype=np.float64) - self.k[:2, 2]
        y = offsets[..., 1] / self.k[1, 1]
        return np.stack([(offsets[..., 0] - self.k[0, 1] * y) / self.k[0, 0], y], axis=-1)


def _intrinsics(k: FloatArray, width: int, height: int) -> FloatArray:
    """Normalize `k (3, 3)` to fx, skew, cx; 0, fy, cy; 0, 0, 1.

    Raises:
        InputError: If it has another form, or focal lengths that are not in pixels.
    """
    corner = max(float(k[2, 2]), 0.0)
    if not (np.abs(k[2, :2]) <= _NEGLIGIBLE * corner).all() or not corner:
        raise InputError(f"Camera.k: its third row must be 0, 0, 1, or a multiple, got {k[2].tolist()}")
    if abs(k[1, 0]) > _NEGLIGIBLE * k[1, 1]:
        raise InputError(f"Camera.k: the first value of its second row must be 0, got {k[1, 0]:g}; is it transposed?")
    with np.errstate(over="ignore"):
        k = k / corner
    if not np.isfinite(k).all():
        raise InputError(f"Camera.k must be a finite 3x3 matrix with 1 in its corner, got {corner:g} there")
    if k[0, 0] < _MIN_FOCAL * width or k[1, 1] < _MIN_FOCAL * height:
        raise InputError(
            f"Camera.k: focal lengths {k[0, 0]:g}, {k[1, 1]:g} are too short for an image of {width}x{height} pixels; "
            "they must be in pixels, not in shares of the image or in millimetres"
        )
    return np.array([k[0], [0, k[1, 1], k[1, 2]], [0, 0, 1]])
