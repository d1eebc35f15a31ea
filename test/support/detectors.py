"""ONNX graphs with the outputs of common exported detectors, by family; their results are constant and known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE = 64  # of the networks' input: 64 + 16 + 4 cells
CELLS = 84
WIDE = np.full((100, 200, 3), 90, np.uint8)  # 64 x 32 in the networks' input
# The box that every network returns, in the image WIDE.
PERSON = np.array([50.0, 25.0, 100.0, 75.0])
SCORE = 0.8
Outputs = dict[str, NDArray[Any]]


def corner(box: NDArray[Any]) -> NDArray[Any]:
    return box * 0.32


def centre(box: NDArray[Any]) -> NDArray[Any]:
    return box * 0.32 + [0, 16, 0, 16]


def stretch(box: NDArray[Any]) -> NDArray[Any]:
    return box * [0.32, 0.64, 0.32, 0.64]


def xywh(box: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([(box[:2] + box[2:]) / 2, box[2:] - box[:2]])


def one_hot(index: int, classes: int, value: float = 1.0) -> NDArray[Any]:
    scores = np.zeros(classes)
    scores[index] = value
    return scores


def logit(score: float) -> float:
    return float(np.log(score / (1 - score)))


def yolox(index: int) -> Outputs:
    """Cell (3, 2) of the grid of 8 px, and a duplicate with a lower score from its neighbour."""
    rows = np.zeros((CELLS, 5 + 3))
    x, y, width, height = xywh(corner(PERSON))
    for column, objectness in ((3, SCORE), (2, 0.6)):
        offsets = x / 8 - column, y / 8 - 2, np.log(width / 8), np.log(height / 8)
        rows[2 * 8 + column] = [*offsets, objectness, *one_hot(index, 3)]
    return {"output": rows}


def yolox_decoded(index: int) -> Outputs:
    rows = np.zeros((CELLS, 5 + 3))
    rows[:, :4] = [32, 32, 8, 8]
    rows[7] = [*xywh(corner(PERSON)), 1.0, *one_hot(index, 3, SCORE)]
    return {"output": rows}


def yolox_nms(index: int) -> Outputs:
    return {"dets": np.array([[*corner(PERSON), SCORE], [0, 0, 9, 9, 0.9]]), "labels": np.array([index, 2 - index])}


def yolov5(index: int) -> Outputs:
    rows = np.zeros((3 * CELLS, 5 + 3))
    rows[5] = rows[6] = [*xywh(centre(PERSON)), SCORE, *one_hot(index, 3)]
    return {"output0": rows}


def yolov8(index: int) -> Outputs:
    rows = np.zeros((CELLS, 4 + 3))
    rows[5] = rows[6] = [*xywh(centre(PERSON)), *one_hot(index, 3, SCORE)]
    return {"output0": rows.T}


def yolov8_seg(index: int) -> Outputs:
    coefficients = np.full((5, CELLS), 9.0)
    return {"output0": np.concatenate([yolov8(index)["output0"], coefficients]), "output1": np.ones((5, 16, 16))}


def yolov10(index: int) -> Outputs:
    rows = np.zeros((300, 6))
    rows[0] = [*centre(PERSON), SCORE, index]
    rows[1] = [0, 0, 60, 60, 0.95, 2 - index]
    return {"output0": rows}


def detr(index: int) -> Outputs:
    boxes = np.array([stretch(PERSON), [0, 0, 60, 60]])
    return {"labels": np.array([index, 2 - index]), "boxes": boxes, "scores": np.array([SCORE, 0.95])}


def detr_logits(index: int) -> Outputs:
    logits = np.full((50, 3), -9.0)
    logits[4, index], logits[5, 2 - index] = logit(SCORE), logit(0.95)
    return {"logits": logits, "pred_boxes": np.tile(xywh(stretch(PERSON)) / SIDE, (50, 1))}


def rfdetr(index: int) -> Outputs:
    answer = detr_logits(index)
    return {"dets": answer["pred_boxes"], "labels": answer["logits"]}


def detr_rows(index: int) -> Outputs:
    rows = np.zeros((300, 4 + 3))
    rows[:, :4] = 0.1
    rows[9] = [*xywh(stretch(PERSON)) / SIDE, *one_hot(index, 3, SCORE)]
    return {"output0": rows}


def detr_best_rows(index: int) -> Outputs:
    rows = np.full((300, 6), 0.1)
    rows[9] = [*xywh(stretch(PERSON)) / SIDE, SCORE, index]
    rows[8] = [0.5, 0.5, 0.5, 0.5, 0.95, 2 - index]
    return {"output0": rows}


def yolov6(index: int) -> Outputs:
    """Every cell has an objectness of 1."""
    rows = np.zeros((CELLS, 5 + 3))
    rows[:, :5] = [32, 32, 8, 8, 1]
    rows[7] = [*xywh(centre(PERSON)), 1.0, *one_hot(index, 3, SCORE)]
    return {"outputs": rows}


def yolov6_sparse(index: int) -> Outputs:
    rows = np.zeros((CELLS, 5 + 80))
    rows[7] = [*xywh(centre(PERSON)), 1.0, *one_hot(index, 80, SCORE)]
    return {"outputs": rows}


def yolox_across(index: int) -> Outputs:
    """Decoded, one column per cell."""
    return {"output": yolox_decoded(index)["output"].T}


def yolov6_across(index: int) -> Outputs:
    return {"outputs": yolov6(index)["outputs"].T}


def yolox_with_layers(index: int) -> Outputs:
    """With additional outputs of inner layers."""
    return yolox_decoded(index) | {"layer": np.zeros((2, 8, 8))}


def yolov6_with_layers(index: int) -> Outputs:
    return yolov6(index) | {"layer": np.zeros((2, 8, 8)), "other": np.zeros((2, 16, 16))}


def yolov8_across(index: int) -> Outputs:
    return {"output0": yolov8(index)["output0"].T}


def yolov8_across_by_values(index: int) -> Outputs:
    """Without a name that identifies the family."""
    return {"output": yolov8(index)["output0"].T}


def yolov8_pose_across(index: int) -> Outputs:
    rows = np.zeros((CELLS, 4 + 1 + 51))
    rows[5] = [*xywh(centre(PERSON)), *one_hot(index, 52, SCORE)]
    return {"predictions": rows}


def detr_softmax(index: int) -> Outputs:
    """Softmax over a few classes and "no object", which most queries return."""
    logits = np.tile([-6.0, -6.0, -6.0, 4.0], (50, 1))
    logits[4] = logits[5] = -40
    logits[4, index], logits[4, 3] = logit(SCORE) + 5, 5
    logits[5, 2 - index] = 4
    logits[6, index], logits[6, 3] = 4, 9  # likely, but "no object" is more likely
    return {"logits": logits, "pred_boxes": np.tile(xywh(stretch(PERSON)) / SIDE, (50, 1))}


def yolos(index: int) -> Outputs:
    """COCO's 91 categories and "no object", recognized by their number."""
    logits = np.full((100, 92), -40.0)
    logits[:, 91] = 0
    logits[4, index], logits[4, 91] = logit(SCORE) + 5, 5
    logits[5, index], logits[5, 91] = 4, 9  # likely, but "no object" is more likely
    return {"logits": logits, "pred_boxes": np.tile(xywh(stretch(PERSON)) / SIDE, (100, 1))}


def detr_authors(index: int) -> Outputs:
    answer = yolos(index)
    return {"pred_logits": answer["logits"], "pred_boxes": answer["pred_boxes"]}


def deformable_detr(index: int) -> Outputs:
    logits = np.full((300, 91), -9.0)
    logits[4, index] = logit(SCORE)
    return {"logits": logits, "pred_boxes": np.tile(xywh(stretch(PERSON)) / SIDE, (300, 1))}


def torchvision(index: int) -> Outputs:
    """Labels start at 1; without batch dimension."""
    boxes = np.array([corner(PERSON), [0, 0, 60, 60]], np.float32)
    return {"boxes": boxes, "labels": np.array([index, 5 - index]), "scores": np.array([SCORE, 0.95], np.float32)}


def torchvision_unnamed(index: int) -> Outputs:
    """Order of RetinaNet, numeric names, and the masks of Mask R-CNN."""
    answer = torchvision(index)
    renamed = {"2109": answer["boxes"], "2110": answer["scores"], "2111": answer["labels"].astype(np.int32)}
    return renamed | {"2112": np.ones((2, 1, 28, 28))}


def yolo_nms(index: int) -> Outputs:
    """The third box exceeds the count."""
    boxes = np.array([centre(PERSON), [0, 0, 60, 60], [9, 9, 50, 50]])
    classes, scores = np.array([index, 2 - index, index]), np.array([SCORE, 0.95, 0.9])
    return {"num_dets": np.array([2]), "det_boxes": boxes, "det_scores": scores, "det_classes": classes}


def mmyolo(index: int) -> Outputs:
    answer = yolo_nms(index)
    names = {"num_dets": "num_dets", "det_boxes": "boxes", "det_scores": "scores", "det_classes": "labels"}
    return {name: answer[ours] for ours, name in names.items()}


def tensorflow_counted(index: int) -> Outputs:
    """Names as written by tf2onnx; the third box exceeds the count."""
    relative = stretch(PERSON)[[1, 0, 3, 2]] / SIDE
    return {
        "detection_boxes:0": np.array([relative, [0, 0, 1, 1], [0.1, 0.1, 0.9, 0.9]]),
        "detection_classes:0": np.array([index, 5.0 - index, index]),
        "detection_scores:0": np.array([SCORE, 0.95, 0.9]),
        "num_detections:0": np.array(2.0),
    }


def tensorflow(index: int) -> Outputs:
    boxes = np.array([stretch(PERSON)[[1, 0, 3, 2]] / SIDE, [0, 0, 1, 1]])
    return {
        "detection_boxes": boxes,
        "detection_classes": np.array([index, 5.0 - index]),
        "detection_scores": np.array([SCORE, 0.95]),
        "num_detections": np.array(2.0),
    }


def label_xyxy_score(index: int) -> Outputs:
    rows = np.tile([2.0 - index, 0.0, 0.0, 0.9, 0.9, 0.95], (1250, 1))
    rows[1:, 5] = 0.01
    rows[9] = [index, *(stretch(PERSON) / SIDE), SCORE]
    return {"label_xyxy_score": rows}


FAMILIES: dict[str, tuple[Callable[[int], Outputs], str]] = {
    "yolox": (yolox, "yolox"),
    "yolox_decoded": (yolox_decoded, "yolox"),
    "yolox_nms": (yolox_nms, "yolox_nms"),
    "yolov5": (yolov5, "yolov5"),
    "yolov6": (yolov6, "yolov6"),
    "yolov6_sparse": (yolov6_sparse, "yolov6"),
    "yolox_across": (yolox_across, "yolox"),
    "yolov6_across": (yolov6_across, "yolov6"),
    "yolox_with_layers": (yolox_with_layers, "yolox"),
    "yolov6_with_layers": (yolov6_with_layers, "yolov6"),
    "yolov8": (yolov8, "yolov8"),
    "yolov8_seg": (yolov8_seg, "yolov8"),
    "yolov8_across": (yolov8_across, "yolov8"),
    "yolov8_across_by_values": (yolov8_across_by_values, "yolov8"),
    "yolov8_pose_across": (yolov8_pose_across, "yolov8"),
    "yolov10": (yolov10, "yolov10"),
    "yolo_nms": (yolo_nms, "yolo_nms"),
    "detr": (detr, "detr"),
    "detr_logits": (detr_logits, "detr_logits"),
    "detr_softmax": (detr_softmax, "detr_softmax"),
    "yolos": (yolos, "detr_softmax"),
    "detr_authors": (detr_authors, "detr_softmax"),
    "deformable_detr": (deformable_detr, "deformable_detr"),
    "rfdetr": (rfdetr, "rfdetr"),
    "detr_rows": (detr_rows, "detr_rows"),
    "detr_best_rows": (detr_best_rows, "detr_rows"),
    "label_xyxy_score": (label_xyxy_score, "label_xyxy_score"),
    "mmyolo": (mmyolo, "yolo_nms"),
    "tensorflow": (tensorflow, "tensorflow"),
    "tensorflow_counted": (tensorflow_counted, "tensorflow"),
    "torchvision": (torchvision, "torchvision"),
    "torchvision_unnamed": (torchvision_unnamed, "torchvision"),
}
# Differences of a family's graph from one input (N, 3, H, W) and batched outputs.
SHAPES: dict[str, dict[str, Any]] = {
    "detr": {"beside": {"orig_target_sizes": (2,)}},
    "torchvision": {"batched": False},
}


def written(path: Path, family: str, index: int, **options: Any) -> Path:
    """Write the network of a family; the person has class `index`."""
    make, name = FAMILIES[family]
    return write(path, make(index), **(SHAPES.get(name, {}) | options))


def write(
    path: Path,
    outputs: Mapping[str, NDArray[Any]],
    *,
    shape: tuple[int | str, ...] = (1, 3, SIDE, SIDE),
    type: int = TensorProto.FLOAT,
    image: str = "images",
    beside: Mapping[str, tuple[int, ...]] | None = None,
    names: str = "",
    batched: bool = True,
    half: bool = False,
    only_where_seen: bool = False,
) -> Path:
    """Write a network with constant outputs.

    Args:
        path: The ONNX file.
        outputs: Values per image, by name.
        shape: Of the input image.
        type: Of the input image.
        image: Name of the input image.
        beside: Additional integer inputs and their shapes, without batch dimension.
        names: Metadata entry `names`.
        batched: Whether the outputs have a batch dimension.
        half: Whether floating-point outputs have half precision.
        only_where_seen: Whether the outputs have no rows for a black image.
    """
    inputs = [helper.make_tensor_value_info(image, type, shape)]
    inputs += [
        helper.make_tensor_value_info(name, TensorProto.INT64, (shape[0], *others))
        for name, others in (beside or {}).items()
    ]
    nodes = [
        helper.make_node("Cast", [image], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["values"], ["largest"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sub", ["largest", "largest"], ["zeros"]),  # (N,)
        helper.make_node("ReduceMax", ["values"], ["light"], keepdims=0),
        helper.make_node("Sub", ["light", "light"], ["zero"]),
        helper.make_node("Greater", ["light", "dark"], ["seen"]),
        helper.make_node("Cast", ["seen"], ["seen_or_not"], to=TensorProto.INT64),
    ]
    constants, answers = [numpy_helper.from_array(np.float32(1e-3), "dark")], []
    for name, value in outputs.items():
        integer = np.issubdtype(value.dtype, np.integer)
        small = np.int32 if value.dtype == np.int32 else np.int64
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(small if integer else np.float16 if half else np.float32))
        rank = value.ndim + batched
        empty = value.shape[:1] == (0,)  # made by Slice: ONNX Runtime 1.17 does not add to constants without elements
        known = np.zeros((1, *value.shape[1:])) if empty else value
        known = known[None] if batched else known
        constants.append(numpy_helper.from_array(known.astype(np.float32), f"{name}_value"))
        shaped = np.array([-1 if batched else 1] + [1] * (rank - 1), np.int64)
        constants.append(numpy_helper.from_array(shaped, f"{name}_shape"))
        zeros = "zeros" if batched else "zero"
        nodes.append(helper.make_node("Reshape", [zeros, f"{name}_shape"], [f"{name}_zeros"]))
        nodes.append(helper.make_node("Add", [f"{name}_value", f"{name}_zeros"], [f"{name}_float"]))
        last = f"{name}_float"
        if only_where_seen or empty:
            axis = int(batched)
            rows = np.array([value.shape[0]], np.int64)
            constants += [
                numpy_helper.from_array(rows, f"{name}_rows"),
                numpy_helper.from_array(np.array([0], np.int64), f"{name}_first"),
                numpy_helper.from_array(np.array([axis], np.int64), f"{name}_axis"),
            ]
            nodes.append(helper.make_node("Mul", ["seen_or_not", f"{name}_rows"], [f"{name}_count"]))
            slicing = [last, f"{name}_first", f"{name}_count", f"{name}_axis"]
            nodes.append(helper.make_node("Slice", slicing, [f"{name}_some"]))
            last = f"{name}_some"
        nodes.append(helper.make_node("Cast", [last], [name], to=kind))
        answers.append(helper.make_tensor_value_info(name, kind, [None] * rank))
    graph = helper.make_graph(nodes, "known answer", inputs, answers, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if names:
        helper.set_model_props(model, {"names": names})
    onnx.save(model, str(path))
    return path
