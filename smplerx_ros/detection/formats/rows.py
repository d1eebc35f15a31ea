"""Boxes that the graph has chosen itself: a row, or an entry of each of several outputs, for every box."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.detection.resize import Fit

from .base import (
    LIKELY,
    MOST_CLASSES,
    MOST_ROWS,
    SCORE_ROUNDING,
    SHARE,
    Format,
    Graph,
    Outputs,
    Size,
    corners,
    filled,
    in_pixels,
    masks,
    need_rows,
    number_of,
    of_class,
    only_rows,
    with_scores,
)
from .grids import strides_of

_ROW = 6  # columns: a box, its score and its class
_POSE = 51  # columns behind them: 17 points with x, y, score


def _is_rows(outputs: Outputs, size: Size) -> bool:
    rows = only_rows(outputs)
    return (
        rows is not None
        and rows.shape[2] >= _ROW
        and rows.shape[1] <= MOST_ROWS
        and strides_of(rows.shape[1], size) is None
    )


def _is_six_columns(outputs: Outputs, size: Size) -> bool:
    return _is_rows(outputs, size) and need_rows(outputs).shape[2] == _ROW


def _is_yolov10(outputs: Outputs, size: Size) -> bool:
    if not _is_rows(outputs, size):
        return False
    columns = need_rows(outputs).shape[2]
    return columns in (_ROW, _ROW + _POSE, _ROW + masks(outputs, columns, size))


def _doubt_class_and_score(rows: FloatArray, label: int, score: int) -> str:
    scores = rows[:, score]
    if scores.min(initial=0) < -SCORE_ROUNDING or scores.max(initial=0) > 1 + SCORE_ROUNDING:
        return f"column {score} is not a score of 0 to 1: {_range(scores)}"
    labels = rows[scores > LIKELY, label] if (scores > LIKELY).any() else rows[:, label]
    if (labels != np.round(labels)).any() or labels.min(initial=0) < 0 or labels.max(initial=0) > MOST_CLASSES:
        return f"column {label} is not a class: {_range(labels)}"
    return ""


def _range(values: FloatArray) -> str:
    return f"{values.min():.3g} to {values.max():.3g}"


def _doubt_yolov10(outputs: Outputs, _: Size) -> str:
    rows = filled(need_rows(outputs))
    if len(rows) and np.abs(rows[:, :4]).max() <= SHARE:
        return f"columns 0 to 3 are not pixels: {_range(rows[:, :4])}"
    return _doubt_class_and_score(rows, 5, 4)


def _read_yolov10(outputs: Outputs, _: Size, index: int) -> FloatArray:
    rows = need_rows(outputs)
    return of_class(rows[..., :4], rows[..., 4], rows[..., 5], index)


def _doubt_detr_rows(outputs: Outputs, _: Size) -> str:
    """Every query has a box, with a centre and sides in shares of the input."""
    rows = need_rows(outputs)
    finite = filled(rows)
    if rows.size and not len(finite):
        return "rows without a box"
    if len(finite) and (np.abs(finite[:, :4]).max() > SHARE or finite[:, 2:4].min() <= 0):
        return f"columns 0 to 3 are not centres and sides as shares of the image: {_range(finite[:, :4])}"
    if len(finite) and (finite[:, 2:4] > finite[:, :2]).all():
        return "columns 0 to 3 may as well be two corners"
    if rows.shape[2] == _ROW:
        return _doubt_class_and_score(finite, 5, 4)
    return ""


def _read_detr_rows(outputs: Outputs, size: Size, index: int) -> FloatArray:
    """The scores of all classes, or the best one and its class."""
    rows = need_rows(outputs)
    boxes = in_pixels(corners(rows[..., :4]), size)
    if rows.shape[2] > _ROW:
        return with_scores(boxes, rows[..., 4 + index])
    return of_class(boxes, rows[..., 4], rows[..., 5], index)


def _detr_row_classes(outputs: Outputs, _: Size) -> int | None:
    columns = need_rows(outputs).shape[2]
    return columns - 4 if columns > _ROW else None


def _doubt_label_xyxy_score(outputs: Outputs, _: Size) -> str:
    rows = filled(need_rows(outputs))
    if len(rows) and np.abs(rows[:, 1:5]).max() > SHARE:
        return f"columns 1 to 4 are not shares of the image: {_range(rows[:, 1:5])}"
    if len(rows) and 2 * (rows[:, 3:5] < rows[:, 1:3]).any(axis=1).sum() > len(rows):
        return "columns 1 to 4 are not two corners"
    return _doubt_class_and_score(rows, 0, 5)


def _read_label_xyxy_score(outputs: Outputs, size: Size, index: int) -> FloatArray:
    rows = need_rows(outputs)
    return of_class(in_pixels(rows[..., 1:5], size), rows[..., 5], rows[..., 0], index)


def _is_rows_and_labels(outputs: Outputs, _: Size) -> bool:
    return {"dets", "labels"} <= set(outputs) and outputs["labels"].ndim == 2 and outputs["dets"].shape[-1] == 5


def _read_rows_and_labels(outputs: Outputs, _: Size, index: int) -> FloatArray:
    rows = outputs["dets"]
    return of_class(rows[..., :4], rows[..., 4], outputs["labels"], index)


# Names of boxes, scores and classes by exporters that say how many of them there are (YOLOv6 to v8, mmyolo).
_COUNTED = (("det_boxes", "boxes", "bboxes"), ("det_scores", "scores"), ("det_classes", "labels"))


def _counted(outputs: Outputs) -> list[NDArray[Any]] | None:
    """Boxes `(N, K, 4)`, scores `(N, K)` and classes `(N, K)`; None: not there, or without their number."""
    found = [next((outputs[name] for name in names if name in outputs), None) for names in _COUNTED]
    there = [value for value in found if value is not None]
    if len(there) < len(found) or number_of(outputs) is None:
        return None
    boxes, scores, labels = there
    return there if boxes.ndim == 3 and scores.shape == labels.shape == boxes.shape[:2] else None


def _valid(outputs: Outputs, scores: FloatArray) -> FloatArray:
    """Scores `(N, K)`; behind the first ones, whose number the graph answers, nothing was written: 0."""
    number = number_of(outputs)
    if number is None:
        return scores
    return np.where(np.arange(scores.shape[1]) < number.reshape(-1, 1), scores, 0)


def _is_counted(outputs: Outputs, _: Size) -> bool:
    return _counted(outputs) is not None


def _read_counted(outputs: Outputs, _: Size, index: int) -> FloatArray:
    found = _counted(outputs)
    assert found is not None
    boxes, scores, labels = found
    return of_class(boxes, _valid(outputs, scores), labels, index)


def _is_tensorflow(outputs: Outputs, _: Size) -> bool:
    return {"detection_boxes", "detection_scores", "detection_classes"} <= set(outputs) and outputs[
        "detection_boxes"
    ].ndim == 3


def _read_tensorflow(outputs: Outputs, size: Size, index: int) -> FloatArray:
    """Corners as y, x in shares of the input."""
    boxes = in_pixels(outputs["detection_boxes"][..., [1, 0, 3, 2]], size)
    return of_class(boxes, _valid(outputs, outputs["detection_scores"]), outputs["detection_classes"], index)


def _unbatched(outputs: Outputs) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None:
    """Boxes `(K, 4)`, labels `(K,)` and scores `(K,)`, by their names or else by their types; None: not there."""
    if {"boxes", "labels", "scores"} <= set(outputs):
        found = [[outputs[name]] for name in ("boxes", "labels", "scores")]
    else:
        lists = [value for value in outputs.values() if value.ndim == 1]
        found = [
            [value for value in outputs.values() if value.ndim == 2 and value.shape[1] == 4],
            [value for value in lists if np.issubdtype(value.dtype, np.integer)],
            [value for value in lists if np.issubdtype(value.dtype, np.floating)],
        ]
    if any(len(each) != 1 for each in found):
        return None
    (boxes,), (labels,), (scores,) = found
    alike = boxes.ndim == 2 and boxes.shape[1] == 4 and labels.shape == scores.shape == boxes.shape[:1]
    return (boxes, labels, scores) if alike else None


def _is_torchvision(outputs: Outputs, _: Size) -> bool:
    return _unbatched(outputs) is not None


def _read_torchvision(outputs: Outputs, _: Size, index: int) -> FloatArray:
    found = _unbatched(outputs)
    assert found is not None
    boxes, labels, scores = found
    return of_class(boxes, scores, labels, index)[None]


def _torchvision_person(_: int | None, answers: tuple[Outputs, ...]) -> int:
    """Class 0 is the background, which is never answered: where it is, classes begin with it."""
    found = [_unbatched(answer) for answer in answers]
    return int(not any((each[1] == 0).any() for each in found if each is not None))


def _first_is_background(_: int | None, answers: tuple[Outputs, ...]) -> int:
    """Class 0 is the background, which is never found: where it is, classes begin with it."""
    found = [answer["detection_classes"][_valid(answer, answer["detection_scores"]) > LIKELY] for answer in answers]
    return int(not any((labels == 0).any() for labels in found))


def tell_apart(names: list[str], graph: Graph) -> list[str]:
    """Rows in which nothing was found say nothing: then the name of the output does, or of the classes."""
    rows = [name for name in names if name in ROWS]
    if len(rows) < 2 or not _is_rows(graph.answers[0], graph.size):
        return names
    labelled = [name for name in rows if name.startswith("label_xyxy_score")]
    if labelled == rows or any(name.startswith("label_xyxy_score") for name in graph.answers[0]):
        return sorted(labelled, reverse="bgr" in graph.image.lower())  # the likelier one first
    empty = all(need_rows(answer).shape[1] == 0 for answer in graph.answers)
    # Only they fill up with zeros; only their exporter writes the classes' names into the file.
    return ["yolov10"] if "yolov10" in rows and (graph.class_names or not empty) else rows


def _no_count(_: Outputs, __: Size) -> None:
    return None


# Sources: the exporters' documentation and reference scripts.
ROWS: dict[str, Format] = {
    # YOLOX with non-maximum suppression in the graph (mmdeploy, as used by rtmlib)
    "yolox_nms": Format(Fit.CORNER, _is_rows_and_labels, _read_rows_and_labels, _no_count, bgr=True, unit=False),
    # RTMDet, by the same exporter: only a picture tells them apart
    "rtmdet": Format(Fit.CORNER, _is_rows_and_labels, _read_rows_and_labels, _no_count, bgr=True, imagenet=True),
    # YOLOv6, v7, v8 exported end to end: num_dets, det_boxes, det_scores, det_classes
    "yolo_nms": Format(Fit.CENTRE, _is_counted, _read_counted, _no_count),
    # torchvision's detectors: boxes, labels and scores of one image
    "torchvision": Format(
        Fit.CORNER, _is_torchvision, _read_torchvision, _no_count, person=_torchvision_person, batched=False
    ),
    # TensorFlow's object detection: detection_boxes, detection_classes, detection_scores
    "tensorflow": Format(
        Fit.STRETCH, _is_tensorflow, _read_tensorflow, _no_count, person=_first_is_background, unit=False
    ),
    # D-FINE, DEIM, RT-DETR in PINTO's model zoo; with the colours' order and scale in the graph: BGR
    "label_xyxy_score": Format(
        Fit.STRETCH, _is_six_columns, _read_label_xyxy_score, _no_count, _doubt_label_xyxy_score
    ),
    "label_xyxy_score_bgr": Format(
        Fit.STRETCH,
        _is_six_columns,
        _read_label_xyxy_score,
        _no_count,
        _doubt_label_xyxy_score,
        bgr=True,
        unit=False,
    ),
    # RT-DETR as Ultralytics exports it
    "detr_rows": Format(Fit.STRETCH, _is_rows, _read_detr_rows, _detr_row_classes, _doubt_detr_rows),
    # YOLOv10, YOLO26, and other YOLOs exported with their choice of boxes in the graph
    "yolov10": Format(Fit.CENTRE, _is_yolov10, _read_yolov10, _no_count, _doubt_yolov10),
}
