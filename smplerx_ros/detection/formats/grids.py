"""Dense heads, with one box per grid cell (YOLOX, YOLOv6, YOLOv8) or three (YOLOv5)."""

from __future__ import annotations

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.detection.resize import Fit

from .base import (
    CONFIDENT,
    Format,
    Outputs,
    ProbedModel,
    Size,
    check_centres,
    corners_from_centres,
    find_rows,
    get_rows,
    mask_count,
    with_scores,
    without_padding,
)

STRIDES = (8, 16, 32)  # pixels per cell, in all YOLO families; the large variants have a fourth grid
LARGE_STRIDES = (*STRIDES, 64)
# Columns of heads trained on COCO: box, objectness and 80 classes; or box and 80 classes, box, person and 17 keypoints,
# or box, 80 classes and 32 mask coefficients.
_WITH_OBJECTNESS = {85}
_WITHOUT_OBJECTNESS = {84, 56, 116}
_NAMES = {"output": "yolox", "outputs": "yolov6", "output0": "yolov8"}  # of the output, as named by their exporters


def _cells(size: Size, strides: tuple[int, ...]) -> int:
    return sum((size.width // stride) * (size.height // stride) for stride in strides)


def strides_of(count: int, size: Size) -> tuple[int, ...] | None:
    """Strides of the grids that have `count` cells in total; None if there are none."""
    return next((strides for strides in (STRIDES, LARGE_STRIDES) if count == _cells(size, strides)), None)


def _is_dense(outputs: Outputs, size: Size) -> bool:
    """Whether there is one row, or one column, per cell."""
    rows = find_rows(outputs)
    return rows is not None and any(
        columns > 4 and strides_of(cells, size) is not None for cells, columns in (rows.shape[1:], rows.shape[:0:-1])
    )


def _is_dense_with_objectness(outputs: Outputs, size: Size) -> bool:
    return _is_dense(outputs, size) and _by_cell(outputs, size).shape[2] > 5


def _decoded(rows: FloatArray, size: Size) -> bool:
    """Whether sides are in pixels: as logarithms of cells, they would be larger than the image."""
    return bool(np.nanmax(rows[..., 2:4], initial=0) > np.log(10 * max(size.width, size.height)))


def _read_yolox(outputs: Outputs, size: Size, index: int) -> FloatArray:
    """Read offsets and log sizes in cells, or pixels if the export decodes them (`--decode_in_inference`)."""
    rows = _by_cell(outputs, size)
    centres, sides = rows[..., :2], rows[..., 2:4]
    if not _decoded(rows, size):
        strides = strides_of(rows.shape[1], size) or STRIDES
        first, scale = zip(*(_grid(size, stride) for stride in strides), strict=True)
        stride = np.concatenate(scale)
        centres = (centres + np.concatenate(first)) * stride
        sides = np.exp(sides) * stride
    boxes = corners_from_centres(np.concatenate([centres, sides], axis=-1))
    return with_scores(boxes, rows[..., 4] * rows[..., 5 + index])


def _grid(size: Size, stride: int) -> tuple[FloatArray, FloatArray]:
    """Corner x, y `(cells, 2)`, in cells, and stride `(cells, 1)` of every cell, row by row."""
    y, x = np.mgrid[: size.height // stride, : size.width // stride]
    first = np.stack([x.ravel(), y.ravel()], axis=-1).astype(np.float32)
    return first, np.full((len(first), 1), stride, np.float32)


def _mismatch_yolox(outputs: Outputs, size: Size) -> str:
    rows = without_padding(_by_cell(outputs, size)[..., :5])
    return check_centres(rows) if _decoded(rows, size) else ""


def _mismatch_yolov6(outputs: Outputs, size: Size) -> str:
    rows = without_padding(_by_cell(outputs, size)[..., :5])
    if len(rows) and not (rows[:, 4] == 1).all():
        return "column 4 is not 1 in every row"
    return _mismatch_in_pixels(outputs, size)


def _mismatch_in_pixels(outputs: Outputs, size: Size) -> str:
    rows = without_padding(_by_cell(outputs, size)[..., :5])
    if len(rows) and not _decoded(rows, size):
        return f"no box is larger than {rows[:, 2:4].max():.3g} pixels"
    return check_centres(rows)


def _mismatch_yolov5(outputs: Outputs, _: Size) -> str:
    return check_centres(without_padding(get_rows(outputs)[..., :5]))


def _read_yolov6(outputs: Outputs, size: Size, index: int) -> FloatArray:
    return _with_objectness(_by_cell(outputs, size), index)


def _read_yolov5(outputs: Outputs, _: Size, index: int) -> FloatArray:
    return _with_objectness(get_rows(outputs), index)


def _with_objectness(rows: FloatArray, index: int) -> FloatArray:
    return with_scores(corners_from_centres(rows[..., :4]), rows[..., 4] * rows[..., 5 + index])


def _is_yolov5(outputs: Outputs, size: Size) -> bool:
    rows = find_rows(outputs)
    return (
        rows is not None
        and rows.shape[2] > 5
        and rows.shape[1] % 3 == 0
        and strides_of(rows.shape[1] // 3, size) is not None
    )


def _by_cell(outputs: Outputs, size: Size) -> FloatArray:
    """Output as `(N, cells, columns)`, whichever axis has the cells."""
    rows = get_rows(outputs)
    return rows if strides_of(rows.shape[1], size) else rows.swapaxes(1, 2)


def _read_yolov8(outputs: Outputs, size: Size, index: int) -> FloatArray:
    rows = _by_cell(outputs, size)
    return with_scores(corners_from_centres(rows[..., :4]), rows[..., 4 + index])


def _yolov8_classes(outputs: Outputs, size: Size) -> int:
    """Number of classes; mask coefficients may follow them."""
    columns = int(_by_cell(outputs, size).shape[2])
    return columns - 4 - mask_count(outputs, columns, size)


def _yolov5_classes(outputs: Outputs, _: Size) -> int:
    return int(get_rows(outputs).shape[2] - 5)


def _classes_behind_objectness(outputs: Outputs, size: Size) -> int:
    return int(_by_cell(outputs, size).shape[2] - 5)


def disambiguate(names: list[str], model: ProbedModel) -> list[str]:
    """Exclude formats of the same shapes by the model's values and names."""
    dense = [name for name in names if name in ("yolox", "yolov6", "yolov8")]
    if len(dense) < 2 and not (dense and _cells_last(model)):
        return names
    with_objectness = _has_objectness(model)
    if with_objectness is None:
        return names
    if not with_objectness:
        return [name for name in dense if name == "yolov8"]
    chosen = "yolov6" if "yolov6" in dense and _every_objectness_is_1(model) else "yolox"
    return [name for name in dense if name == chosen]


def _has_objectness(model: ProbedModel) -> bool | None:
    """Whether column 4 is the objectness and not a class; None if that cannot be determined."""
    outputs = model.samples[0]
    name = next(name for name, value in outputs.items() if value.ndim == 3)
    columns = _by_cell(outputs, model.size).shape[2]
    if model.class_names:
        return columns - 5 == len(model.class_names)
    if columns in _WITH_OBJECTNESS:
        return True
    if columns in _WITHOUT_OBJECTNESS or mask_count(outputs, columns, model.size):
        return False
    found = _objectness_found(model)
    if _cells_last(model):  # YOLOv8's layout; another format only if both name and values indicate it
        return bool(found) and _NAMES.get(name, "yolov8") != "yolov8"
    if found is None and name in _NAMES:
        return _NAMES[name] != "yolov8"
    return found


def _cells_last(model: ProbedModel) -> bool:
    """Whether there is one column per cell."""
    return strides_of(get_rows(model.samples[0]).shape[1], model.size) is None


def _objectness_found(model: ProbedModel) -> bool | None:
    """Whether column 4 and another column are large in the same cell, which two classes never are."""
    dark, bright = (without_padding(_by_cell(model.samples[which], model.size))[:, 4:] for which in (1, -1))
    if _max_product(dark) > CONFIDENT:
        return True
    if _max_product(bright) > CONFIDENT:  # values of 0..255 may give anything in a network for 0..1
        return None if dark.max(initial=0) > CONFIDENT else True
    return False if max(dark.max(initial=0), bright.max(initial=0)) > CONFIDENT else None


def _max_product(scores: FloatArray) -> float:
    return float((scores[:, :1] * scores[:, 1:]).max(initial=0))


def _every_objectness_is_1(model: ProbedModel) -> bool:
    """Whether it is 1 in every cell, and not only in the few for which YOLOX may be certain."""
    (name,) = (name for name, value in model.samples[0].items() if value.ndim == 3)
    return _NAMES.get(name) != "yolox" or all(
        (_by_cell(outputs, model.size)[..., 4] == 1).all() for outputs in model.samples
    )


# Sources: the exporters' documentation and reference scripts.
GRIDS: dict[str, Format] = {
    "yolox": Format(
        Fit.CORNER,
        _is_dense_with_objectness,
        _read_yolox,
        _classes_behind_objectness,
        _mismatch_yolox,
        bgr=True,
        unit=False,
        overlapping=True,
    ),
    # YOLOv6: pixels, objectness is 1 in every cell
    "yolov6": Format(
        Fit.CENTRE,
        _is_dense_with_objectness,
        _read_yolov6,
        _classes_behind_objectness,
        _mismatch_yolov6,
        overlapping=True,
    ),
    # YOLOv5 and v7: three anchors per cell
    "yolov5": Format(Fit.CENTRE, _is_yolov5, _read_yolov5, _yolov5_classes, _mismatch_yolov5, overlapping=True),
    # YOLOv8, v9, 11, 12: (4 + classes, cells), or transposed
    "yolov8": Format(Fit.CENTRE, _is_dense, _read_yolov8, _yolov8_classes, _mismatch_in_pixels, overlapping=True),
}
