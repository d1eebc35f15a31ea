"""Description of a format of exported detectors, and helpers to read outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.detection.resize import Fit

Outputs = Mapping[str, NDArray[Any]]  # by name; floating-point outputs as float32

GREY = 114  # padding value of all YOLO families
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of RGB in 0..1
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)
COCO_CATEGORIES = 91  # a model with this many classes uses COCO's category ids, where person is 1 and not 0
# Rows of models without non-maximum suppression or with it in the graph; published ones have up to 1750 queries. Dense
# heads have more.
MAX_ROWS = 3000
MAX_CLASSES = 10_000  # larger values are no class indices
CONFIDENT = 0.3  # score of a detection, when formats are determined
NORMALIZED_LIMIT = 2.0  # largest normalized coordinate (boxes may extend beyond the input); larger ones are pixels
FAR_FACTOR = 3.0  # input sizes; no box lies further outside
SCORE_ROUNDING = 1e-2  # tolerance beyond 0..1 for half precision and quantized networks


@dataclass(frozen=True)
class Size:
    """Size of the network's input, in pixels."""

    width: int
    height: int


@dataclass(frozen=True, eq=False)
class ProbedModel:
    """What is known about a model: its outputs for sample images, and its metadata."""

    samples: tuple[Outputs, ...]  # for an empty image, and for an image of people with values 0..1 and 0..255
    size: Size
    image_name: str = ""  # name of the image input
    class_names: Mapping[int, str] = field(default_factory=dict)  # by index; empty if the file has none


def no_mismatch(_: Outputs, __: Size) -> str:
    """For formats that are determined by names and shapes."""
    return ""


def person_by_count(classes: int | None, _: tuple[Outputs, ...]) -> int:
    """COCO's category id of a person if the number of classes is that of categories, otherwise the first class."""
    return int(classes == COCO_CATEGORIES)


@dataclass(frozen=True)
class Format:
    """A format of detectors.

    Args:
        fit: How the image is fitted to the input.
        fits: Whether names and shapes of the outputs match.
        read: Reads boxes and scores of a class, `(N, K, 5)`: x0, y0, x1, y1 in pixels of the network's input, score.
        classes: Number of classes; None if the outputs do not show it.
        mismatch: Reason why the values of the outputs do not match; "" if they may.
        person: Index of the class person, from the number of classes and the samples, if the file has no class names.
        bgr: Channels are BGR instead of RGB.
        unit: Values are scaled to 0..1 instead of 0..255.
        imagenet: Values are normalized by ImageNet's mean and standard deviation.
        overlapping: Boxes need non-maximum suppression.
        batched: The outputs' first axis is the batch; otherwise they are of a single image.
    """

    fit: Fit
    fits: Callable[[Outputs, Size], bool]
    read: Callable[[Outputs, Size, int], FloatArray]
    classes: Callable[[Outputs, Size], int | None]
    mismatch: Callable[[Outputs, Size], str] = no_mismatch
    person: Callable[[int | None, tuple[Outputs, ...]], int] = person_by_count
    bgr: bool = False
    unit: bool = True
    imagenet: bool = False
    overlapping: bool = False
    batched: bool = True


def implausible(rows: FloatArray, size: Size) -> str:
    """Reason why `rows (..., 5)` of `Format.read` cannot be boxes and scores; "" if they may be.

    Only most of the confident boxes must be valid: single invalid ones are dropped later.
    """
    rows = rows.reshape(-1, 5)
    rows = rows[np.isfinite(rows).all(axis=1)]
    scores = rows[:, 4]
    if scores.size and (scores.min() < -SCORE_ROUNDING or np.median(scores) > 1 + SCORE_ROUNDING):
        return f"its scores would be {scores.min():.3g} to {scores.max():.3g}, not 0 to 1"
    boxes = rows[scores > CONFIDENT][:, :4]
    if not len(boxes):
        return ""
    if np.abs(boxes).max() <= NORMALIZED_LIMIT and min(size.width, size.height) > 2 * NORMALIZED_LIMIT:
        return f"its boxes would lie within {NORMALIZED_LIMIT:.0f} pixels: they are normalized coordinates"
    if _most(np.any(boxes[:, 2:] < boxes[:, :2], axis=1)):
        return "its boxes' second corners would lie before their first ones"
    limits = np.array([size.width, size.height])
    if _most(np.any((boxes[:, :2] > FAR_FACTOR * limits) | (boxes[:, 2:] < -FAR_FACTOR * limits), axis=1)):
        return f"its boxes would lie far outside the input of {size.width} x {size.height} pixels"
    return ""


def _most(flags: NDArray[Any]) -> bool:
    return 2 * int(np.count_nonzero(flags)) > len(flags)


def corners_from_centres(boxes: FloatArray) -> FloatArray:
    """Convert centre x, y, width, height to x0, y0, x1, y1 along the last axis."""
    centre, half = boxes[..., :2], boxes[..., 2:4] / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def with_scores(boxes: FloatArray, scores: FloatArray) -> FloatArray:
    """Join boxes `(..., 4)` and scores `(...,)` to rows `(..., 5)`, float64."""
    return np.concatenate([boxes, scores[..., None]], axis=-1, dtype=np.float64)


def of_class(boxes: FloatArray, scores: FloatArray, labels: NDArray[Any], index: int) -> FloatArray:
    """Join boxes and scores as `with_scores`, with a score of 0 for boxes whose label is not `index`."""
    return with_scores(boxes, np.where(np.round(labels) == index, scores, 0))


def to_pixels(normalized: FloatArray, size: Size) -> FloatArray:
    """Convert normalized corners `(..., 4)` to pixels of the input."""
    return np.asarray(normalized * np.array([size.width, size.height, size.width, size.height], np.float64))


def sigmoid(logits: FloatArray) -> FloatArray:
    """Logistic function, float64."""
    return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64).clip(-50, 50))))


def find_rows(outputs: Outputs) -> FloatArray | None:
    """The only output of rank 3 (masks have rank 4); None if there is none or more than one."""
    found = [value for value in outputs.values() if value.ndim == 3]
    return found[0] if len(found) == 1 else None


def check_centres(rows: FloatArray) -> str:
    """Reason why columns 0 to 3 are corners and not centres and sides: all sides are larger than the centres."""
    if len(rows) and (rows[:, 2:4] >= rows[:, :2]).all():
        return "columns 0 to 3 are two corners, not a centre and sides"
    return ""


def get_rows(outputs: Outputs) -> FloatArray:
    """As `find_rows`, for outputs that `Format.fits` accepted."""
    rows = find_rows(outputs)
    assert rows is not None
    return rows


def detection_counts(outputs: Outputs) -> NDArray[Any] | None:
    """Number of boxes of each image; None if no output holds it."""
    return next((outputs[name] for name in ("num_dets", "num_detections") if name in outputs), None)


def mask_count(outputs: Outputs, columns: int, size: Size) -> int:
    """Number of prototype masks, each of which has a coefficient among the `columns`; 0 if there are none.

    They are the only output of rank 4, at a quarter of the input's size; other outputs of that rank are inner layers.
    """
    found = [value.shape for value in outputs.values() if value.ndim == 4]
    if len(found) != 1 or found[0][2:] != (size.height // 4, size.width // 4):
        return 0
    return int(found[0][1]) if found[0][1] < columns - 4 else 0


def without_padding(rows: FloatArray) -> FloatArray:
    """Rows `(K, C)` of `rows (..., C)` that are finite and not all zero, as padding is."""
    flat = rows.reshape(-1, rows.shape[-1])
    return np.asarray(flat[np.isfinite(flat).all(axis=1) & (flat != 0).any(axis=1)])
