"""Export a network for a runtime: as ONNX with external weights, or as safetensors. Requires torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnx_ir
import torch
from numpy.typing import NDArray
from onnxscript import optimizer
from safetensors.torch import save_file

from smplerx_ros.geometry.constants import CROP_HEIGHT, CROP_WIDTH

from .bundle import MODEL_FILES
from .fast_vit import use_fast_blocks
from .network import CropNetwork, fuse_hands, fuse_norms
from .quantize import quantize
from .smpler_x import SmplerX
from .smplest_x import SmplestX
from .winograd import use_winograd

# Native operator set of the exporter; supported by ONNX Runtime from 1.14.
OPSET = 18
_IR_VERSION = 8  # of ONNX 1.13, which introduced this operator set; older runtimes refuse newer versions
WEIGHTS_SUFFIX = ".data"
_EXAMPLE_BATCH = 2  # a traced batch size of 1 would become a constant


def export(
    network: SmplerX | SmplestX, outputs: Iterable[str], runtime: str, directory: Path, *, int8: bool = False
) -> list[Path]:
    """Write the files of a network, which may be modified.

    Args:
        network: The network in evaluation mode.
        outputs: Names of the outputs.
        runtime: "onnx" or "torch".
        directory: Where to write.
        int8: Whether to quantize the ViT of a float32 network, for ONNX Runtime.

    Returns:
        Paths of the files, the model first.
    """
    path = directory / MODEL_FILES[runtime]
    if runtime == "torch":
        save_file(network.state_dict(), path)
        return [path]
    _export_onnx(network, list(outputs), path, int8)
    return [path, path.with_name(path.name + WEIGHTS_SUFFIX)]


def _export_onnx(network: SmplerX | SmplestX, outputs: list[str], path: Path, int8: bool) -> None:
    fuse_norms(network)
    if network.encoder.norm.weight.dtype == torch.float32:
        use_fast_blocks(network.encoder)
        if isinstance(network, SmplerX):
            fuse_hands(network)
            use_winograd(network)
    crops = CropNetwork(network).eval()
    image = torch.zeros(_EXAMPLE_BATCH, CROP_HEIGHT, CROP_WIDTH, 3)
    with torch.no_grad():
        # Not left to the ONNX exporter, which silently falls back to a fixed batch size.
        batch = torch.export.Dim("batch")
        program = torch.export.export(crops, (image,), dynamic_shapes={"image": {0: batch}}, strict=False)
        exported = torch.onnx.export(
            program,
            input_names=["image"],
            output_names=outputs,
            opset_version=OPSET,
            dynamo=True,
            optimize=False,
            verbose=False,
        )
    assert exported is not None
    model = exported.model
    _change_weights_lazily(model.graph)
    optimizer.optimize_ir(model)
    if int8:
        quantize(model.graph)
    _strip_metadata(model)
    model.ir_version = _IR_VERSION
    onnx_ir.save(model, path, external_data=path.name + WEIGHTS_SUFFIX)


def _change_weights_lazily(graph: onnx_ir.Graph) -> None:
    """Replace each weight that is transposed or padded by a tensor that is computed when it is written.

    The optimizer would compute all of them at once, and hold a second copy of the network.
    """
    for node in list(graph):
        weight = node.inputs[0] if node.op_type in ("Transpose", "Pad") else None
        if weight is None or not weight.is_initializer() or weight.const_value is None:
            continue
        lazy = _transposed(weight.const_value) if node.op_type == "Transpose" else _padded(weight.const_value, node)
        value = onnx_ir.Value(name=lazy.name, shape=lazy.shape, type=onnx_ir.TensorType(lazy.dtype), const_value=lazy)
        graph.register_initializer(value)
        onnx_ir.convenience.replace_all_uses_with(node.outputs[0], value)
        graph.remove(node, safe=True)
        if not weight.uses() and weight.name is not None:
            del graph.initializers[weight.name]


def _transposed(weight: onnx_ir.TensorProtocol) -> onnx_ir.LazyTensor:
    return _lazy(weight, lambda content: np.ascontiguousarray(content.T), tuple(weight.shape)[::-1], "T")


def _padded(weight: onnx_ir.TensorProtocol, node: onnx_ir.Node) -> onnx_ir.LazyTensor:
    pads = onnx_ir.convenience.get_const_tensor(node.inputs[1])
    assert pads is not None
    widths = pads.numpy().reshape(2, -1).T  # per axis: before and after
    shape = tuple(size + sum(width) for size, width in zip(weight.shape, widths.tolist(), strict=True))
    return _lazy(weight, lambda content: np.pad(content, widths), shape, "padded")


def _lazy(
    weight: onnx_ir.TensorProtocol,
    change: Callable[[NDArray[np.generic]], NDArray[np.generic]],
    shape: tuple[int, ...],
    suffix: str,
) -> onnx_ir.LazyTensor:
    return onnx_ir.LazyTensor(
        lambda: onnx_ir.tensor(change(weight.numpy()), dtype=weight.dtype),
        dtype=weight.dtype,
        shape=onnx_ir.Shape(shape),
        name=f"{weight.name}.{suffix}",
    )


def _strip_metadata(model: onnx_ir.Model) -> None:
    """Remove the exporter's metadata, which contains stack traces with paths of this machine."""
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
