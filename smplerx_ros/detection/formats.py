"""What exported detectors take and answer, by family: the image's form, and boxes with the score of one class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .resize import Fit

FloatArray = NDArray[np.floating[Any]]
Outputs = Mapping[str, NDArray[Any]]  # of a network by name, batch first

STRIDES = (8, 16, 32)  # pixels a cell of the grids of all YOLO families; a fourth one of 64 in their large variants
LARGE_STRIDES = (*STRIDES, 64)
GREY = 114  # round the image, as all YOLO families were trained
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of RGB in 0..1
IMAGENET_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
MOST_QUERIES = 1000  # answers of a detector that needs no non-maximum suppression; grids have more


@dataclass(frozen=True)
class Size:
    """Of the network's input, in pixels."""

    width: int
    height: int

    def cells(self, strides: tuple[int, ...] = STRIDES) -> int:
        """Of the grids over the input."""
        return sum((self.width // stride) * (self.height // stride) for stride in strides)


@dataclass(frozen=True)
class Format:
    """A family of detectors.

    `fits` says whether a graph's outputs have this form. `read(outputs, size, class index)` gives `(N, K, 5)`: x0, y0,
    x1, y1 in pixels of the network's input, and score. `classes` how many there are, None where the graph does not say.
    """

    fit: Fit
    fits: Callable[[Outputs, Size], bool]
    read: Callable[[Outputs, Size, int], FloatArray]
    classes: Callable[[Outputs], int | None]
    bgr: bool = False
    unit: bool = True  # values 0..1, else 0..255
    imagenet: bool = False  # mean and deviation taken out
    overlapping: bool = False  # needs non-maximum suppression


def recognised(outputs: Outputs, size: Size) -> str | None:
    """The name of the format that the outputs have; None if it is none of `FORMATS`."""
    return next((name for name, form in FORMATS.items() if form.fits(outputs, size)), None)


def _corners(boxes: FloatArray) -> FloatArray:
    """Centre x, y, width, height to x0, y0, x1, y1 along the last axis."""
    centre, half = boxes[..., :2], boxes[..., 2:4] / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def _with_scores(boxes: FloatArray, scores: FloatArray) -> FloatArray:
    return np.concatenate([boxes, scores[..., None]], axis=-1, dtype=np.float64)


def _of_class(boxes: FloatArray, scores: FloatArray, labels: NDArray[Any], index: int) -> FloatArray:
    """Other classes have the score 0."""
    return _with_scores(boxes, np.where(np.round(labels) == index, scores, 0))


def _sigmoid(logits: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64).clip(-50, 50))))


def _rows(outputs: Outputs) -> FloatArray | None:
    """The only output of rank 3 as float32, None if there is none or are several. Masks are of rank 4."""
    found = [value for value in outputs.values() if value.ndim == 3]
    return found[0].astype(np.float32) if len(found) == 1 else None


def _need_rows(outputs: Outputs) -> FloatArray:
    rows = _rows(outputs)
    assert rows is not None  # `fits` said so
    return rows


def _on_grid(count: int, size: Size) -> tuple[int, ...] | None:
    """The strides of the grids that have `count` cells together."""
    return next((strides for strides in (STRIDES, LARGE_STRIDES) if count == size.cells(strides)), None)


def _is_yolox(outputs: Outputs, size: Size) -> bool:
    rows = _rows(outputs)
    return rows is not None and rows.shape[2] > 5 and _on_grid(rows.shape[1], size) is not None


def _read_yolox(outputs: Outputs, size: Size, index: int) -> FloatArray:
    """Offsets in cells and logarithms of cells, or pixels where the export decodes them (`--decode_in_inference`)."""
    rows = _need_rows(outputs)
    centres, sides = rows[..., :2], rows[..., 2:4]
    if np.median(np.abs(centres)) < STRIDES[0]:  # offsets are about one cell, pixels about half the image
        strides = _on_grid(rows.shape[1], size) or STRIDES
        corners, scale = zip(*(_grid(size, stride) for stride in strides), strict=True)
        stride = np.concatenate(scale)
        centres = (centres + np.concatenate(corners)) * stride
        sides = np.exp(sides.clip(max=np.log(10 * max(size.width, size.height)))) * stride
    boxes = _corners(np.concatenate([centres, sides], axis=-1))
    return _with_scores(boxes, rows[..., 4] * rows[..., 5 + index])


def _grid(size: Size, stride: int) -> tuple[FloatArray, FloatArray]:
    """Corner `(cells, 2)` x, y in cells and stride `(cells, 1)` of every cell, row by row."""
    y, x = np.mgrid[: size.height // stride, : size.width // stride]
    corners = np.stack([x.ravel(), y.ravel()], axis=-1).astype(np.float32)
    return corners, np.full((len(corners), 1), stride, np.float32)


def _is_yolov5(outputs: Outputs, size: Size) -> bool:
    rows = _rows(outputs)
    return (
        rows is not None and rows.shape[2] > 5 and rows.shape[1] % 3 == 0 and bool(_on_grid(rows.shape[1] // 3, size))
    )


def _read_yolov5(outputs: Outputs, _: Size, index: int) -> FloatArray:
    rows = _need_rows(outputs)
    return _with_scores(_corners(rows[..., :4]), rows[..., 4] * rows[..., 5 + index])


def _is_yolov8(outputs: Outputs, size: Size) -> bool:
    rows = _rows(outputs)
    return rows is not None and rows.shape[1] > 4 and _on_grid(rows.shape[2], size) is not None


def _read_yolov8(outputs: Outputs, _: Size, index: int) -> FloatArray:
    rows = _need_rows(outputs).swapaxes(1, 2)
    return _with_scores(_corners(rows[..., :4]), rows[..., 4 + index])


def _yolov8_classes(outputs: Outputs) -> int:
    """Behind the classes come as many mask coefficients as a second output has masks."""
    masks = next((value.shape[1] for value in outputs.values() if value.ndim == 4), 0)
    return int(_need_rows(outputs).shape[1] - 4 - masks)


def _is_yolov10(outputs: Outputs, _: Size) -> bool:
    rows = _rows(outputs)
    return rows is not None and rows.shape[2] == 6 and rows.shape[1] <= MOST_QUERIES


def _read_yolov10(outputs: Outputs, _: Size, index: int) -> FloatArray:
    rows = _need_rows(outputs)
    return _of_class(rows[..., :4], rows[..., 4], rows[..., 5], index)


def _is_detr(outputs: Outputs, _: Size) -> bool:
    return {"labels", "boxes", "scores"} <= set(outputs)


def _read_detr(outputs: Outputs, _: Size, index: int) -> FloatArray:
    return _of_class(outputs["boxes"], outputs["scores"], outputs["labels"], index)


def _is_raw_detr(outputs: Outputs, _: Size) -> bool:
    return {"logits", "pred_boxes"} <= set(outputs)


def _read_raw_detr(outputs: Outputs, size: Size, index: int) -> FloatArray:
    return _from_queries(outputs["pred_boxes"], _sigmoid(outputs["logits"][..., index]), size)


def _is_rfdetr(outputs: Outputs, _: Size) -> bool:
    return {"dets", "labels"} <= set(outputs) and outputs["labels"].ndim == 3 and outputs["dets"].shape[-1] == 4


def _read_rfdetr(outputs: Outputs, size: Size, index: int) -> FloatArray:
    return _from_queries(outputs["dets"], _sigmoid(outputs["labels"][..., index]), size)


def _is_query_rows(outputs: Outputs, _: Size) -> bool:
    """Every query has a box, in shares of the input; rows that suppression left empty have none."""
    rows = _rows(outputs)
    if rows is None or rows.shape[2] < 6 or rows.shape[1] > MOST_QUERIES:
        return False
    return bool((rows[..., 2:4] > 0).all() and (rows[..., :4] <= 2).all())


def _read_query_rows(outputs: Outputs, size: Size, index: int) -> FloatArray:
    """The scores of all classes, or the best one and its class."""
    rows = _need_rows(outputs)
    if rows.shape[2] > 6:
        return _from_queries(rows[..., :4], rows[..., 4 + index], size)
    return _from_queries(rows[..., :4], np.where(np.round(rows[..., 5]) == index, rows[..., 4], 0), size)


def _query_classes(outputs: Outputs) -> int | None:
    columns = _need_rows(outputs).shape[2]
    return columns - 4 if columns > 6 else None


def _from_queries(boxes: FloatArray, scores: FloatArray, size: Size) -> FloatArray:
    """Centre and sides as shares of the input."""
    return _with_scores(_corners(boxes) * [size.width, size.height, size.width, size.height], scores)


def _is_rows_and_labels(outputs: Outputs, _: Size) -> bool:
    return {"dets", "labels"} <= set(outputs) and outputs["labels"].ndim == 2 and outputs["dets"].shape[-1] == 5


def _read_rows_and_labels(outputs: Outputs, _: Size, index: int) -> FloatArray:
    rows = outputs["dets"]
    return _of_class(rows[..., :4], rows[..., 4], outputs["labels"], index)


def _columns(behind: int) -> Callable[[Outputs], int]:
    return lambda outputs: int(_need_rows(outputs).shape[2] - behind)


# Sources: the exporters' documentation and reference scripts. Names first, then shapes; every graph fits at most the
# first one in this order that it should.
FORMATS: dict[str, Format] = {
    # RT-DETR, RT-DETRv2, D-FINE, DEIM: inputs `images` and `orig_target_sizes`; boxes in pixels of the latter
    "detr": Format(Fit.STRETCH, _is_detr, _read_detr, lambda _: None),
    # the same families exported from Hugging Face's Transformers
    "detr_logits": Format(Fit.STRETCH, _is_raw_detr, _read_raw_detr, lambda o: int(o["logits"].shape[-1])),
    # RF-DETR
    "rfdetr": Format(Fit.STRETCH, _is_rfdetr, _read_rfdetr, lambda o: int(o["labels"].shape[-1]), imagenet=True),
    # YOLOX with non-maximum suppression in the graph (mmdeploy, as used by rtmlib)
    "yolox_nms": Format(Fit.CORNER, _is_rows_and_labels, _read_rows_and_labels, lambda _: None, bgr=True, unit=False),
    "yolox": Format(Fit.CORNER, _is_yolox, _read_yolox, _columns(5), bgr=True, unit=False, overlapping=True),
    # YOLOv5 and v7: three anchors a cell
    "yolov5": Format(Fit.CENTRE, _is_yolov5, _read_yolov5, _columns(5), overlapping=True),
    # YOLOv8, v9, 11, 12
    "yolov8": Format(Fit.CENTRE, _is_yolov8, _read_yolov8, _yolov8_classes, overlapping=True),
    # RT-DETR as Ultralytics exports it
    "detr_rows": Format(Fit.STRETCH, _is_query_rows, _read_query_rows, _query_classes),
    # YOLOv10, YOLO26, and other YOLOs exported with their choice of boxes in the graph
    "yolov10": Format(Fit.CENTRE, _is_yolov10, _read_yolov10, lambda _: None),
}
