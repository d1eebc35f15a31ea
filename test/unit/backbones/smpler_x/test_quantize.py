"""8-bit products: which ones, and how near they come."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smplerx_ros.backbones.registry import BACKBONES
from smplerx_ros.backbones.smpler_x.self_check import check, check_images
from smplerx_ros.runtime import onnx as onnx_runtime
from smplerx_ros.runtime.onnx import OnnxNetwork

torch = pytest.importorskip("torch")
pytest.importorskip("timm")
ir = pytest.importorskip("onnx_ir")
onnx = pytest.importorskip("onnx")

from smplerx_ros.backbones.smpler_x.export import export  # noqa: E402
from smplerx_ros.backbones.smpler_x.network import CropNetwork, build_network  # noqa: E402
from smplerx_ros.backbones.smpler_x.quantize import quantize  # noqa: E402

ROWS, INPUTS, OUTPUTS = 7, 40, 64
WEIGHTS = np.random.default_rng(0).normal(size=(OUTPUTS, INPUTS)).astype(np.float32)
BIAS = np.arange(OUTPUTS, dtype=np.float32)


def product(weights: np.ndarray, name: str, block: int = 1) -> ir.Model:
    """A network that multiplies rows by such weights and adds BIAS."""
    tensors = [
        onnx.numpy_helper.from_array(weights, f"network.encoder.blocks.blocks.{block}.{name}"),
        onnx.numpy_helper.from_array(BIAS, "bias"),
    ]
    nodes = [
        onnx.helper.make_node("Gemm", ["rows", tensors[0].name, "bias"], ["sums"], transB=1),
        onnx.helper.make_node("Identity", ["sums"], ["answer"]),
    ]
    ends = [
        onnx.helper.make_tensor_value_info(end, onnx.TensorProto.FLOAT, [None, size])
        for end, size in (("rows", INPUTS), ("answer", OUTPUTS))
    ]
    graph = onnx.helper.make_graph(nodes, "product", ends[:1], ends[1:], tensors)
    opset = [onnx.helper.make_opsetid("", 18)]
    return ir.from_proto(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8))


def quantized(weights: np.ndarray, name: str, rows: np.ndarray) -> np.ndarray:
    model = product(weights, name)
    quantize(model.graph)
    assert "MatMulInteger" in [node.op_type for node in model.graph]
    network = OnnxNetwork(ir.to_proto(model).SerializeToString(), threads=1)
    return network.run({"rows": rows})["answer"]


def error(found: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Of each row, as a share of the product's spread."""
    wanted = rows @ WEIGHTS.T
    return np.abs(found - BIAS - wanted).mean(axis=1) / np.abs(wanted).mean(axis=1)


@pytest.mark.parametrize("name", ["attention.value", "attention.projection", "mlp.fc1", "mlp.fc2"])
def test_products_come_near(name: str) -> None:
    rows = np.random.default_rng(1).normal(size=(ROWS, INPUTS)).astype(np.float32)
    assert 0 < error(quantized(WEIGHTS, name, rows), rows).max() < 0.04


def test_small_tokens_beside_large_ones_keep_their_digits_after_the_gelu() -> None:
    rows = np.abs(np.random.default_rng(1).normal(size=(ROWS, INPUTS))).astype(np.float32)
    rows[0] *= 300
    assert error(quantized(WEIGHTS, "mlp.fc2", rows), rows).max() < 0.04
    assert error(quantized(WEIGHTS, "mlp.fc1", rows), rows).max() > 0.2  # where it is not done


def test_zeros_stay_zeros() -> None:
    weights = WEIGHTS.copy()
    weights[2] = 0
    rows = np.zeros((2, INPUTS), np.float32)
    rows[1] = 1
    for name in ("mlp.fc1", "mlp.fc2"):
        found = quantized(weights, name, rows) - BIAS
        assert not found[0].any()
        assert found[1, 2] == 0


@pytest.mark.parametrize("vnni", [None, False])
def test_no_sum_of_two_products_is_cut_off_at_16_bits(monkeypatch: pytest.MonkeyPatch, vnni: bool | None) -> None:
    """The largest weights beside each other and the largest inputs, as this processor does it and as those without."""
    if vnni is not None:
        monkeypatch.setattr(onnx_runtime, "has_vnni", lambda: vnni)
    weights = np.full((OUTPUTS, INPUTS), 1.0, np.float32)
    rows = np.ones((ROWS, INPUTS), np.float32)
    model = product(weights, "mlp.fc1")
    quantize(model.graph)
    (integers,) = (
        value.const_value.numpy() for name, value in model.graph.initializers.items() if name.endswith("int8")
    )
    assert integers.dtype == np.int8
    assert integers.min() == 127
    np.testing.assert_allclose(quantized(weights, "mlp.fc1", rows) - BIAS, INPUTS, rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "block", "kept"),
    [
        ("attention.query", 1, True),
        ("attention.key", 1, True),
        ("mlp.fc1", 0, True),
        ("attention.value", 0, True),
        ("mlp.fc1", 10, False),
    ],
)
def test_queries_keys_and_the_first_block_stay_as_they_are(name: str, block: int, kept: bool) -> None:
    model = product(WEIGHTS, name, block)
    quantize(model.graph)
    assert ([node.op_type for node in model.graph] == ["Gemm", "Identity"]) is kept


def test_a_network(tmp_path: Path) -> None:
    """SMPLest-X; a SMPLer-X is converted in test_bundle.py."""
    torch.manual_seed(1)
    network = build_network(replace(BACKBONES["smplest_x_h"], embed_dim=96, depth=2, heads=3)).eval()
    with torch.inference_mode():
        outputs = CropNetwork(network)(torch.from_numpy(check_images()))
    reference = {key: value.numpy() for key, value in outputs.items()}
    model, _ = export(network, reference, "onnx", tmp_path, int8=True)
    nodes = [node.op_type for node in onnx.load(model, load_external_data=False).graph.node]
    assert nodes.count("MatMulInteger") == 4  # of the second block
    assert check(OnnxNetwork(model, threads=1), reference, "int8")["mean_rotation"] < 0.06
