"""The network of SMPLest-X (Yin et al. 2025): SMPLer-X's ViT with more task tokens, and a transformer decoder.

Modules are named as in published checkpoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from smplerx_ros.backbones.registry import BackboneSpec

from .vit import Encoder

_LAYERS, _HEADS, _HEAD_DIM = 6, 8, 64
_INNER = _HEADS * _HEAD_DIM
_TOKEN_DIM = 512

# Output -> (first token, number of tokens, values); each group of tokens is the input of a linear layer.
_GROUPS = {
    "body_root_pose": (0, 1, 6),
    "body_pose": (1, 21, 126),
    "body_shape": (22, 10, 10),
    "body_cam": (32, 1, 3),
    "hand_root_pose": (33, 2, 12),
    "hand_pose": (35, 30, 180),
    "hand_cam": (65, 2, 6),
    "face_root_pose": (67, 1, 6),
    "face_expression": (68, 10, 10),
    "face_jaw_pose": (78, 1, 6),
    "face_cam": (79, 1, 3),
}


class _PreNorm(nn.Module):
    def __init__(self, dim: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fn = fn

    def forward(self, x: Tensor, *context: Tensor) -> Tensor:
        return self.fn(self.norm(x), *context)


class _SelfAttention(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.to_qkv = nn.Linear(dim, 3 * _INNER, bias=False)
        self.to_out = nn.Sequential(nn.Linear(_INNER, dim))

    def forward(self, x: Tensor) -> Tensor:
        return self.to_out(_attention(*self.to_qkv(x).chunk(3, dim=-1)))


class _CrossAttention(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.to_q = nn.Linear(dim, _INNER, bias=False)
        self.to_kv = nn.Linear(dim, 2 * _INNER, bias=False)
        self.to_out = nn.Sequential(nn.Linear(_INNER, dim))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        return self.to_out(_attention(self.to_q(x), *self.to_kv(context).chunk(2, dim=-1)))


class _FeedForward(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        # Identities in place of dropouts keep the published numbering.
        self.net = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Identity(), nn.Linear(dim, dim), nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class _Layers(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        blocks = ((_SelfAttention, _CrossAttention, _FeedForward) for _ in range(_LAYERS))
        self.layers = nn.ModuleList(nn.ModuleList(_PreNorm(dim, kind(dim)) for kind in kinds) for kinds in blocks)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        for self_attention, cross_attention, feed_forward in self.layers:
            x = x + self_attention(x)
            x = x + cross_attention(x, context)
            x = x + feed_forward(x)
        return x


class _Transformer(nn.Module):
    def __init__(self, dim: int, tokens: int) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.zeros(1, 1, dim))
        self.to_token_embedding = nn.Linear(tokens, dim)  # in all checkpoints, but unused
        self.transformer = _Layers(dim)

    def forward(self, tokens: Tensor, patches: Tensor) -> Tensor:
        return self.transformer(torch.cat([tokens, patches], dim=1) + self.pos_embedding, patches)


class Decoder(nn.Module):
    """Six transformer layers over task tokens and patches, then a linear layer per group of tokens."""

    def __init__(self, dim: int, tokens: int) -> None:
        super().__init__()
        self.tokens = tokens
        self.transformer = _Transformer(dim, tokens)
        self.token_conv = nn.Linear(dim, _TOKEN_DIM)
        for name, (_, count, values) in _GROUPS.items():
            self.add_module(f"dec_{name}", nn.Linear(count * _TOKEN_DIM, values))

    def forward(self, tokens: Tensor, patches: Tensor) -> dict[str, Tensor]:
        """All groups `(B, values)` of `tokens (B, 80, C)` and `patches (B, 192, C)`; left halves before right ones."""
        decoded = self.transformer(tokens, patches)[:, : self.tokens]
        reduced = self.token_conv(decoded)
        return {
            name: self.get_submodule(f"dec_{name}")(reduced[:, first : first + count].flatten(1))
            for name, (first, count, _) in _GROUPS.items()
        }


class SmplestX(nn.Module):
    """The complete network, without the roots and cameras of hands and face, which only served the training."""

    def __init__(self, backbone: BackboneSpec) -> None:
        super().__init__()
        self.encoder = Encoder(backbone)
        self.decoder = Decoder(backbone.embed_dim, backbone.tokens)

    def half_modules(self) -> list[nn.Module]:
        """Modules with most of the computation; the decoder remains float32."""
        return [self.encoder]

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Outputs (see `prediction.py`) of `image (B, 3, 256, 192)` RGB 0..1."""
        tokens, feature = self.encoder(image)
        out = self.decoder(tokens, feature.flatten(2).transpose(1, 2))
        rotations = [out[name] for name in ("body_root_pose", "body_pose", "hand_pose", "face_jaw_pose")]
        return {
            "pose_6d": torch.cat(rotations, dim=1).unflatten(1, (-1, 6)),
            "betas": out["body_shape"],
            "expression": out["face_expression"],
            "camera": out["body_cam"],
        }


def _attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Multi-head attention `(B, N, 512)` of `query (B, N, 512)`, `key` and `value (B, M, 512)`."""
    split = [x.unflatten(2, (_HEADS, _HEAD_DIM)).transpose(1, 2) for x in (query, key, value)]
    return functional.scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)
