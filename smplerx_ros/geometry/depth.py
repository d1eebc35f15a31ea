"""How far a person is, from a depth image: robust against holes, noise, occluders and background."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray

from .camera import NEAR, Camera

BoolArray = NDArray[np.bool_]

_MIN_FACING_COSINE = (
    0.3  # least cosine between a surface's normal and the way to the camera: silhouettes miss the person easily
)
_MIN_SAMPLES = 20
_MIN_MEASURED_SHARE = 0.25  # share of the samples that need a measurement
_MIN_AGREEING_SHARE = 0.6  # share of the measurements that must lie together; an occluder of half a person leaves doubt
_WINDOW = 0.10  # width in which they lie together, as a share of the distance: cloth, other builds, noise
# A child taken for an adult, and more than the reverse; not quarters of a millimetre, 4, of a child.
MIN_RATIO, MAX_RATIO = 0.4, 2.0
# A counter, or somebody who stands before a person, hides most of a trunk, but rarely the face: both must agree.
# Without the head, the ratio's logarithm must be that of a usual size, 2.4 standard deviations of adults'.
_MIN_HEAD_SAMPLES = 5
_MAX_UNCONFIRMED_LOG_RATIO = 0.15


@dataclass(frozen=True)
class DepthReading:
    """What a depth image shows of one person."""

    ratio: float  # measured over estimated distance, of most points; NaN: too few are measured
    usable: bool  # the ratio is the person's


def read_depth(
    depth: FloatArray, camera: Camera, points: FloatArray, normals: FloatArray, on_head: BoolArray
) -> DepthReading:
    """How much farther or nearer than estimated a person is.

    `depth (H, W)` metres along the optical axis, NaN where not measured; `points` and `normals (S, 3)` of the estimated
    surface in the optical frame, `on_head (S,)`. The ratio is that of the largest group of points that agree; it is
    not usable where too few points are measured or agree, and where trunk and head contradict each other.
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
    """Which points `(S, 3)` before the near plane have their outside turned towards the camera."""
    cosines = -np.einsum("si,si->s", points, normals) / np.maximum(np.linalg.norm(points, axis=1), 1e-9)
    return np.asarray((cosines >= _MIN_FACING_COSINE) & (points[:, 2] >= NEAR))


def _sampled(depth: FloatArray, pixels: FloatArray) -> FloatArray:
    """Median of what is measured in the 3x3 pixels around each of `pixels (S, 2)`: `(S,)`, NaN where nothing is."""
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
    """Lower median of the finite ones of each row of `(S, n)`; NaN where there are none. Faster than `nanmedian`."""
    ordered = np.sort(np.where(np.isfinite(values), values, np.inf), axis=1)
    middle = np.maximum(np.isfinite(ordered).sum(axis=1) - 1, 0) // 2
    medians = ordered[np.arange(len(ordered)), middle]
    return np.where(np.isfinite(medians), medians, np.nan)


def _agreed(ratios: FloatArray) -> tuple[float, float]:
    """Median of the largest group of `ratios (N,)` that one window holds, and the group's share of all."""
    logs = np.sort(np.log(ratios))
    ends = np.searchsorted(logs, logs + _WINDOW, side="right")
    counts = ends - np.arange(len(logs))
    first = int(counts.argmax())
    return float(np.exp(np.median(logs[first : ends[first]]))), float(counts[first] / len(logs))
