"""Whether what is said of errors is true of them: errors in their standard deviations, and by confidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.rotations import normalized

SIGMAS = (1.0, 2.0, 3.0)
NORMAL_SHARES = (0.683, 0.954, 0.997)  # of a normal distribution, within SIGMAS
_UP = np.array([0.0, -1.0, 0.0])  # of the image, optical frame


def ray_axes(place: ArrayLike) -> FloatArray:
    """`(3, 3)`, rows: along the ray from the camera to `place (3,)`, across it level with the image, and across both.

    Unit vectors, optical frame; `place` is not straight above or below the camera.
    """
    along = normalized(np.asarray(place, np.float64))
    level = normalized(np.cross(along, _UP))
    return np.stack([along, level, np.cross(along, level)])


def rotation_error(orient: ArrayLike, truth: ArrayLike) -> FloatArray:
    """`(3,)` rad, optical frame: the rotation by which `orient (3,)` is wrong, both axis-angle."""
    return np.asarray((Rotation.from_rotvec(orient) * Rotation.from_rotvec(truth).inv()).as_rotvec())


def standardized_error(error: ArrayLike, covariance: ArrayLike, axes: FloatArray) -> FloatArray:
    """`(n,)`: components of `error (3,)` along the rows of `axes (n, 3)` in the standard deviations of `covariance`."""
    variances = np.einsum("ni,ij,nj->n", axes, np.asarray(covariance, np.float64), axes)
    return np.asarray(axes @ np.asarray(error, np.float64) / np.sqrt(variances))


def coverage(standardized_errors: ArrayLike) -> tuple[float, ...]:
    """Shares of errors, given in standard deviations, within each of SIGMAS."""
    values = np.abs(np.asarray(standardized_errors, np.float64)).ravel()
    return tuple(float(np.mean(values <= sigma)) for sigma in SIGMAS)


def max_coverage_deviation(shares: Sequence[float]) -> float:
    """How far `shares` within SIGMAS are from a normal distribution's, at most."""
    return max(abs(share - normal) for share, normal in zip(shares, NORMAL_SHARES, strict=True))


def errors_by_confidence(
    confidence: ArrayLike, errors: ArrayLike, edges: Sequence[float]
) -> list[tuple[int, float, float]]:
    """Of each bin between `edges`, the last one with its upper edge: count, median and 90th percentile of `errors`.

    What is not finite in either is left out; a bin without errors has NaN.
    """
    sure, off = np.asarray(confidence, np.float64).ravel(), np.asarray(errors, np.float64).ravel()
    known = np.isfinite(sure) & np.isfinite(off)
    sure, off = sure[known], off[known]
    bins = np.clip(np.searchsorted(edges, sure, side="right") - 1, 0, len(edges) - 2)
    inside = (sure >= edges[0]) & (sure <= edges[-1])
    rows = []
    for number in range(len(edges) - 1):
        chosen = off[inside & (bins == number)]
        median, high = np.percentile(chosen, [50, 90]) if len(chosen) else (np.nan, np.nan)
        rows.append((len(chosen), float(median), float(high)))
    return rows
