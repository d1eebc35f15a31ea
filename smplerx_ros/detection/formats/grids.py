"""Heads over grids, a box for each cell: YOLOX, v6, v8 with one, YOLOv5 with three."""

from __future__ import annotations

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.detection.resize import Fit

from .base import (
    LIKELY,
    Format,
    Graph,
    Outputs,
    Size,
    corners,
    doubt_centres,
    filled,
    masks,
    need_rows,
    only_rows,
    with_scores,
)

STRIDES = (8, 16, 32)  # pixels a cell of the grids of all YOLO families; a fourth one of 64 in their large variants
LARGE_STRIDES = (*STRIDES, 64)
# Columns of heads trained on COCO: 80 classes behind box and objectness; or behind the box alone, there also with the
# 17 points of a pose, or the coefficients of 32 masks.
_WITH_OBJECTNESS = {85}
_WITHOUT_OBJECTNESS = {84, 56, 116}
_NAMES = {"output": "yolox", "outputs": "yolov6", "output0": "yolov8"}  # of the output, by their exporters


def _cells(size: Size, strides: tuple[int, ...]) -> int:
    return sum((size.width // stride) * (size.height // stride) for stride in strides)


def strides_of(count: int, size: Size) -> tuple[int, ...] | None:
    """Those of the grids that have `count` cells together."""
    return next((strides for strides in (STRIDES, LARGE_STRIDES) if count == _cells(size, strides)), None)


def _is_dense(outputs: Outputs, size: Size) -> bool:
    """One row a cell, or one column."""
    rows = only_rows(outputs)
    return rows is not None and any(
        columns > 4 and strides_of(cells, size) is not None for cells, columns in (rows.shape[1:], rows.shape[:0:-1])
    )


def _is_dense_with_objectness(outputs: Outputs, size: Size) -> bool:
    return _is_dense(outputs, size) and _by_cell(outputs, size).shape[2] > 5


def _decoded(rows: FloatArray, size: Size) -> bool:
    """Sides in pixels: as logarithms of cells none is larger than the image."""
    return bool(np.nanmax(rows[..., 2:4], initial=0) > np.log(10 * max(size.width, size.height)))


def _read_yolox(outputs: Outputs, size: Size, index: int) -> FloatArray:
    """Offsets in cells and logarithms of cells, or pixels where the export decodes them (`--decode_in_inference`)."""
    rows = _by_cell(outputs, size)
    centres, sides = rows[..., :2], rows[..., 2:4]
    if not _decoded(rows, size):
        strides = strides_of(rows.shape[1], size) or STRIDES
        first, scale = zip(*(_grid(size, stride) for stride in strides), strict=True)
        stride = np.concatenate(scale)
        centres = (centres + np.concatenate(first)) * stride
        sides = np.exp(sides) * stride
    boxes = corners(np.concatenate([centres, sides], axis=-1))
    return with_scores(boxes, rows[..., 4] * rows[..., 5 + index])


def _grid(size: Size, stride: int) -> tuple[FloatArray, FloatArray]:
    """Corner `(cells, 2)` x, y in cells and stride `(cells, 1)` of every cell, row by row."""
    y, x = np.mgrid[: size.height // stride, : size.width // stride]
    first = np.stack([x.ravel(), y.ravel()], axis=-1).astype(np.float32)
    return first, np.full((len(first), 1), stride, np.float32)


def _doubt_yolox(outputs: Outputs, size: Size) -> str:
    rows = filled(_by_cell(outputs, size)[..., :5])
    return doubt_centres(rows) if _decoded(rows, size) else ""


def _doubt_yolov6(outputs: Outputs, size: Size) -> str:
    rows = filled(_by_cell(outputs, size)[..., :5])
    if len(rows) and not (rows[:, 4] == 1).all():
        return "column 4 is not 1 in every row"
    return _doubt_pixels(outputs, size)


def _doubt_pixels(outputs: Outputs, size: Size) -> str:
    rows = filled(_by_cell(outputs, size)[..., :5])
    if len(rows) and not _decoded(rows, size):
        return f"no box is larger than {rows[:, 2:4].max():.3g} pixels"
    return doubt_centres(rows)


def _doubt_yolov5(outputs: Outputs, _: Size) -> str:
    return doubt_centres(filled(need_rows(outputs)[..., :5]))


def _read_yolov6(outputs: Outputs, size: Size, index: int) -> FloatArray:
    return _with_objectness(_by_cell(outputs, size), index)


def _read_yolov5(outputs: Outputs, _: Size, index: int) -> FloatArray:
    return _with_objectness(need_rows(outputs), index)


def _with_objectness(rows: FloatArray, index: int) -> FloatArray:
    return with_scores(corners(rows[..., :4]), rows[..., 4] * rows[..., 5 + index])


def _is_yolov5(outputs: Outputs, size: Size) -> bool:
    rows = only_rows(outputs)
    return (
        rows is not None
        and rows.shape[2] > 5
        and rows.shape[1] % 3 == 0
        and strides_of(rows.shape[1] // 3, size) is not None
    )


def _by_cell(outputs: Outputs, size: Size) -> FloatArray:
    """`(N, cells, columns)`, whichever axis the export has the cells on."""
    rows = need_rows(outputs)
    return rows if strides_of(rows.shape[1], size) else rows.swapaxes(1, 2)


def _read_yolov8(outputs: Outputs, size: Size, index: int) -> FloatArray:
    rows = _by_cell(outputs, size)
    return with_scores(corners(rows[..., :4]), rows[..., 4 + index])


def _yolov8_classes(outputs: Outputs, size: Size) -> int:
    """Behind the classes come as many mask coefficients as a second output has masks."""
    columns = int(_by_cell(outputs, size).shape[2])
    return columns - 4 - masks(outputs, columns, size)


def _yolov5_classes(outputs: Outputs, _: Size) -> int:
    return int(need_rows(outputs).shape[2] - 5)


def _classes_behind_objectness(outputs: Outputs, size: Size) -> int:
    return int(_by_cell(outputs, size).shape[2] - 5)


def tell_apart(names: list[str], graph: Graph) -> list[str]:
    """Of formats whose shapes are the same, those that the file's values and names allow."""
    dense = [name for name in names if name in ("yolox", "yolov6", "yolov8")]
    if len(dense) < 2 and not (dense and _across(graph)):
        return names
    with_objectness = _has_objectness(graph)
    if with_objectness is None:
        return names
    if not with_objectness:
        return [name for name in dense if name == "yolov8"]
    told = "yolov6" if "yolov6" in dense and _every_objectness_is_1(graph) else "yolox"
    return [name for name in dense if name == told]


def _has_objectness(graph: Graph) -> bool | None:
    """Whether column 4 is the objectness and not a class; None where nothing tells."""
    answer = graph.answers[0]
    output = next(name for name, value in answer.items() if value.ndim == 3)
    columns = _by_cell(answer, graph.size).shape[2]
    if graph.class_names:
        return columns - 5 == len(graph.class_names)
    if columns in _WITH_OBJECTNESS:
        return True
    if columns in _WITHOUT_OBJECTNESS or masks(answer, columns, graph.size):
        return False
    found = _objectness_found(graph)
    if _across(graph):  # YOLOv8's layout; others only where name and values say so
        return bool(found) and _NAMES.get(output, "yolov8") != "yolov8"
    if found is None and output in _NAMES:
        return _NAMES[output] != "yolov8"
    return found


def _across(graph: Graph) -> bool:
    """Whether it has a column a cell."""
    return strides_of(need_rows(graph.answers[0]).shape[1], graph.size) is None


def _objectness_found(graph: Graph) -> bool | None:
    """A cell shows one thing: of two classes' scores one is small; objectness and its class's score are both large."""
    dark, bright = (filled(_by_cell(graph.answers[which], graph.size))[:, 4:] for which in (1, -1))
    if _both(dark) > LIKELY:
        return True
    if _both(bright) > LIKELY:  # a network that wants 0..1 answers anything to 0..255
        return None if dark.max(initial=0) > LIKELY else True
    return False if max(dark.max(initial=0), bright.max(initial=0)) > LIKELY else None


def _both(scores: FloatArray) -> float:
    return float((scores[:, :1] * scores[:, 1:]).max(initial=0))


def _every_objectness_is_1(graph: Graph) -> bool:
    """Not only in the few rows with a box that YOLOX could be sure of."""
    (output,) = (name for name, value in graph.answers[0].items() if value.ndim == 3)
    return _NAMES.get(output) != "yolox" or all(
        (_by_cell(answer, graph.size)[..., 4] == 1).all() for answer in graph.answers
    )


# Sources: the exporters' documentation and reference scripts.
GRIDS: dict[str, Format] = {
    "yolox": Format(
        Fit.CORNER,
        _is_dense_with_objectness,
        _read_yolox,
        _classes_behind_objectness,
        _doubt_yolox,
        bgr=True,
        unit=False,
        overlapping=True,
    ),
    # YOLOv6: pixels, and an objectness that is 1 in every cell
    "yolov6": Format(
        Fit.CENTRE,
        _is_dense_with_objectness,
        _read_yolov6,
        _classes_behind_objectness,
        _doubt_yolov6,
        overlapping=True,
    ),
    # YOLOv5 and v7: three anchors a cell
    "yolov5": Format(Fit.CENTRE, _is_yolov5, _read_yolov5, _yolov5_classes, _doubt_yolov5, overlapping=True),
    # YOLOv8, v9, 11, 12: (4 + classes, cells), or the other way round
    "yolov8": Format(Fit.CENTRE, _is_dense, _read_yolov8, _yolov8_classes, _doubt_pixels, overlapping=True),
}
