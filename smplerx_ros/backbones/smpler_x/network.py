"""From a backbone's entry and published tensors to a network in torch."""

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
    """A network that takes crops as images are: rows, columns, RGB, 0..255. There is no mean or deviation to remove."""

    def __init__(self, network: SmplerX | SmplestX) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Outputs (see `prediction.py`) of `image (B, 256, 192, 3)` float32 RGB 0..255."""
        return self.network(image.permute(0, 3, 1, 2) / 255.0)


def build_network(backbone: BackboneSpec) -> SmplerX | SmplestX:
    """The network in its training state, initialised at random, on torch's default device."""
    return _NETWORKS[backbone.family](backbone)


def published_shapes(backbone: BackboneSpec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors that a checkpoint of `backbone` must hold."""
    with torch.device("meta"):
        network = build_network(backbone)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items() if not name.startswith(ENCODER)}
    encoder = vit.published_shapes(network.encoder)
    return {ENCODER + name: shape for name, shape in encoder.items()} | shapes


def load_published(backbone: BackboneSpec, state: Mapping[str, Tensor]) -> SmplerX | SmplestX:
    """The network in evaluation mode, holding the tensors of `state` themselves: a mapped file stays mapped."""
    encoder = {name.removeprefix(ENCODER): value for name, value in state.items() if name.startswith(ENCODER)}
    others = {name: value for name, value in state.items() if not name.startswith(ENCODER)}
    converted = {ENCODER + name: value for name, value in vit.from_published(encoder).items()}
    return load_native(backbone, converted | others)


def load_native(backbone: BackboneSpec, state: Mapping[str, Tensor]) -> SmplerX | SmplestX:
    """The same of tensors under the names of this package's own networks."""
    with torch.device("meta"):
        network = build_network(backbone)
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval()


def reduce_precision(network: SmplerX | SmplestX, precision: str) -> None:
    """Turns the heavy parts to `precision` (of PRECISIONS), in place; pooling, soft-argmax, regressors stay float32."""
    for module in network.half_modules():
        module.to(PRECISIONS[precision])


def fuse_norms(network: nn.Module) -> None:
    """Folds each BatchNorm into the convolution before it, in place: for evaluation, the same in fewer steps."""
    for sequence in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for index in range(1, len(sequence)):
            norm, convolution = sequence[index], sequence[index - 1]
            if isinstance(norm, nn.BatchNorm2d):
                transposed = isinstance(convolution, nn.ConvTranspose2d)
                sequence[index - 1] = fuse_conv_bn_eval(convolution, norm, transpose=transposed)
                sequence[index] = nn.Identity()


def fuse_hands(network: SmplerX) -> None:
    """Folds the hands' first convolution into the two that alone read it, in place; the norms must be fused."""
    first = network.hand_roi_net.conv[0]
    network.hand_roi_net.conv = nn.Identity()
    for sequence in (network.hand_position_net.conv, network.hand_regressor.hand_conv):
        sequence[0] = _joined(first, sequence[0])


def _joined(first: nn.Conv2d, second: nn.Conv2d) -> nn.Conv2d:
    """Two convolutions of kernel 1 as one; multiplied in float64, so that only the answer is rounded."""
    weights = [convolution.weight.detach().flatten(1).double() for convolution in (first, second)]
    biases = [convolution.bias.detach().double() for convolution in (first, second)]
    joined = nn.Conv2d(first.in_channels, second.out_channels, 1)
    joined.weight = nn.Parameter((weights[1] @ weights[0])[..., None, None].to(first.weight.dtype), requires_grad=False)
    joined.bias = nn.Parameter((biases[1] + weights[1] @ biases[0]).to(first.weight.dtype), requires_grad=False)
    return joined
