"""Quantize the matrix products of an exported ViT to 8 bits, which halves a large network's time and size on a CPU.

Only products of the ViT's blocks are quantized, except those of the first block, whose errors propagate through all
others, and those of queries and keys, whose errors the softmax amplifies. Weights are quantized per output channel; x86
processors without VNNI need other kernels for them (`runtime/processor.py`). Activations are quantized dynamically
(ONNX's DynamicQuantizeLinear); after the GELU, where tokens differ most, each token is first divided by its maximum.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import onnx_ir
from numpy.typing import NDArray
from onnx_ir.tape import Tape

_BLOCKS = "encoder.blocks."
_PRECISE = (".blocks.0.", ".query", ".key")
_AFTER_GELU = ".fc2"
_MIN_DIVISOR = 0.17  # GELU(x) > -0.17, so that all quotients are in -1..1
_LEVELS = 127  # positive int8 values


def quantize(graph: onnx_ir.Graph) -> None:
    """Quantize the products of a graph from `export`, in place; weights are converted when they are saved."""
    for node in list(graph):
        weight = node.inputs[1] if node.op_type == "Gemm" else None
        if (
            weight is not None
            and _BLOCKS in str(weight.name)
            and not any(part in str(weight.name) for part in _PRECISE)
        ):
            _replace(graph, node, weight)


def _replace(graph: onnx_ir.Graph, node: onnx_ir.Node, weight: onnx_ir.Value) -> None:
    """Replace a node that multiplies rows by the transposed `weight`, and may add a bias."""
    stored, name = weight.const_value, str(weight.name)
    assert stored is not None
    scale = np.abs(stored.numpy()).max(axis=1) / _LEVELS
    rows, _, *bias = node.inputs
    tape = Tape()

    def number(what: str, value: object) -> onnx_ir.Value:
        return tape.initializer(onnx_ir.tensor(value, name=f"{name}.{what}"))

    divisor = None
    if _AFTER_GELU in name:
        largest = tape.op("ReduceMax", [rows, number("axis", np.array([1]))])
        divisor = tape.op("Max", [largest, number("least", np.array(_MIN_DIVISOR, np.float32))])
        rows = tape.op("Div", [rows, divisor])
    counts, step, zero = tape.op_multi_out("DynamicQuantizeLinear", [rows], num_outputs=3)
    integers = onnx_ir.LazyTensor(
        partial(_integers, stored, scale),
        dtype=onnx_ir.DataType.INT8,
        shape=onnx_ir.Shape(tuple(stored.shape)[::-1]),
        name=f"{name}.int8",
    )
    sums = tape.op("MatMulInteger", [counts, tape.initializer(integers), zero])
    unit = tape.op("Mul", [step, number("scale", scale.astype(np.float32))])
    product = tape.op("Mul", [tape.op("Cast", [sums], {"to": onnx_ir.DataType.FLOAT}), unit])
    if divisor is not None:
        product = tape.op("Mul", [product, divisor])
    if bias:
        product = tape.op("Add", [product, bias[0]])
    graph.insert_before(node, tape.nodes)
    for value in tape.initializers:
        graph.register_initializer(value)
    onnx_ir.convenience.replace_all_uses_with(node.outputs[0], product)
    graph.remove(node, safe=True)
    del graph.initializers[name]


def _integers(weight: onnx_ir.TensorProtocol, scale: NDArray[np.float32]) -> onnx_ir.TensorProtocol:
    """Quantize and transpose `(C, K)` float32 to `(K, C)` int8; a channel of zeros stays zero."""
    divisor = np.where(scale > 0, scale, 1)[:, None]
    return onnx_ir.tensor(np.ascontiguousarray(np.rint(weight.numpy() / divisor).T.astype(np.int8)))
