#!/usr/bin/env python3
"""Optimize Google's landmark networks, converted by tf2onnx, to the files in `smplerx_ros/assets/`.

    python scripts/convert_landmark_models.py INPUT_DIR OUTPUT_DIR

INPUT_DIR contains the sources of `NETWORKS` as ONNX; smplerx_ros/assets/NOTICE.md says where they come from and how
tf2onnx converts them. The following changes are made where they apply:

* The batch dimension becomes dynamic, so that one run serves any number of people. MoveNet keeps its batch size of one.
* Unused outputs are removed, with the layers that only they need; the others get names and simple shapes.
* PReLU is replaced by operators that ONNX Runtime computes in the layout of its convolutions, and a constant tensor of
  equal factors by a scalar: otherwise they take half of the face network's time.
* MoveNet weights its heat maps separably, by rows and by columns.
* Weights that are exactly representable in float16 are stored as float16 with a Cast, which ONNX Runtime folds on
  loading: half the size, the same values. All weights of these networks are of that kind.

Requires the package `onnx`. Deterministic.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

log = logging.getLogger("convert_landmark_models")

MIN_HALF_SIZE = 65  # values; smaller constants are not worth a Cast
MIN_EXPONENT = -40.0  # of a negligible weight; the product of two is still a normal float32
INT64_MAX = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Tensor:
    """An input or output."""

    source: str  # name in the source
    name: str  # new name
    shape: tuple[int | str, ...]  # new shape without the batch


@dataclass(frozen=True)
class Network:
    """A network to convert; `batched` makes the first dimension dynamic."""

    source: str
    name: str
    input: Tensor
    outputs: tuple[Tensor, ...]
    input_type: int = TensorProto.FLOAT
    batched: bool = True


NETWORKS = (
    Network(
        "pose_landmark_full",
        "pose",
        Tensor("input_1", "image", (256, 256, 3)),
        (
            Tensor("Identity", "landmarks", (39, 5)),
            Tensor("Identity_1", "score", (1,)),
            Tensor("Identity_4", "world", (39, 3)),
            Tensor("Identity_3", "heatmap", (64, 64, 39)),
        ),
    ),
    Network(
        "hand_landmark_full",
        "hand",
        Tensor("input_1", "image", (224, 224, 3)),
        (
            Tensor("Identity", "landmarks", (21, 3)),
            Tensor("Identity_1", "score", (1,)),
            Tensor("Identity_2", "handedness", (1,)),
            Tensor("Identity_3", "world", (21, 3)),
        ),
    ),
    Network(
        "hand_recrop",
        "hand_recrop",
        Tensor("input_1", "image", (256, 256, 3)),
        (Tensor("output_crop", "points", (2, 2)),),
    ),
    Network(
        "face_landmarks_detector",
        "face",
        Tensor("input_12", "image", (256, 256, 3)),
        (Tensor("Identity", "landmarks", (478, 3)), Tensor("Identity_1", "score_logit", (1,))),
    ),
    Network(
        "face_blendshapes",
        "blendshapes",
        Tensor("serving_default_input_points:0", "points", (146, 2)),
        (Tensor("StatefulPartitionedCall:0", "weights", (52,)),),
    ),
    Network(
        "movenet-multipose",
        "movenet_multipose",
        Tensor("input:0", "image", ("height", "width", 3)),
        (Tensor("Identity:0", "people", (6, 56)),),
        input_type=TensorProto.INT32,
        batched=False,
    ),
)


def convert(network: Network, source: Path, target: Path) -> None:
    """Convert one network."""
    model = onnx.load(source)
    graph = model.graph
    if network.batched:
        free_batch(graph)
        free_learned_token(graph, network.input.source)
        for tensor in network.outputs:
            free_last_row(graph, tensor.source)
            set_output_shape(graph, tensor)
    else:
        for tensor in network.outputs:
            rename(graph, tensor.source, tensor.name)
    prelu_as_convolutions(graph)
    plain_factors(graph)
    separable_weights(graph)
    prune(graph, {tensor.name for tensor in network.outputs})
    rename(graph, network.input.source, network.input.name)
    batch = "N" if network.batched else 1
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.append(
        helper.make_tensor_value_info(network.input.name, network.input_type, (batch, *network.input.shape))
    )
    graph.output.extend(
        helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, (batch, *tensor.shape))
        for tensor in network.outputs
    )
    store_as_half(graph)
    onnx.checker.check_model(model)
    shape_inference.infer_shapes(model, strict_mode=True)
    onnx.save(model, target)
    log.info("%s: %d bytes, was %d", target.name, target.stat().st_size, source.stat().st_size)


def constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """Return the constant tensors by name."""
    return {item.name: numpy_helper.to_array(item) for item in graph.initializer}


def add_constant(graph: onnx.GraphProto, name: str, value: object) -> str:
    """Add a constant of 64-bit integers unless it exists; returns its name."""
    if all(item.name != name for item in graph.initializer):
        graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.int64), name))
    return name


def free_batch(graph: onnx.GraphProto) -> None:
    """Make reshapes keep the first dimension, and slices that select its row 0 select all rows."""
    known = constants(graph)
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[1] in known:
            shape = known[node.input[1]]
            if len(shape) > 1 and shape[0] in (1, -1):
                kept = [0, *shape[1:].tolist()]  # 0: as in the input
                node.input[1] = add_constant(graph, "shape_" + "_".join(map(str, kept)), kept)
        elif node.op_type == "Slice" and all(name in known for name in node.input[1:4]):
            start, end, axes = (known[name] for name in node.input[1:4])
            if np.any((axes == 0) & (start == 0) & (end == 1)):
                node.input[2] = add_constant(graph, node.input[2] + "_all_rows", np.where(axes == 0, INT64_MAX, end))


def free_learned_token(graph: onnx.GraphProto, batch_source: str) -> None:
    """Expand a constant that is concatenated with the input (a transformer's learned token) to the batch size."""
    known = constants(graph)
    nodes = []
    for node in graph.node:
        if node.op_type == "Concat" and node.input[0] in known:
            token = node.input[0]
            zero, one = add_constant(graph, "zero", [0]), add_constant(graph, "one", [1])
            dims = add_constant(graph, "token_dims", known[token].shape[1:])
            nodes += [
                helper.make_node("Shape", [batch_source], ["input_shape"]),
                helper.make_node("Slice", ["input_shape", zero, one], ["batch"]),
                helper.make_node("Concat", ["batch", dims], ["token_shape"], axis=0),
                helper.make_node("Expand", [token, "token_shape"], ["token_rows"]),
            ]
            node.input[0] = "token_rows"
        nodes.append(node)
    replace_nodes(graph, nodes)


def free_last_row(graph: onnx.GraphProto, output: str) -> None:
    """Replace an output that is row 0 of a tensor (Slice, Squeeze) by the tensor."""
    made_by = {name: node for node in graph.node for name in node.output}
    last = made_by[output]
    if last.op_type != "Squeeze" or made_by[last.input[0]].op_type != "Slice":
        return
    sliced = made_by[last.input[0]]
    source = sliced.input[0]
    replace_nodes(graph, [node for node in graph.node if node is not last and node is not sliced])
    rename(graph, source, output)


def set_output_shape(graph: onnx.GraphProto, tensor: Tensor) -> None:
    """Name an output, and replace its last reshapes by one to `(N, *shape)`."""
    made_by = {name: node for node in graph.node for name in node.output}
    source = tensor.source
    while made_by[source].op_type == "Reshape":
        source = made_by[source].input[0]
    shape = add_constant(graph, f"{tensor.name}_shape", [0, *tensor.shape])
    graph.node.append(helper.make_node("Reshape", [source, shape], [tensor.name]))


def prelu_as_convolutions(graph: onnx.GraphProto) -> None:
    """Replace PReLU with slopes a by (1 - a) Relu(x) + a x, where channel-wise products are depthwise convolutions.

    ONNX Runtime's PReLU is slow and does not support the blocked layout of its convolutions, so that tensors are
    reordered before and after it.
    """
    known = constants(graph)
    nodes = []

    def scaled(source: str, factors: np.ndarray, name: str) -> onnx.NodeProto:
        weights = numpy_helper.from_array(factors.astype(np.float32).reshape(-1, 1, 1, 1), f"{name}_weights")
        graph.initializer.append(weights)
        return helper.make_node("Conv", [source, weights.name], [name], group=factors.size, kernel_shape=[1, 1])

    for node in graph.node:
        if node.op_type != "PRelu":
            nodes.append(node)
            continue
        source, slopes, name = node.input[0], known[node.input[1]], node.output[0]
        nodes += [
            helper.make_node("Relu", [source], [f"{name}_positive"]),
            scaled(f"{name}_positive", 1 - slopes, f"{name}_rest"),
            scaled(source, slopes, f"{name}_sloped"),
            helper.make_node("Add", [f"{name}_sloped", f"{name}_rest"], [name]),
        ]
    replace_nodes(graph, nodes)


def plain_factors(graph: onnx.GraphProto) -> None:
    """Replace multiplication by a tensor of equal factors by one with a scalar; remove subtraction of zero."""
    known = constants(graph)
    nodes = []
    for node in graph.node:
        value = known.get(node.input[1]) if len(node.input) == 2 else None
        if value is None or value.ndim != 4 or np.ptp(value) > 0:
            nodes.append(node)
        elif node.op_type == "Mul":
            graph.initializer.append(numpy_helper.from_array(value.reshape(-1)[0], f"{node.output[0]}_factor"))
            nodes.append(helper.make_node("Mul", [node.input[0], f"{node.output[0]}_factor"], list(node.output)))
        elif node.op_type == "Sub" and not value.any():
            nodes.append(helper.make_node("Identity", [node.input[0]], list(node.output)))
        else:
            nodes.append(node)
    replace_nodes(graph, nodes)


def separable_weights(graph: onnx.GraphProto) -> None:
    """Weight MoveNet's heat maps by rows and by columns instead of by a map per person and keypoint.

    The weight exp(-(dy^2 + dx^2) / s), zero outside of the person's box, is separable. Maps keep the layout of the
    convolutions, people and keypoints first.
    """
    scope = "StatefulPartitionedCall/"
    if all(node.output[0] != f"{scope}Exp:0" for node in graph.node):
        return
    narrow = {  # instead of full grids of coordinates
        f"{scope}meshgrid/mul_1:0": f"{scope}meshgrid/Reshape_3:0",  # (rows, 1)
        f"{scope}meshgrid/mul:0": f"{scope}meshgrid/Reshape_2:0",  # (1, columns)
    }
    people_first, last, least = [2, 3, 0, 1], add_constant(graph, "last_axis", [3]), "least_exponent"
    graph.initializer.append(numpy_helper.from_array(np.float32(MIN_EXPONENT), least))
    new = []
    for axis, squared, inside in (
        ("rows", "sub_7__885:0", "LogicalAnd:0"),
        ("columns", "sub_8__874:0", "LogicalAnd_1:0"),
    ):
        new += [
            helper.make_node("Neg", [f"{scope}{squared}"], [f"{axis}_nearer"]),
            helper.make_node("Div", [f"{axis}_nearer", f"{scope}mul_6:0"], [f"{axis}_free_exponent"]),
            helper.make_node("Max", [f"{axis}_free_exponent", least], [f"{axis}_exponent"]),
            helper.make_node("Exp", [f"{axis}_exponent"], [f"{axis}_near"]),
            helper.make_node("Cast", [f"{scope}{inside}"], [f"{axis}_in_box"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", [f"{axis}_in_box", last], [f"{axis}_inside"]),
            helper.make_node("Mul", [f"{axis}_near", f"{axis}_inside"], [f"{axis}_weights"]),
            helper.make_node("Transpose", [f"{axis}_weights"], [axis], perm=people_first),
        ]
    maps = add_constant(graph, "maps", [6 * 17, -1])
    new += [
        helper.make_node("Mul", [f"{scope}Squeeze_2:0", "rows"], ["weighed_by_rows"]),
        helper.make_node("Mul", ["weighed_by_rows", "columns"], ["weighed"]),
        helper.make_node("Reshape", ["weighed", maps], ["flat"]),
        helper.make_node("ArgMax", ["flat"], [f"{scope}ArgMax:0"], axis=1, keepdims=0),
        helper.make_node("ReduceMax", ["weighed"], ["best"], axes=[0], keepdims=0),
        helper.make_node("Transpose", ["best"], [f"{scope}Max:0"], perm=[1, 2, 0]),
    ]
    nodes, replaced = [], {f"{scope}Max:0", f"{scope}ArgMax:0"}
    for node in graph.node:
        if node.output[0] == f"{scope}ArgMax:0":
            nodes += new
        node.input[:] = [narrow.get(name, name) for name in node.input]
        if node.output[0] == f"{scope}Shape_6:0":  # of which only rows and columns are read
            node.input[0] = f"{scope}strided_slice_17:0"
        if node.output[0] not in replaced:
            nodes.append(node)
    replace_nodes(graph, nodes)


def prune(graph: onnx.GraphProto, outputs: set[str]) -> None:
    """Remove nodes and constants that `outputs` do not depend on."""
    needed, kept = set(outputs), []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    replace_nodes(graph, kept[::-1])
    used = [item for item in graph.initializer if item.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(used)


def rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Rename a tensor in all nodes."""
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]


def replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """Replace the nodes of the graph."""
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def store_as_half(graph: onnx.GraphProto) -> None:
    """Store float32 constants as float16 where this is lossless."""
    casts, stored = [], []
    for item in graph.initializer:
        value = numpy_helper.to_array(item)
        half = value.astype(np.float16) if value.dtype == np.float32 and value.size >= MIN_HALF_SIZE else None
        if half is not None and np.array_equal(half.astype(np.float32), value):
            stored.append(numpy_helper.from_array(half, f"{item.name}_half"))
            casts.append(helper.make_node("Cast", [f"{item.name}_half"], [item.name], to=TensorProto.FLOAT))
        else:
            stored.append(item)
    del graph.initializer[:]
    graph.initializer.extend(stored)
    replace_nodes(graph, [*casts, *graph.node])


def main() -> None:
    """Convert all networks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input_dir", type=Path)
    parser.add_argument("output_dir", type=Path)
    parser.add_argument("--only", choices=[network.name for network in NETWORKS], help="convert only this one")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    args.output_dir.mkdir(parents=True, exist_ok=True)
    for network in NETWORKS:
        if args.only in (None, network.name):
            convert(network, args.input_dir / f"{network.source}.onnx", args.output_dir / f"{network.name}.onnx")


if __name__ == "__main__":
    main()
