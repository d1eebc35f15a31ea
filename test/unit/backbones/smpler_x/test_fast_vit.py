"""The ViT in fewer steps answers what the plain one answers, and so do the hands' joined convolutions."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from smplerx_ros.backbones.registry import BACKBONES  # noqa: E402
from smplerx_ros.backbones.smpler_x.export import export  # noqa: E402
from smplerx_ros.backbones.smpler_x.fast_vit import use_fast_blocks  # noqa: E402
from smplerx_ros.backbones.smpler_x.network import build_network, fuse_hands, fuse_norms  # noqa: E402

BATCH = 2


def make_network(**sizes: int):
    """One of such sizes whose biases, scales and logits are none of zero, one and alike, as after training."""
    torch.manual_seed(0)
    built = build_network(replace(BACKBONES["s32"], **sizes)).eval()
    for name, parameter in built.named_parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=float("norm" in name and name.endswith("weight")))
        elif "qkv" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    return built


@pytest.fixture
def network():
    return make_network(embed_dim=96, depth=3, heads=3)


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param({"embed_dim": 96, "depth": 3, "heads": 3}, id="no zeros"),
        pytest.param({"embed_dim": 256, "depth": 2, "heads": 4}, id="zeros behind hidden rows"),
        pytest.param({"embed_dim": 1024, "depth": 1, "heads": 16}, id="zeros behind all rows"),
    ],
)
@torch.inference_mode()
def test_blocks_are_the_same(sizes) -> None:
    network = make_network(**sizes).double()  # in float32, processors sum otherwise by 2e-4
    image = torch.rand(BATCH, 3, 256, 192, dtype=torch.float64)
    wanted = network.encoder(image)
    use_fast_blocks(network.encoder)
    for one, other in zip(wanted, network.encoder(image), strict=True):
        assert one.std() > 0.5
        torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_no_rows_of_a_product_are_whole_pages_apart(tmp_path) -> None:
    onnx = pytest.importorskip("onnx")
    network = make_network(embed_dim=1024, depth=1, heads=16)
    export(network, ["a", "b", "c", "d", "e", "f"], "onnx", tmp_path)
    graph = onnx.load(tmp_path / "model.onnx", load_external_data=False).graph
    shapes = {value.name: tuple(value.dims) for value in graph.initializer}
    weights = [shapes[node.input[1]] for node in graph.node if node.op_type == "Gemm" and "blocks" in node.input[1]]
    assert sorted(weights) == [(1024, 1040)] * 4 + [(1024, 4112), (4112, 1040)]


@torch.inference_mode()
def test_hands_are_the_same(network) -> None:
    fuse_norms(network)
    feature, box = torch.randn(BATCH, 96, 16, 12), torch.tensor([[20.0, 30.0, 90.0, 100.0], [0.0, 9.0, 99.0, 90.0]])
    wanted = network.hands(feature, box, box.flip(0))
    fuse_hands(network)
    for one, other in zip(wanted, network.hands(feature, box, box.flip(0)), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)
