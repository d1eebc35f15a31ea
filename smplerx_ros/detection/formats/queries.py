"""The DETR family: queries with normalized boxes and the logits of all classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.detection.resize import Fit

from .base import (
    COCO_CATEGORIES,
    NORMALIZED_LIMIT,
    Format,
    Outputs,
    ProbedModel,
    Size,
    corners_from_centres,
    detection_counts,
    of_class,
    sigmoid,
    to_pixels,
    with_scores,
)

_BOXES = ("pred_boxes",)
_LOGITS = ("logits", "pred_logits")  # in Transformers, and in the authors' code
NO_OBJECT = 1  # an additional last class of models with a softmax


def _first_of(outputs: Outputs, names: tuple[str, ...]) -> NDArray[Any] | None:
    return next((outputs[name] for name in names if name in outputs), None)


def _logits(outputs: Outputs) -> NDArray[Any]:
    logits = _first_of(outputs, _LOGITS)
    assert logits is not None
    return logits


def _is_raw_detr(outputs: Outputs, _: Size) -> bool:
    boxes, logits = _first_of(outputs, _BOXES), _first_of(outputs, _LOGITS)
    return boxes is not None and logits is not None and boxes.ndim == logits.ndim == 3 and boxes.shape[2] == 4


def _has_softmax(outputs: Outputs, size: Size) -> bool:
    return _is_raw_detr(outputs, size) and _logits(outputs).shape[2] > NO_OBJECT


def _mismatch_normalized(outputs: Outputs, _: Size) -> str:
    return _mismatch_queries("pred_boxes", outputs["pred_boxes"], _logits(outputs))


def _mismatch_queries(name: str, boxes: NDArray[Any], logits: NDArray[Any]) -> str:
    boxes = boxes[np.isfinite(boxes).all(axis=-1)]
    if boxes.size and not -NORMALIZED_LIMIT <= boxes.min() <= boxes.max() <= NORMALIZED_LIMIT:
        return f"{name} are {boxes.min():.3g} to {boxes.max():.3g}, not normalized coordinates"
    if len(boxes) > 1 and (boxes[:, 2:] > boxes[:, :2]).all() and len(np.unique(boxes, axis=0)) > 1:
        return f"{name} are two corners, not centres and sides"
    if logits.size and logits.min() >= 0 and logits.max() <= 1:
        return f"its logits are {logits.min():.3g} to {logits.max():.3g}: scores, not logits"
    return ""


def _read_sigmoid(outputs: Outputs, size: Size, index: int) -> FloatArray:
    return _from_queries(outputs["pred_boxes"], sigmoid(_logits(outputs)[..., index]), size)


def _read_softmax(outputs: Outputs, size: Size, index: int) -> FloatArray:
    return _from_queries(outputs["pred_boxes"], _softmax(_logits(outputs))[..., index], size)


def _softmax(logits: NDArray[Any]) -> FloatArray:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _from_queries(boxes: FloatArray, scores: FloatArray, size: Size) -> FloatArray:
    """Join normalized centres and sides with scores."""
    return with_scores(to_pixels(corners_from_centres(boxes), size), scores)


def _is_rfdetr(outputs: Outputs, _: Size) -> bool:
    return {"dets", "labels"} <= set(outputs) and outputs["labels"].ndim == 3 and outputs["dets"].shape[-1] == 4


def _mismatch_rfdetr(outputs: Outputs, _: Size) -> str:
    return _mismatch_queries("dets", outputs["dets"], outputs["labels"])


def _read_rfdetr(outputs: Outputs, size: Size, index: int) -> FloatArray:
    return _from_queries(outputs["dets"], sigmoid(outputs["labels"][..., index]), size)


def _is_detr(outputs: Outputs, _: Size) -> bool:
    named = {"labels", "boxes", "scores"} <= set(outputs) and detection_counts(outputs) is None
    return named and outputs["boxes"].ndim == 3 and outputs["labels"].ndim == outputs["scores"].ndim == 2


def _read_detr(outputs: Outputs, _: Size, index: int) -> FloatArray:
    return of_class(outputs["boxes"], outputs["scores"], outputs["labels"], index)


def disambiguate(names: list[str], model: ProbedModel) -> list[str]:
    """Decide between a sigmoid of 80 classes or of COCO's 91 categories, and a softmax with a class for no object."""
    if "detr_softmax" not in names:
        return names
    count = _logits(model.samples[0]).shape[2]
    if count == COCO_CATEGORIES + NO_OBJECT or (count != COCO_CATEGORIES and _mostly_no_object(model)):
        return ["detr_softmax"]
    return ["deformable_detr"] if count == COCO_CATEGORIES else ["detr_logits"]


def _mostly_no_object(model: ProbedModel) -> bool:
    """Whether most queries predict the last class; with a sigmoid, most predict none."""
    samples = [_logits(outputs) for outputs in model.samples]
    logits = np.concatenate([sample.reshape(-1, sample.shape[2]) for sample in samples])
    sure = (logits.argmax(axis=1) == logits.shape[1] - 1) & (logits[:, -1] > 0)
    return bool(2 * sure.sum() > len(sure))


QUERIES: dict[str, Format] = {
    # RT-DETR, RT-DETRv2, D-FINE, DEIM: inputs `images` and `orig_target_sizes`; boxes in pixels of the latter
    "detr": Format(Fit.STRETCH, _is_detr, _read_detr, lambda _, __: None),
    # the same models exported from Hugging Face's Transformers
    "detr_logits": Format(
        Fit.STRETCH, _is_raw_detr, _read_sigmoid, lambda o, _: int(_logits(o).shape[2]), _mismatch_normalized
    ),
    # DETR, YOLOS: a softmax over the classes and a last one for no object
    "detr_softmax": Format(
        Fit.STRETCH,
        _has_softmax,
        _read_softmax,
        lambda o, _: int(_logits(o).shape[2]) - NO_OBJECT,
        _mismatch_normalized,
        imagenet=True,
    ),
    # Deformable and Conditional DETR
    "deformable_detr": Format(
        Fit.STRETCH,
        _is_raw_detr,
        _read_sigmoid,
        lambda o, _: int(_logits(o).shape[2]),
        _mismatch_normalized,
        imagenet=True,
    ),
    # RF-DETR
    "rfdetr": Format(
        Fit.STRETCH, _is_rfdetr, _read_rfdetr, lambda o, _: int(o["labels"].shape[-1]), _mismatch_rfdetr, imagenet=True
    ),
}
