"""The ViT in fewer steps answers what the plain one answers, and so do the hands' joined convolutions."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from smplerx_ros.models.fast_vit import use_fast_blocks  # noqa: E402
from smplerx_ros.models.network import build_network, fuse_hands, fuse_norms  # noqa: E402
from smplerx_ros.models.registry import BACKBONES  # noqa: E402

BATCH = 2


@pytest.fixture
def network():
    """A small one whose biases, scales and logits are none of zero, one and alike, as after training."""
    torch.manual_seed(0)
    built = build_network(replace(BACKBONES["s32"], embed_dim=96, depth=3, heads=3)).eval()
    for name, parameter in built.named_parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=float("norm" in name and name.endswith("weight")))
        elif "qkv" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    return built


@torch.inference_mode()
def test_blocks_are_the_same(network) -> None:
    image = torch.rand(BATCH, 3, 256, 192)
    wanted = network.encoder(image)
    use_fast_blocks(network.encoder)
    for one, other in zip(wanted, network.encoder(image), strict=True):
        assert one.std() > 0.5
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_hands_are_the_same(network) -> None:
    fuse_norms(network)
    feature, box = torch.randn(BATCH, 96, 16, 12), torch.tensor([[20.0, 30.0, 90.0, 100.0], [0.0, 9.0, 99.0, 90.0]])
    wanted = network.hands(feature, box, box.flip(0))
    fuse_hands(network)
    for one, other in zip(wanted, network.hands(feature, box, box.flip(0)), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)
