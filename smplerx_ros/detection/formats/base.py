"""What is said about a family of exported detectors, and what is known of a file before its first frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.detection.resize import Fit

Outputs = Mapping[str, NDArray[Any]]  # of a network by name, floating-point ones as float32

GREY = 114  # round the image, as all YOLO families were trained
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of RGB in 0..1
IMAGENET_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
COCO_CATEGORIES = 91  # where a network has as many classes, they are COCO's category numbers: a person is 1, else 0
# Rows of a detector that needs no non-maximum suppression or has it in its graph; published ones have up to 1750
# queries. Grids have more.
MOST_ROWS = 3000
MOST_CLASSES = 10_000  # an index above it is something else
LIKELY = 0.3  # score from which a box is taken for one, where answers are judged
SHARE = 2.0  # largest corner or side, as a share of the input: boxes may reach beyond it. In pixels that is nothing
FAR = 3.0  # input sizes beyond which no box lies
SCORE_ROUNDING = 1e-2  # of half precision and of 8-bit numbers, beyond 0..1


@dataclass(frozen=True)
class Size:
    """Of the network's input, in pixels."""

    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Graph:
    """A detector's file: its `answers` to an empty image, and to a picture of people as values of 0..1 and of 0..255.

    `image` is the name of its input, `class_names` those that the file gives by index.
    """

    answers: tuple[Outputs, ...]
    size: Size
    image: str = ""
    class_names: Mapping[int, str] = field(default_factory=dict)


def no_doubt(_: Outputs, __: Size) -> str:
    """For formats whose names and shapes say everything."""
    return ""


def person_by_count(classes: int | None, _: tuple[Outputs, ...]) -> int:
    """COCO's category number of a person where there are as many classes as categories, else the first class."""
    return int(classes == COCO_CATEGORIES)


@dataclass(frozen=True)
class Format:
    """A family of detectors.

    `fits(outputs, size)` says whether names and shapes are of this form; `doubt(outputs, size)` why the values are not,
    "" where they may be. `read(outputs, size, class index)` gives `(N, K, 5)`: x0, y0, x1, y1 in pixels of the
    network's input, and score. `classes` how many there are, None where the graph does not say; `person` the index of
    a person where the file has no names.
    """

    fit: Fit
    fits: Callable[[Outputs, Size], bool]
    read: Callable[[Outputs, Size, int], FloatArray]
    classes: Callable[[Outputs, Size], int | None]
    doubt: Callable[[Outputs, Size], str] = no_doubt
    person: Callable[[int | None, tuple[Outputs, ...]], int] = person_by_count
    bgr: bool = False
    unit: bool = True  # values 0..1, else 0..255
    imagenet: bool = False  # mean and deviation taken out
    overlapping: bool = False  # needs non-maximum suppression
    batched: bool = True  # else the outputs are of one image, without a first axis for it


def implausible(rows: FloatArray, size: Size) -> str:
    """Why `rows (..., 5)` of `Format.read` cannot be boxes and scores, "" if they may be.

    Most of those that count must be right: one or two odd ones are dropped later.
    """
    rows = rows.reshape(-1, 5)
    rows = rows[np.isfinite(rows).all(axis=1)]
    scores = rows[:, 4]
    if scores.size and (scores.min() < -SCORE_ROUNDING or np.median(scores) > 1 + SCORE_ROUNDING):
        return f"its scores would be {scores.min():.3g} to {scores.max():.3g}, not 0 to 1"
    boxes = rows[scores > LIKELY][:, :4]
    if not len(boxes):
        return ""
    if np.abs(boxes).max() <= SHARE and min(size.width, size.height) > 2 * SHARE:
        return f"its boxes would lie within {SHARE:.0f} pixels: they are shares of the image"
    if _most(np.any(boxes[:, 2:] < boxes[:, :2], axis=1)):
        return "its boxes' second corners would lie before their first ones"
    limits = np.array([size.width, size.height])
    if _most(np.any((boxes[:, :2] > FAR * limits) | (boxes[:, 2:] < -FAR * limits), axis=1)):
        return f"its boxes would lie far outside the input of {size.width} x {size.height} pixels"
    return ""


def _most(flags: NDArray[Any]) -> bool:
    return 2 * int(np.count_nonzero(flags)) > len(flags)


def corners(boxes: FloatArray) -> FloatArray:
    """Centre x, y, width, height to x0, y0, x1, y1 along the last axis."""
    centre, half = boxes[..., :2], boxes[..., 2:4] / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def with_scores(boxes: FloatArray, scores: FloatArray) -> FloatArray:
    """`(..., 4)` and `(...,)` to `(..., 5)` in double precision."""
    return np.concatenate([boxes, scores[..., None]], axis=-1, dtype=np.float64)


def of_class(boxes: FloatArray, scores: FloatArray, labels: NDArray[Any], index: int) -> FloatArray:
    """`with_scores`; boxes of other classes have the score 0."""
    return with_scores(boxes, np.where(np.round(labels) == index, scores, 0))


def in_pixels(shares: FloatArray, size: Size) -> FloatArray:
    """Corners `(..., 4)` as shares of the input, in its pixels."""
    return np.asarray(shares * np.array([size.width, size.height, size.width, size.height], np.float64))


def sigmoid(logits: FloatArray) -> FloatArray:
    """Of each."""
    return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64).clip(-50, 50))))


def only_rows(outputs: Outputs) -> FloatArray | None:
    """The only output of rank 3, None if there is none or are several. Masks are of rank 4."""
    found = [value for value in outputs.values() if value.ndim == 3]
    return found[0] if len(found) == 1 else None


def doubt_centres(rows: FloatArray) -> str:
    """Why columns 0 to 3 of rows of all over the image are no centres and sides: few boxes begin beyond its corner."""
    if len(rows) and (rows[:, 2:4] >= rows[:, :2]).all():
        return "columns 0 to 3 are two corners, not a centre and sides"
    return ""


def need_rows(outputs: Outputs) -> FloatArray:
    """The same, where `fits` has said that it is there."""
    rows = only_rows(outputs)
    assert rows is not None
    return rows


def number_of(outputs: Outputs) -> NDArray[Any] | None:
    """How many boxes of each image were found, None where no output says it."""
    return next((outputs[name] for name in ("num_dets", "num_detections") if name in outputs), None)


def masks(outputs: Outputs, columns: int, size: Size) -> int:
    """How many masks the only other output of rank 4 has, each cell with a coefficient for it among its `columns`.

    Masks have a quarter of the input's size; others of that rank are the graph's inner layers.
    """
    found = [value.shape for value in outputs.values() if value.ndim == 4]
    if len(found) != 1 or found[0][2:] != (size.height // 4, size.width // 4):
        return 0
    return int(found[0][1]) if found[0][1] < columns - 4 else 0


def filled(rows: FloatArray) -> FloatArray:
    """Of `rows (..., C)` those `(K, C)` with anything in them: others only fill the array up."""
    flat = rows.reshape(-1, rows.shape[-1])
    return np.asarray(flat[np.isfinite(flat).all(axis=1) & (flat != 0).any(axis=1)])
