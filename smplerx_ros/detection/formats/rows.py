"""Formats with selected boxes: one row per box, or one entry per box in each of several outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.detection.resize import Fit

from .base import (
    CONFIDENT,
    MAX_CLASSES,
    MAX_ROWS,
    NORMALIZED_LIMIT,
    SCORE_ROUNDING,
    Format,
    Outputs,
    ProbedModel,
    Size,
    corners_from_centres,
    detection_counts,
    find_rows,
    get_rows,
    mask_count,
    of_class,
    to_pixels,
    with_scores,
    without_padding,
)
from .grids import strides_of

_ROW = 6  # columns: box, score and class
_POSE = 51  # further columns: 17 keypoints with x, y, score


def _is_rows(outputs: Outputs, size: Size) -> bool:
    rows = find_rows(outputs)
    return (
        rows is not None
        and rows.shape[2] >= _ROW
        and rows.shape[1] <= MAX_ROWS
        and strides_of(rows.shape[1], size) is None
    )


def _is_six_columns(outputs: Outputs, size: Size) -> bool:
    return _is_rows(outputs, size) and get_rows(outputs).shape[2] == _ROW


def _is_yolov10(outputs: Outputs, size: Size) -> bool:
    if not _is_rows(outputs, size):
        return False
    columns = get_rows(outputs).shape[2]
    return columns in (_ROW, _ROW + _POSE, _ROW + mask_count(outputs, columns, size))


def _mismatch_class_and_score(rows: FloatArray, label: int, score: int) -> str:
    scores = rows[:, score]
    if scores.min(initial=0) < -SCORE_ROUNDING or scores.max(initial=0) > 1 + SCORE_ROUNDING:
        return f"column {score} is not a score of 0 to 1: {_range(scores)}"
    labels = rows[scores > CONFIDENT, label] if (scores > CONFIDENT).any() else rows[:, label]
    if (labels != np.round(labels)).any() or labels.min(initial=0) < 0 or labels.max(initial=0) > MAX_CLASSES:
        return f"column {label} is not a class: {_range(labels)}"
    return ""


def _range(values: FloatArray) -> str:
    return f"{values.min():.3g} to {values.max():.3g}"


def _mismatch_yolov10(outputs: Outputs, _: Size) -> str:
    rows = without_padding(get_rows(outputs))
    if len(rows) and np.abs(rows[:, :4]).max() <= NORMALIZED_LIMIT:
        return f"columns 0 to 3 are not pixels: {_range(rows[:, :4])}"
    return _mismatch_class_and_score(rows, 5, 4)


def _read_yolov10(outputs: Outputs, _: Size, index: int) -> FloatArray:
    rows = get_rows(outputs)
    return of_class(rows[..., :4], rows[..., 4], rows[..., 5], index)


def _mismatch_detr_rows(outputs: Outputs, _: Size) -> str:
    """Every query has a box with normalized centre and sides."""
    rows = get_rows(outputs)
    finite = without_padding(rows)
    if rows.size and not len(finite):
        return "rows without a box"
    if len(finite) and (np.abs(finite[:, :4]).max() > NORMALIZED_LIMIT or finite[:, 2:4].min() <= 0):
        return f"columns 0 to 3 are not normalized centres and sides: {_range(finite[:, :4])}"
    if len(finite) and (finite[:, 2:4] > finite[:, :2]).all():
        return "columns 0 to 3 may also be two corners"
    if rows.shape[2] == _ROW:
        return _mismatch_class_and_score(finite, 5, 4)
    return ""


def _read_detr_rows(outputs: Outputs, size: Size, index: int) -> FloatArray:
    """Read rows with the scores of all classes, or with the best score and its class."""
    rows = get_rows(outputs)
    boxes = to_pixels(corners_from_centres(rows[..., :4]), size)
    if rows.shape[2] > _ROW:
        return with_scores(boxes, rows[..., 4 + index])
    return of_class(boxes, rows[..., 4], rows[..., 5], index)


def _detr_row_classes(outputs: Outputs, _: Size) -> int | None:
    columns = get_rows(outputs).shape[2]
    return columns - 4 if columns > _ROW else None


def _mismatch_label_xyxy_score(outputs: Outputs, _: Size) -> str:
    rows = without_padding(get_rows(outputs))
    if len(rows) and np.abs(rows[:, 1:5]).max() > NORMALIZED_LIMIT:
        return f"columns 1 to 4 are not normalized coordinates: {_range(rows[:, 1:5])}"
    if len(rows) and 2 * (rows[:, 3:5] < rows[:, 1:3]).any(axis=1).sum() > len(rows):
        return "columns 1 to 4 are not two corners"
    return _mismatch_class_and_score(rows, 0, 5)


def _read_label_xyxy_score(outputs: Outputs, size: Size, index: int) -> FloatArray:
    rows = get_rows(outputs)
    return of_class(to_pixels(rows[..., 1:5], size), rows[..., 5], rows[..., 0], index)


def _is_rows_and_labels(outputs: Outputs, _: Size) -> bool:
    return {"dets", "labels"} <= set(outputs) and outputs["labels"].ndim == 2 and outputs["dets"].shape[-1] == 5


def _read_rows_and_labels(outputs: Outputs, _: Size, index: int) -> FloatArray:
    rows = outputs["dets"]
    return of_class(rows[..., :4], rows[..., 4], outputs["labels"], index)


# Names of boxes, scores and classes of exporters with an output for their number (YOLOv6 to v8, mmyolo).
_COUNTED = (("det_boxes", "boxes", "bboxes"), ("det_scores", "scores"), ("det_classes", "labels"))


def _counted(outputs: Outputs) -> list[NDArray[Any]] | None:
    """Boxes `(N, K, 4)`, scores `(N, K)` and classes `(N, K)`; None if one of them or their number is missing."""
    found = [next((outputs[name] for name in names if name in outputs), None) for names in _COUNTED]
    present = [value for value in found if value is not None]
    if len(present) < len(found) or detection_counts(outputs) is None:
        return None
    boxes, scores, labels = present
    return present if boxes.ndim == 3 and scores.shape == labels.shape == boxes.shape[:2] else None


def _valid(outputs: Outputs, scores: FloatArray) -> FloatArray:
    """Scores `(N, K)`, set to 0 beyond the number of boxes, where the outputs hold nothing."""
    number = detection_counts(outputs)
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
    """Read normalized corners in the order y, x."""
    boxes = to_pixels(outputs["detection_boxes"][..., [1, 0, 3, 2]], size)
    return of_class(boxes, _valid(outputs, outputs["detection_scores"]), outputs["detection_classes"], index)


def _unbatched(outputs: Outputs) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None:
    """Boxes `(K, 4)`, labels `(K,)` and scores `(K,)`, by their names or by their types; None if there are none."""
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


def _torchvision_person(_: int | None, samples: tuple[Outputs, ...]) -> int:
    """Class 1, since class 0 is the background; unless class 0 is detected, which the background never is."""
    found = [_unbatched(outputs) for outputs in samples]
    return int(not any((each[1] == 0).any() for each in found if each is not None))


def _tensorflow_person(_: int | None, samples: tuple[Outputs, ...]) -> int:
    """As `_torchvision_person`."""
    found = [
        outputs["detection_classes"][_valid(outputs, outputs["detection_scores"]) > CONFIDENT] for outputs in samples
    ]
    return int(not any((labels == 0).any() for labels in found))


def disambiguate(names: list[str], model: ProbedModel) -> list[str]:
    """Decide between formats of six columns, by the names of outputs, inputs and classes if there are no detections."""
    rows = [name for name in names if name in ROWS]
    if len(rows) < 2 or not _is_rows(model.samples[0], model.size):
        return names
    labelled = [name for name in rows if name.startswith("label_xyxy_score")]
    if labelled == rows or any(name.startswith("label_xyxy_score") for name in model.samples[0]):
        return sorted(labelled, reverse="bgr" in model.image_name.lower())  # the likelier one first
    empty = all(get_rows(outputs).shape[1] == 0 for outputs in model.samples)
    # Only Ultralytics pads with zeros, or writes the names of classes into the file.
    return ["yolov10"] if "yolov10" in rows and (model.class_names or not empty) else rows


def _no_count(_: Outputs, __: Size) -> None:
    return None


# Sources: the exporters' documentation and reference scripts.
ROWS: dict[str, Format] = {
    # YOLOX with non-maximum suppression in the graph (mmdeploy, as used by rtmlib)
    "yolox_nms": Format(Fit.CORNER, _is_rows_and_labels, _read_rows_and_labels, _no_count, bgr=True, unit=False),
    # RTMDet by the same exporter: only the output for the sample image distinguishes them
    "rtmdet": Format(Fit.CORNER, _is_rows_and_labels, _read_rows_and_labels, _no_count, bgr=True, imagenet=True),
    # YOLOv6, v7, v8, exported end to end: num_dets, det_boxes, det_scores, det_classes
    "yolo_nms": Format(Fit.CENTRE, _is_counted, _read_counted, _no_count),
    # torchvision's detectors: boxes, labels and scores of one image
    "torchvision": Format(
        Fit.CORNER, _is_torchvision, _read_torchvision, _no_count, person=_torchvision_person, batched=False
    ),
    # TensorFlow's object detection: detection_boxes, detection_classes, detection_scores
    "tensorflow": Format(
        Fit.STRETCH, _is_tensorflow, _read_tensorflow, _no_count, person=_tensorflow_person, unit=False
    ),
    # D-FINE, DEIM, RT-DETR in PINTO's model zoo; the second with the conversion from BGR in the graph
    "label_xyxy_score": Format(
        Fit.STRETCH, _is_six_columns, _read_label_xyxy_score, _no_count, _mismatch_label_xyxy_score
    ),
    "label_xyxy_score_bgr": Format(
        Fit.STRETCH,
        _is_six_columns,
        _read_label_xyxy_score,
        _no_count,
        _mismatch_label_xyxy_score,
        bgr=True,
        unit=False,
    ),
    # RT-DETR as Ultralytics exports it
    "detr_rows": Format(Fit.STRETCH, _is_rows, _read_detr_rows, _detr_row_classes, _mismatch_detr_rows),
    # YOLOv10, YOLO26, and other YOLO models exported with non-maximum suppression
    "yolov10": Format(Fit.CENTRE, _is_yolov10, _read_yolov10, _no_count, _mismatch_yolov10),
}
