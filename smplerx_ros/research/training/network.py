"""SMPLer-X as it is trained: all that losses look at, gradients cut between stages, parts frozen."""

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

_NECK = ("body_position_net", "hand_position_net", "box_net", "hand_roi_net")  # where things are
_HEAD = ("body_regressor", "hand_regressor", "face_regressor")  # how they are turned and shaped
TRAINABLE = {
    "all": ("encoder", *_NECK, *_HEAD),
    "backbone": ("encoder",),
    "head": _HEAD,
    "neck_and_head": (*_NECK, *_HEAD),
}
_CONVOLUTION_SPREAD, _LINEAR_SPREAD = 1e-3, 1e-2  # SMPLer-X's initialisation of the heads
# Of an encoder that begins with nothing: what patches and places differ by, and how much attention stays near.
_PATCH_SIZE, _PLACE_SIZE, _LONGEST_WAVE = 0.3, 0.5, 100.0
_NEARNESS, _CHANCE = 0.8, 0.2
_MID_GREY = 0.5
# Grey and two opponent colours, and how little the latter vary, roughly; patches' waves fall like in photographs.
_OPPONENT = ((1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (1.0, -2.0, 1.0))
_OPPONENT_SPREAD = (1.0, 0.25, 0.25)
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


class TrainingNetwork(nn.Module):
    """A network and the body in which its losses are measured. `train` is a key of TRAINABLE; the rest is frozen."""

    def __init__(self, network: SmplerX, body: BodyModel, train: str = "all") -> None:
        super().__init__()
        self.network = network
        self.body = TorchBody(body)
        self._trained = TRAINABLE[train]
        for name, module in network.named_children():
            module.requires_grad_(name in self._trained)

    def train(self, mode: bool = True) -> TrainingNetwork:
        """Frozen parts stay in evaluation mode: their statistics do not move and no path is dropped."""
        super().train(mode)
        for name, module in self.network.named_children():
            module.train(mode and name in self._trained)
        return self

    def reduce_precision(self, precision: str, device: str) -> None:
        """The heavy parts compute in "bf16" or "fp16" (torch's autocast); weights and everything else stay float32."""
        autocast = torch.autocast(device, AUTOCAST[precision])
        for module in self.network.half_modules():
            module.forward = autocast(module.forward)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """All of the following of `image (B, 3, 256, 192)` RGB 0..1.

        `rotvecs (B, 53, 3)` axis-angle; `betas`, `expression (B, 10)`; `transl (B, 3)` metres; `joints (B, 137, 3)`
        metres, without `transl`; `heatmap (B, 25, 16, 16, 12)` probabilities of the body's joints;
        `joints_img (B, 65, 3)` cells, the hands' in their boxes; `hand_boxes (B, 2, 4)` pixels of the crop, without
        gradient; `box_centers`, `box_sizes (B, 3, 2)` cells.
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
    """A network initialised at random: the heads as SMPLer-X does, the encoder so that it learns from few pictures.

    SMPLer-X never began with a random encoder; timm's takes long to learn where in the picture anything is. Here
    patches are seen by their cosines, places are sines and cosines, and attention begins nearby (after Trockman and
    Kolter 2023, "Mimetic initialization of self-attention layers").
    """
    check_trainable(backbone)
    network = build_network(backbone)
    assert isinstance(network, SmplerX)
    with torch.no_grad():
        _see_cosines(network.encoder.patch_embed.proj)
        network.encoder.pos_embed.copy_(_places(backbone.embed_dim))
        nn.init.normal_(network.encoder.reg_token, std=_PLACE_SIZE)
        for block in network.encoder.blocks:
            _attend_nearby(block.attn.qkv.weight, backbone.heads)
    for name, module in network.named_children():
        if name != "encoder":
            module.apply(_initialise)
    return network


def check_trainable(backbone: BackboneSpec) -> None:
    """Raises ConfigError for a backbone that cannot be trained here."""
    if backbone.family != SMPLER_X:
        raise ConfigError(f"backbone {backbone.name!r}: only SMPLer-X networks can be trained here")


def _places(dim: int) -> Tensor:
    """Sines and cosines of column and row `(1, 192, dim)` (Vaswani et al. 2017, in two dimensions)."""
    rows, columns = torch.meshgrid(torch.arange(GRID_HEIGHT), torch.arange(GRID_WIDTH), indexing="ij")
    frequencies = _LONGEST_WAVE ** -(torch.arange(dim // 4) / (dim // 4))
    waves = [at.reshape(-1, 1) * frequencies for at in (columns, rows)]
    return _PLACE_SIZE * torch.cat([f(wave) for wave in waves for f in (torch.sin, torch.cos)], dim=1)[None]


def _see_cosines(patch: nn.Conv2d) -> None:
    """Filters that are the slowest cosines of a patch in grey and two colours, answering about equally loud."""
    dim = patch.out_channels
    waves = sorted(product(range(PATCH), repeat=2), key=lambda wave: (math.hypot(*wave), wave))[: -(-dim // 3)]
    places = (torch.arange(PATCH) + 0.5) * math.pi / PATCH
    filters = []
    for down, across in waves:
        cosine = torch.outer(torch.cos(down * places), torch.cos(across * places))
        spread = 1.5 / (0.3 + math.hypot(down, across) ** 1.5)  # read off rendered people
        for color, share in zip(_OPPONENT, _OPPONENT_SPREAD, strict=True):
            direction = torch.tensor(color)[:, None, None] * cosine
            filters.append(direction / (direction.norm() * spread * share))
    patch.weight.copy_(_PATCH_SIZE * torch.stack(filters)[:dim])
    if patch.bias is not None:
        patch.bias.copy_(-_MID_GREY * patch.weight.sum(dim=(1, 2, 3)))


def _attend_nearby(qkv: Tensor, count: int) -> None:
    """Queries and keys, in `qkv (3 C, C)` of `count` heads, that are alike: each head's product nearly projects."""
    dim = qkv.shape[1]
    size = dim // count
    for rows in torch.arange(dim).split(size):
        basis = nn.init.orthogonal_(torch.empty(size, dim))
        for part in (rows, dim + rows):
            qkv[part] = math.sqrt(_NEARNESS) * basis + _CHANCE * torch.randn(size, dim) / math.sqrt(dim)


def _initialise(module: Any) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, std=_CONVOLUTION_SPREAD)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=_LINEAR_SPREAD)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
