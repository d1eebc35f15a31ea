"""Lens models of CameraInfo: names and coefficients, distortion and its inverse, and the limit of validity.

Rays are `(x/z, y/z)`; distorted ones are points on an image plane of focal length 1. The formulas are OpenCV's
(calib3d: plumb_bob and rational_polynomial with thin prism and tilt; fisheye: equidistant). Most polynomials are not
monotonic, and would project rays from far outside the field of view into the image: rays beyond `Lens.limit` are not
seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import atan, inf, radians, tan

import cv2
import numpy as np
from numpy.typing import ArrayLike

from smplerx_ros.arrays import FloatArray
from smplerx_ros.errors import InputError

# sensor_msgs/distortion_models.hpp
PLUMB_BOB, RATIONAL, EQUIDISTANT = "plumb_bob", "rational_polynomial", "equidistant"
# Other spellings in calibration files and drivers, in lower case, letters and digits only.
_NAMES = {
    PLUMB_BOB: ("plumbbob", "radtan", "radialtangential", "brown", "brownconrady", "opencv"),
    RATIONAL: ("rationalpolynomial", "rational", "rationalpoly", "fullopencv"),
    EQUIDISTANT: (
        *("equidistant", "equidist", "equi", "fisheye", "opencvfisheye"),
        *("kannalabrandt", "kannalabrandt4", "kannalabrandt8", "kb", "kb4", "kb8"),
    ),
    "": ("", "none", "nodistortion", "undistorted", "pinhole", "perspective", "rectilinear"),
}
_MODELS = {name: model for model, names in _NAMES.items() for name in names}
# Numbers of coefficients that OpenCV accepts. More than 5 mean the rational model, whatever its name.
_OPENCV_COUNTS, _FISHEYE_COUNTS = (0, 4, 5, 8, 12, 14), (0, 4)
_MIN_COEFFICIENTS, _MAX_PLUMB_BOB = 4, 5
_MAX_SHOWN = 16  # coefficients in an error message
_RADIAL = np.array([True, True, False, False, True, True, True, True, *[False] * 6])  # of OpenCV's 14

# Rays are less than 90 degrees from the axis, and polynomials are not fitted where they diverge.
_MAX_ANGLE, _MAX_RADIUS = radians(89.9), 100.0  # radians, focal lengths
_ANGLES, _DIRECTIONS, _BISECTIONS = 256, 16, 40  # of the search for the limit
_ANGLE_STEP = 1e-5  # rad, of finite differences
# Newton's method: maximum steps, longest step (rad), finite differences (rad), and tolerance (focal lengths).
_NEWTON_STEPS, _NEWTON_REACH, _NEWTON_SHIFT, _NEWTON_ERROR = 30, 0.1, 1e-7, 1e-10
_SOLVED = 1e-6  # focal lengths; about a thousandth of a pixel


def is_fisheye(model: str) -> bool:
    """Whether the model of that name is a fisheye, which distorts even with zero coefficients."""
    return _model_of(model) == EQUIDISTANT


def canonical(model: str, coefficients: ArrayLike) -> tuple[str, tuple[float, ...]]:
    """Normalize a model's name to sensor_msgs', and its coefficients to a number that OpenCV accepts.

    Args:
        model: The name, possibly in another spelling (`Plumb_Bob`, `radtan`, `kannala_brandt`); if it is empty, the
            number of coefficients decides, as in OpenCV.
        coefficients: Distortion coefficients, possibly padded with zeros.

    Returns:
        Name and coefficients; `plumb_bob` without coefficients for a pinhole.

    Raises:
        InputError: If the name is unknown, the number of coefficients not OpenCV's, or a value not finite.
    """
    values: FloatArray = np.asarray(coefficients, np.float64).ravel()
    known = _model_of(model)
    if known == EQUIDISTANT and not len(values):  # as in OpenCV
        values = np.zeros(max(_FISHEYE_COUNTS))
    if known is None:
        names = ", ".join((PLUMB_BOB, RATIONAL, EQUIDISTANT))
        raise InputError(f"Camera.model {model!r} is unknown; known distortion models: {names}")
    counts = _FISHEYE_COUNTS if known == EQUIDISTANT else _OPENCV_COUNTS
    used = int(max(np.flatnonzero(values), default=-1)) + 1
    fitting = [count for count in counts if max(used, min(len(values), _MIN_COEFFICIENTS)) <= count <= len(values)]
    if not fitting or not np.isfinite(values).all():
        shown = f"{len(values)}: {values[:_MAX_SHOWN].tolist()}"
        raise InputError(f"Camera.d: {model!r} takes {counts} finite coefficients, got {shown}")
    values = values[: max(fitting)]
    if known == EQUIDISTANT:  # distorts with zero coefficients, too
        return known, tuple(values.tolist())
    if not used:
        return PLUMB_BOB, ()
    if model.strip() and not known:
        raise InputError(f"Camera.model {model!r} bends nothing, but Camera.d has coefficients: {values.tolist()}")
    if known != RATIONAL:
        known, values = (PLUMB_BOB, values[:_MAX_PLUMB_BOB]) if used <= _MAX_PLUMB_BOB else (RATIONAL, values)
    return known, tuple(values.tolist())


@dataclass(frozen=True)
class Lens:
    """A lens model with canonical coefficients, in ray coordinates."""

    model: str
    coefficients: tuple[float, ...]

    def distort(self, rays: FloatArray) -> FloatArray:
        """Distort `rays (N, 2)` to `(N, 2)`, by the formulas alone, within the limit or not."""
        if not len(rays):
            return rays.copy()
        points = np.concatenate([rays, np.ones((len(rays), 1))], axis=1)[:, None]
        project = cv2.fisheye.projectPoints if self.model == EQUIDISTANT else cv2.projectPoints
        return np.asarray(project(points, _NONE, _NONE, _UNIT, np.array(self.coefficients))[0], np.float64)[:, 0]

    def undistort(self, seen: FloatArray) -> FloatArray:
        """The rays `(N, 2)` within the limit whose distortion is `seen (N, 2)`; NaN if there is none."""
        polar = self._guess(seen)
        error, step = self._newton(polar, seen)
        share = np.ones(len(seen))  # of the step; reduced where a full one overshoots
        for _ in range(_NEWTON_STEPS):
            todo = np.flatnonzero(error > _NEWTON_ERROR)  # False for NaN
            if not len(todo):
                break
            moved = polar[todo] + share[todo, None] * step[todo]
            # At most half of the way to the limit, where the Jacobian is singular.
            most = (np.linalg.norm(polar[todo], axis=1) + self.max_angle) / 2
            moved *= np.minimum(1, most / np.maximum(np.linalg.norm(moved, axis=1), _TINY))[:, None]
            there, onward = self._newton(moved, seen[todo])
            better = there < error[todo]
            share[todo] = np.where(better, 1, share[todo] / 2)
            kept = todo[better]
            polar[kept], error[kept], step[kept] = moved[better], there[better], onward[better]
        return np.where((error <= _SOLVED)[:, None], _rays(polar), np.nan)

    @cached_property
    def max_angle(self) -> float:
        """Largest angle from the axis, in radians, up to which the distortion is injective."""
        max_angle = min(_MAX_ANGLE, atan(self._pole()))
        angles = np.linspace(0, max_angle, _ANGLES + 1)[1:]
        folded = np.flatnonzero(~(self._jacobian(angles) > 0))
        if not len(folded):
            return max_angle
        high: float = angles[folded[0]]
        low = high - angles[0]
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._jacobian(np.array([middle]))[0] > 0 else (low, middle)
        return float(low)

    @cached_property
    def limit(self) -> float:
        """`max_angle` as a radius in ray coordinates."""
        return tan(self.max_angle)

    def _pole(self) -> float:
        """Smallest radius at which the rational model divides by zero; infinite for other models."""
        if len(self.coefficients) <= _MAX_PLUMB_BOB:
            return inf
        inverse = np.roots([1, *self.coefficients[5:8]])  # inverse squared radii
        inverse = inverse[np.abs(inverse.imag) < _TINY**0.5].real
        return float(np.maximum(inverse.max(initial=0), _TINY) ** -0.5)

    def _jacobian(self, angles: FloatArray) -> FloatArray:
        """Smallest Jacobian determinant `(N,)` of the distortion at `angles (N,)` from the axis, up to a factor > 0.

        Negative where the distortion is not injective, or diverges.
        """
        d = np.array(self.coefficients)
        radial = self.model == EQUIDISTANT or not d[~_RADIAL[: len(d)]].any()
        around = np.linspace(0, 2 * np.pi, 1 if radial else _DIRECTIONS, endpoint=False)
        out, turn = np.meshgrid(angles, around, indexing="ij")
        shifts = _ANGLE_STEP * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
        out, turn = out[..., None] + shifts[:, 0], turn[..., None] + shifts[:, 1]
        polar = out[..., None] * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
        with np.errstate(over="ignore", invalid="ignore"):
            seen = self.distort(_rays(polar.reshape(-1, 2))).reshape(*out.shape, 2)
            (x, y), (u, v) = (np.moveaxis(seen[..., k, :] - seen[..., k + 1, :], -1, 0) for k in (0, 2))
            far = np.linalg.norm(seen, axis=-1).max(axis=(1, 2)) > _MAX_RADIUS
            return np.where(far, -1.0, (x * v - y * u).min(axis=1))

    @cached_property
    def _table(self) -> tuple[FloatArray, FloatArray]:
        """Angles from the axis, and the mean radius of their distorted rays."""
        angles = np.linspace(0, self.max_angle, _ANGLES)
        around = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
        seen = self.distort(_rays((angles[:, None, None] * around).reshape(-1, 2))).reshape(-1, len(around), 2)
        return angles, np.maximum.accumulate(np.linalg.norm(seen, axis=-1).mean(axis=1))

    def _guess(self, seen: FloatArray) -> FloatArray:
        """Initial values `(N, 2)` for Newton's method, as vectors whose lengths are angles from the axis."""
        radius = np.linalg.norm(seen, axis=1)
        angles, radii = self._table
        guess = np.minimum(np.interp(radius, radii, angles), 0.99 * self.max_angle)  # below the limit
        return np.asarray(seen * (guess / np.maximum(radius, _TINY))[:, None])

    def _newton(self, polar: FloatArray, seen: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Error `(N,)` of the rays `polar (N, 2)` against `seen (N, 2)`, and the Newton step."""
        shifts = _NEWTON_SHIFT * np.array([[0, 0], [1, 0], [0, 1]])
        here, right, down = self.distort(_rays((polar + shifts[:, None]).reshape(-1, 2))).reshape(3, -1, 2)
        error = here - seen
        (a, c), (b, d) = (right - here).T / _NEWTON_SHIFT, (down - here).T / _NEWTON_SHIFT
        determinant = a * d - b * c
        determinant = np.where(np.abs(determinant) < _TINY, _TINY, determinant)
        step = np.stack([b * error[:, 1] - d * error[:, 0], c * error[:, 0] - a * error[:, 1]], axis=1)
        step /= determinant[:, None]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        return np.linalg.norm(error, axis=1), step * np.minimum(1, _NEWTON_REACH / np.maximum(length, _TINY))


def _model_of(name: str) -> str | None:
    """Name in sensor_msgs of the model, empty for a pinhole; None if the name is unknown."""
    return _MODELS.get("".join(filter(str.isalnum, name.casefold())))


@lru_cache(maxsize=32)
def cached_lens(model: str, coefficients: tuple[float, ...]) -> Lens | None:
    """The lens of canonical values, cached because its limit is expensive; None for a pinhole."""
    return Lens(model, coefficients) if coefficients else None


def _rays(polar: FloatArray) -> FloatArray:
    """Rays `(N, 2)` of `polar (N, 2)`, vectors whose lengths are angles from the axis."""
    angle = np.linalg.norm(polar, axis=1, keepdims=True)
    return np.asarray(polar * (np.tan(angle) / np.maximum(angle, _TINY)))


_TINY = 1e-12
_NONE, _UNIT = np.zeros(3), np.eye(3)
