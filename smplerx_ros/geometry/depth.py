"""Distance of a person from a depth image, robust against holes, noise, occluders and background."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray

from .camera import NEAR, Camera

BoolArray = NDArray[np.bool_]

_MIN_FACING_COSINE = (
    0.3  # between a surface normal and the direction to the camera; pixels near silhouettes may miss it
)
_MIN_SAMPLES = 20
_MIN_MEASURED_SHARE = 0.25  # of the samples
_MIN_AGREEING_SHARE = 0.6  # of the measurements, within one window; with less, an occluder may hide half of the person
_WINDOW = 0.10  # width of the window relative to the distance: clothes, body shapes, noise
# From a child estimated as an adult to the reverse with a margin, but not depth in quarters of a millimetre (4).
MIN_RATIO, MAX_RATIO = 0.4, 2.0
# A counter or another person may hide most of a trunk, but rarely the face: head and trunk must agree. Without a head,
# the logarithm of the ratio must be within 2.4 standard deviations of adult statures.
_MIN_HEAD_SAMPLES = 5
_MAX_UNCONFIRMED_LOG_RATIO = 0.15


@dataclass(frozen=True)
class DepthReading:
    """Reading of one person in a depth image."""

    ratio: float  # measured to estimated distance, of most points; NaN: too few measurements
    usable: bool  # whether the ratio is reliable


def read_depth(
    depth: FloatArray, camera: Camera, points: FloatArray, normals: FloatArray, on_head: BoolArray
) -> DepthReading:
    """Ratio of a person's measured to estimated distance.

    The ratio is the median of the largest group of points that agree. It is not usable if too few points are measured
    or agree, or if trunk and head contradict each other.

    Args:
        depth: `(H, W)` metres along the optical axis, NaN where not measured.
        camera: The camera of image and depth image.
        points: `(S, 3)` metres, samples of the estimated surface in the optical frame.
        normals: `(S, 3)` outward unit normals there.
        on_head: `(S,)` whether a sample is on the head.
    """
    seen = _facing(points, normals)
    points, on_head = points[seen], on_head[seen]
    with np.errstate(invalid="ignore"):
        ratios = _sampled(depth, camera.project(points)) / points[:, 2]
        measured = np.isfinite(ratios) & (ratios > 0)
    if measured.sum() < max(_MIN_SAMPLES, _MIN_MEASURED_SHARE * len(points)):
        return DepthReading(np.nan, usable=False)
    ratios, on_head = ratios[measured], on_head[measured]
    ratio, share = _agreed(ratios)
    usable = share >= _MIN_AGREEING_SHARE and MIN_RATIO <= ratio <= MAX_RATIO
    if on_head.sum() < _MIN_HEAD_SAMPLES:
        return DepthReading(ratio, usable and abs(log(ratio)) <= _MAX_UNCONFIRMED_LOG_RATIO)
    return DepthReading(ratio, usable and abs(log(np.median(ratios[on_head]) / ratio)) <= _WINDOW)


def _facing(points: FloatArray, normals: FloatArray) -> BoolArray:
    """Which `points (S, 3)` are beyond the near plane and on surfaces that face the camera, `(S,)`."""
    cosines = -np.einsum("si,si->s", points, normals) / np.maximum(np.linalg.norm(points, axis=1), 1e-9)
    return np.asarray((cosines >= _MIN_FACING_COSINE) & (points[:, 2] >= NEAR))


def _sampled(depth: FloatArray, pixels: FloatArray) -> FloatArray:
    """Median depth `(S,)` in the 3x3 pixels around each of `pixels (S, 2)`; NaN without measurements."""
    height, width = depth.shape
    inside = ((pixels >= -0.5) & (pixels < [width - 0.5, height - 0.5])).all(axis=1)  # False for NaN
    columns, rows = np.rint(pixels[inside]).astype(np.intp).T
    near = np.arange(-1, 2)
    patch_rows = np.clip(rows[:, None, None] + near[:, None], 0, height - 1)
    patch_columns = np.clip(columns[:, None, None] + near, 0, width - 1)
    values = np.full(len(pixels), np.nan)
    values[inside] = _median(depth[patch_rows, patch_columns].reshape(len(rows), near.size**2))
    return values


def _median(values: FloatArray) -> FloatArray:
    """Lower median of the finite values in each row of `(S, n)`, else NaN; faster than `nanmedian`."""
    ordered = np.sort(np.where(np.isfinite(values), values, np.inf), axis=1)
    middle = np.maximum(np.isfinite(ordered).sum(axis=1) - 1, 0) // 2
    medians = ordered[np.arange(len(ordered)), middle]
    return np.where(np.isfinite(medians), medians, np.nan)


def _agreed(ratios: FloatArray) -> tuple[float, float]:
    """Median of the largest group of `ratios (N,)` within one window, and the group's share of all."""
    logs = np.sort(np.log(ratios))
    ends = np.searchsorted(logs, logs + _WINDOW, side="right")
    counts = ends - np.arange(len(logs))
    first = int(counts.argmax())
    return float(np.exp(np.median(logs[first : ends[first]]))), float(counts[first] / len(logs))
