"""SMPLer-X during training: the outputs that the losses need, gradients stopped between stages, and frozen parts."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from smplerx_ros.backbones.registry import GRID_HEIGHT, GRID_WIDTH, PATCH, SMPLER_X, BackboneSpec
from smplerx_ros.backbones.smpler_x import heads
from smplerx_ros.backbones.smpler_x.network import build_network
from smplerx_ros.backbones.smpler_x.prediction import CAMERA_DEPTH_M
from smplerx_ros.backbones.smpler_x.smpler_x import SmplerX
from smplerx_ros.body.model import BodyModel
from smplerx_ros.errors import ConfigError

from .body import TorchBody
from .rotations import matrix_from_6d, rotvec_from_matrix

_NECK = ("body_position_net", "hand_position_net", "box_net", "hand_roi_net")  # positions
_HEAD = ("body_regressor", "hand_regressor", "face_regressor")  # rotations and shape
TRAINABLE = {
    "all": ("encoder", *_NECK, *_HEAD),
    "backbone": ("encoder",),
    "head": _HEAD,
    "neck_and_head": (*_NECK, *_HEAD),
}
_CONVOLUTION_STD, _LINEAR_STD = 1e-3, 1e-2  # SMPLer-X's initialization of the heads
# Initialization of an encoder that is trained from scratch: scales of patch and position embeddings, longest wavelength
# of the latter, and scales of the identity and of the noise in the product of queries and keys.
_PATCH_SCALE, _POSITION_SCALE, _MAX_WAVELENGTH = 0.3, 0.5, 100.0
_IDENTITY_SCALE, _NOISE_SCALE = 0.8, 0.2
_MID_GREY = 0.5
# Grey and two opponent colours, with their approximate standard deviations in photographs.
_OPPONENT = ((1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (1.0, -2.0, 1.0))
_OPPONENT_STD = (1.0, 0.25, 0.25)
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


class TrainingNetwork(nn.Module):
    """A network with the body model that its losses need.

    Args:
        network: What is trained.
        body: Neutral body model.
        train: Key of TRAINABLE: which parts are trained. The others are frozen.
    """

    def __init__(self, network: SmplerX, body: BodyModel, train: str = "all") -> None:
        super().__init__()
        self.network = network
        self.body = TorchBody(body)
        self._trained = TRAINABLE[train]
        for name, module in network.named_children():
            module.requires_grad_(name in self._trained)

    def train(self, mode: bool = True) -> TrainingNetwork:
        """Set the mode; frozen parts stay in evaluation mode (fixed BatchNorm statistics, no drop path)."""
        super().train(mode)
        for name, module in self.network.named_children():
            module.train(mode and name in self._trained)
        return self

    def reduce_precision(self, precision: str, device: str) -> None:
        """Run the expensive parts in "bf16" or "fp16" by torch's autocast; weights and everything else stay float32."""
        autocast = torch.autocast(device, AUTOCAST[precision])
        for module in self.network.half_modules():
            module.forward = autocast(module.forward)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Run the network.

        Args:
            image: `(B, 3, 256, 192)` RGB 0..1.

        Returns:
            `rotvecs (B, 53, 3)` axis-angle; `betas` and `expression (B, 10)`; `transl (B, 3)` metres;
            `joints (B, 137, 3)` metres, without `transl`; `heatmap (B, 25, 16, 16, 12)` probabilities of the body
            joints; `joints_img (B, 65, 3)` cells, those of the hands relative to their boxes; `hand_boxes (B, 2, 4)`
            pixels of the crop, without gradient; `box_centers` and `box_sizes (B, 3, 2)` cells.
        """
        net = self.network
        tokens, feature = net.encoder(image)
        heatmap, body_joints = net.body_position_net(feature)
        root, body, betas, camera = net.body_regressor(*net.body_tokens(tokens), body_joints.detach())
        expression, jaw = net.face_regressor(*net.face_tokens(tokens))
        centers, sizes = net.box_net(feature, heatmap.detach())
        left, right = (
            heads.square_box(centers[:, part], sizes[:, part], heads.HAND_BOX_SCALE).detach() for part in (0, 1)
        )
        hand_feature = net.hand_roi_net(feature, left, right)
        _, hand_joints = net.hand_position_net(hand_feature)
        hands = net.hand_regressor(hand_feature, hand_joints.detach())
        batch = len(image)
        left_joints = heads.mirror_joints(hand_joints[:batch])
        left_6d = heads.mirror_rotations(hands[:batch].unflatten(1, (-1, 6))).flatten(1)
        matrices = matrix_from_6d(torch.cat([root, body, left_6d, hands[batch:], jaw], dim=1).unflatten(1, (-1, 6)))
        rotvecs = rotvec_from_matrix(matrices)
        depth = CAMERA_DEPTH_M * camera[:, 2:].sigmoid()
        return {
            "rotvecs": rotvecs,
            "betas": betas,
            "expression": expression,
            "transl": torch.cat([camera[:, :2], depth], dim=1),
            "joints": self.body(matrices, rotvecs, betas, expression),
            "heatmap": heatmap,
            "joints_img": torch.cat([body_joints, left_joints, hand_joints[batch:]], dim=1),
            "hand_boxes": torch.stack([left, right], dim=1),
            "box_centers": centers,
            "box_sizes": sizes,
        }


def initialize_network(backbone: BackboneSpec) -> SmplerX:
    """Build a randomly initialized network: heads as in SMPLer-X, and an encoder that learns from few images.

    SMPLer-X always starts from a pretrained encoder, and with timm's random initialization an encoder is slow to learn
    positions. Here the patch embedding starts with cosine filters, the position embedding with sines and cosines, and
    attention close to the identity (Trockman and Kolter 2023, "Mimetic initialization of self-attention layers").

    Raises:
        ConfigError: If the backbone is not an SMPLer-X network.
    """
    check_trainable(backbone)
    network = build_network(backbone)
    assert isinstance(network, SmplerX)
    with torch.no_grad():
        _init_patch_embedding(network.encoder.patch_embed.proj)
        network.encoder.pos_embed.copy_(_position_embedding(backbone.embed_dim))
        nn.init.normal_(network.encoder.reg_token, std=_POSITION_SCALE)
        for block in network.encoder.blocks:
            _init_attention(block.attn.qkv.weight, backbone.heads)
    for name, module in network.named_children():
        if name != "encoder":
            module.apply(_init_head)
    return network


def check_trainable(backbone: BackboneSpec) -> None:
    """Check that a backbone is an SMPLer-X network; raises ConfigError if not."""
    if backbone.family != SMPLER_X:
        raise ConfigError(f"backbone {backbone.name!r}: only SMPLer-X networks can be trained here")


def _position_embedding(dim: int) -> Tensor:
    """Return sines and cosines of column and row `(1, 192, dim)` (Vaswani et al. 2017, in two dimensions)."""
    rows, columns = torch.meshgrid(torch.arange(GRID_HEIGHT), torch.arange(GRID_WIDTH), indexing="ij")
    frequencies = _MAX_WAVELENGTH ** -(torch.arange(dim // 4) / (dim // 4))
    phases = [position.reshape(-1, 1) * frequencies for position in (columns, rows)]
    return _POSITION_SCALE * torch.cat([f(phase) for phase in phases for f in (torch.sin, torch.cos)], dim=1)[None]


def _init_patch_embedding(patch: nn.Conv2d) -> None:
    """Set the filters to the cosines of lowest frequency in grey and two opponent colours, with similar variances."""
    dim = patch.out_channels
    waves = sorted(product(range(PATCH), repeat=2), key=lambda wave: (math.hypot(*wave), wave))[: -(-dim // 3)]
    positions = (torch.arange(PATCH) + 0.5) * math.pi / PATCH
    filters = []
    for down, across in waves:
        cosine = torch.outer(torch.cos(down * positions), torch.cos(across * positions))
        frequency_std = 1.5 / (0.3 + math.hypot(down, across) ** 1.5)  # measured on rendered people
        for color, color_std in zip(_OPPONENT, _OPPONENT_STD, strict=True):
            direction = torch.tensor(color)[:, None, None] * cosine
            filters.append(direction / (direction.norm() * frequency_std * color_std))
    patch.weight.copy_(_PATCH_SCALE * torch.stack(filters)[:dim])
    if patch.bias is not None:
        patch.bias.copy_(-_MID_GREY * patch.weight.sum(dim=(1, 2, 3)))


def _init_attention(qkv: Tensor, heads: int) -> None:
    """Make queries and keys in `qkv (3 C, C)` similar, so that similar tokens (nearby patches) attend to each other."""
    dim = qkv.shape[1]
    size = dim // heads
    for rows in torch.arange(dim).split(size):
        basis = nn.init.orthogonal_(torch.empty(size, dim))
        for part in (rows, dim + rows):
            qkv[part] = math.sqrt(_IDENTITY_SCALE) * basis + _NOISE_SCALE * torch.randn(size, dim) / math.sqrt(dim)


def _init_head(module: Any) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, std=_CONVOLUTION_STD)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=_LINEAR_STD)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
