"""8-bit products for an exported ViT on a processor: half of a large network's time and weights.

Only products of the ViT's blocks, and of them not the first block's, whose errors go through all others, nor those of
queries and keys, whose errors the softmax enlarges. Weights take 8 bits by output channel, which x86 processors without
VNNI must multiply another way (`runtime/processor.py`). The other factor's range is taken in each run (ONNX's
DynamicQuantizeLinear); after the GELU, where tokens differ most, each token is first divided by its largest number.
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
_LEAST_DIVISOR = 0.17  # GELU(x) > -0.17: none of a token's quotients is above 1
_LEVELS = 127  # of a sign


def quantize(graph: onnx_ir.Graph) -> None:
    """Replaces the products of a graph that `export` made, in place; weights are converted as they are saved."""
    for node in list(graph):
        weight = node.inputs[1] if node.op_type == "Gemm" else None
        if (
            weight is not None
            and _BLOCKS in str(weight.name)
            and not any(part in str(weight.name) for part in _PRECISE)
        ):
            _replace(graph, node, weight)


def _replace(graph: onnx_ir.Graph, node: onnx_ir.Node, weight: onnx_ir.Value) -> None:
    """Of a node that multiplies rows by the transposed `weight`, and may add a bias."""
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
        divisor = tape.op("Max", [largest, number("least", np.array(_LEAST_DIVISOR, np.float32))])
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
    """`(K, C) int8` of `(C, K) float32`; a channel of zeros stays one."""
    divisor = np.where(scale > 0, scale, 1)[:, None]
    return onnx_ir.tensor(np.ascontiguousarray(np.rint(weight.numpy() / divisor).T.astype(np.int8)))
