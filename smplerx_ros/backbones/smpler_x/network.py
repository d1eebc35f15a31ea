"""Build networks in torch, load published tensors, and fuse layers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from smplerx_ros.backbones.registry import SMPLER_X, SMPLEST_X, BackboneSpec

from . import vit
from .smpler_x import SmplerX
from .smplest_x import SmplestX

_NETWORKS: dict[str, type[SmplerX] | type[SmplestX]] = {SMPLER_X: SmplerX, SMPLEST_X: SmplestX}
PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
ENCODER = "encoder."


class CropNetwork(nn.Module):
    """A network with crops as inputs: rows, columns, RGB 0..255, which are only scaled to 0..1."""

    def __init__(self, network: SmplerX | SmplestX) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Outputs (see `prediction.py`) of `image (B, 256, 192, 3)` float32 RGB 0..255."""
        return self.network(image.permute(0, 3, 1, 2) / 255.0)


def build_network(backbone: BackboneSpec) -> SmplerX | SmplestX:
    """Build the network in training mode, randomly initialized, on torch's default device."""
    return _NETWORKS[backbone.family](backbone)


def published_shapes(backbone: BackboneSpec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors in a checkpoint of `backbone`."""
    with torch.device("meta"):
        network = build_network(backbone)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items() if not name.startswith(ENCODER)}
    encoder = vit.published_shapes(network.encoder)
    return {ENCODER + name: shape for name, shape in encoder.items()} | shapes


def load_published(backbone: BackboneSpec, state: Mapping[str, Tensor]) -> SmplerX | SmplestX:
    """Build the network in evaluation mode with the tensors of `state`, without copying them from a mapped file."""
    encoder = {name.removeprefix(ENCODER): value for name, value in state.items() if name.startswith(ENCODER)}
    others = {name: value for name, value in state.items() if not name.startswith(ENCODER)}
    converted = {ENCODER + name: value for name, value in vit.from_published(encoder).items()}
    return load_native(backbone, converted | others)


def load_native(backbone: BackboneSpec, state: Mapping[str, Tensor]) -> SmplerX | SmplestX:
    """As `load_published`, for tensors with the names of this package's networks."""
    with torch.device("meta"):
        network = build_network(backbone)
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval()


def reduce_precision(network: SmplerX | SmplestX, precision: str) -> None:
    """Convert the expensive parts to `precision`, in place; pooling, soft-argmax and regressors remain float32."""
    for module in network.half_modules():
        module.to(PRECISIONS[precision])


def fuse_norms(network: nn.Module) -> None:
    """Fuse each BatchNorm into the preceding convolution, in place; for evaluation."""
    for sequence in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for index in range(1, len(sequence)):
            norm, convolution = sequence[index], sequence[index - 1]
            if isinstance(norm, nn.BatchNorm2d):
                transposed = isinstance(convolution, nn.ConvTranspose2d)
                sequence[index - 1] = fuse_conv_bn_eval(convolution, norm, transpose=transposed)
                sequence[index] = nn.Identity()


def fuse_hands(network: SmplerX) -> None:
    """Fuse the hands' first convolution into the two that follow it, in place; norms must be fused before."""
    first = network.hand_roi_net.conv[0]
    network.hand_roi_net.conv = nn.Identity()
    for sequence in (network.hand_position_net.conv, network.hand_regressor.hand_conv):
        sequence[0] = _joined(first, sequence[0])


def _joined(first: nn.Conv2d, second: nn.Conv2d) -> nn.Conv2d:
    """Fuse two convolutions of kernel size 1, in float64 to round only once."""
    weights = [convolution.weight.detach().flatten(1).double() for convolution in (first, second)]
    biases = [convolution.bias.detach().double() for convolution in (first, second)]
    joined = nn.Conv2d(first.in_channels, second.out_channels, 1)
    joined.weight = nn.Parameter((weights[1] @ weights[0])[..., None, None].to(first.weight.dtype), requires_grad=False)
    joined.bias = nn.Parameter((biases[1] + weights[1] @ biases[0]).to(first.weight.dtype), requires_grad=False)
    return joined
