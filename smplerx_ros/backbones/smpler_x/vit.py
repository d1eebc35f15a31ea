"""The ViT encoder, based on timm, and the conversion of tensor names of published checkpoints."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from smplerx_ros.backbones.registry import GRID_HEIGHT, GRID_WIDTH, PATCH, BackboneSpec
from smplerx_ros.geometry.constants import CROP_HEIGHT, CROP_WIDTH

PATCH_PADDING = 2  # of the patch convolution, as in ViTPose; timm has none
NORM_EPS = 1e-6

# Published names -> timm's, without `encoder.`, where they differ.
_RENAMED = {"task_tokens": "reg_token", "last_norm.weight": "norm.weight", "last_norm.bias": "norm.bias"}


class Encoder(VisionTransformer):
    """Plain ViT with task tokens before the patches, without a class token (ViTPose; Dosovitskiy et al. 2021)."""

    def __init__(self, backbone: BackboneSpec) -> None:
        super().__init__(
            img_size=(CROP_HEIGHT, CROP_WIDTH),
            patch_size=PATCH,
            embed_dim=backbone.embed_dim,
            depth=backbone.depth,
            num_heads=backbone.heads,
            drop_path_rate=backbone.drop_path,
            class_token=False,
            reg_tokens=backbone.tokens,
            no_embed_class=True,
            num_classes=0,
            global_pool="",
        )
        for norm in (module for module in self.modules() if isinstance(module, torch.nn.LayerNorm)):
            norm.eps = NORM_EPS
        self.patch_embed.proj.padding = (PATCH_PADDING, PATCH_PADDING)
        self.task_tokens = backbone.tokens

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Task tokens `(B, T, C)` and feature map `(B, C, 16, 12)`, float32, of `image (B, 3, 256, 192)` RGB 0..1."""
        sequence = self.forward_features(image.to(self.pos_embed.dtype)).float()
        tokens, patches = sequence[:, : self.task_tokens], sequence[:, self.task_tokens :]
        return tokens, patches.transpose(1, 2).unflatten(2, (GRID_HEIGHT, GRID_WIDTH))


def from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Encoder tensors of a checkpoint (names without `encoder.`) under timm's names.

    The published position embedding has a slot for a class token; it is added to every patch's.
    """
    renamed = {_RENAMED.get(name, name): value for name, value in state.items()}
    position = renamed["pos_embed"]
    renamed["pos_embed"] = position[:, 1:] + position[:, :1]
    return renamed


def to_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `from_published`. The class token's slot, whose content is in every patch's already, is zero."""
    back = {timm_name: name for name, timm_name in _RENAMED.items()}
    renamed = {back.get(name, name): value for name, value in state.items()}
    position = renamed["pos_embed"]
    renamed["pos_embed"] = torch.cat([torch.zeros_like(position[:, :1]), position], dim=1)
    return renamed


def published_shapes(encoder: Encoder) -> dict[str, tuple[int, ...]]:
    """Names (without `encoder.`) and shapes that a checkpoint must hold."""
    back = {timm_name: name for name, timm_name in _RENAMED.items()}
    shapes = {back.get(name, name): tuple(value.shape) for name, value in encoder.state_dict().items()}
    batch, patches, dim = shapes["pos_embed"]
    shapes["pos_embed"] = (batch, patches + 1, dim)
    return shapes
