"""Calibration of the reported uncertainty: standardized errors, coverage, and errors by confidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.rotations import normalized

SIGMAS = (1.0, 2.0, 3.0)
NORMAL_COVERAGE = (0.683, 0.954, 0.997)  # of a normal distribution, within SIGMAS
_UP = np.array([0.0, -1.0, 0.0])  # optical frame


def ray_axes(position: ArrayLike) -> FloatArray:
    """Return the axes of the viewing ray to a position.

    Args:
        position: `(3,)` in the optical frame, not straight above or below the camera.

    Returns:
        `(3, 3)` unit vectors as rows: along the ray, horizontally across it, and perpendicular to both.
    """
    along = normalized(np.asarray(position, np.float64))
    level = normalized(np.cross(along, _UP))
    return np.stack([along, level, np.cross(along, level)])


def rotation_error(orient: ArrayLike, truth: ArrayLike) -> FloatArray:
    """Return the rotation from `truth (3,)` to `orient (3,)`, both axis-angle, as axis-angle `(3,)`, optical frame."""
    return np.asarray((Rotation.from_rotvec(orient) * Rotation.from_rotvec(truth).inv()).as_rotvec())


def standardized_error(error: ArrayLike, covariance: ArrayLike, axes: FloatArray) -> FloatArray:
    """Express an error along given axes in standard deviations.

    Args:
        error: `(3,)`.
        covariance: `(3, 3)` covariance that was reported for it.
        axes: `(n, 3)` unit vectors as rows.

    Returns:
        `(n,)` components of the error divided by the standard deviations along the axes.
    """
    variances = np.einsum("ni,ij,nj->n", axes, np.asarray(covariance, np.float64), axes)
    return np.asarray(axes @ np.asarray(error, np.float64) / np.sqrt(variances))


def coverage(standardized_errors: ArrayLike) -> tuple[float, ...]:
    """Return the fractions of standardized errors that lie within each of SIGMAS."""
    values = np.abs(np.asarray(standardized_errors, np.float64)).ravel()
    return tuple(float(np.mean(values <= sigma)) for sigma in SIGMAS)


def max_coverage_deviation(fractions: Sequence[float]) -> float:
    """Return the largest absolute deviation of `fractions`, within SIGMAS, from those of a normal distribution."""
    return max(abs(fraction - normal) for fraction, normal in zip(fractions, NORMAL_COVERAGE, strict=True))


def errors_by_confidence(
    confidence: ArrayLike, errors: ArrayLike, edges: Sequence[float]
) -> list[tuple[int, float, float]]:
    """Summarize errors in bins of confidence.

    Args:
        confidence: Confidences, of any shape.
        errors: Errors of the same shape. Pairs with a non-finite value are ignored.
        edges: Ascending edges of the bins; the last bin includes its upper edge.

    Returns:
        Count, median and 90th percentile of the errors per bin; NaN for an empty bin.
    """
    scores, distances = np.asarray(confidence, np.float64).ravel(), np.asarray(errors, np.float64).ravel()
    finite = np.isfinite(scores) & np.isfinite(distances)
    scores, distances = scores[finite], distances[finite]
    bins = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, len(edges) - 2)
    inside = (scores >= edges[0]) & (scores <= edges[-1])
    rows = []
    for number in range(len(edges) - 1):
        chosen = distances[inside & (bins == number)]
        median, high = np.percentile(chosen, [50, 90]) if len(chosen) else (np.nan, np.nan)
        rows.append((len(chosen), float(median), float(high)))
    return rows
