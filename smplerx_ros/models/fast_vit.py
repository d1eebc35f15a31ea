"""The ViT's blocks with the same answers in fewer steps: what ONNX Runtime does not find for itself.

All tokens of a batch are rows of one matrix, so that biases are added within the matrix products. Queries, keys and
values come from a product each instead of being cut out of one. The softmax's scale is in the queries' weights; a bias
of the keys would add the same to all of a row's logits, which changes no softmax; the values' bias passes through the
attention unchanged, because its rows sum to one, and goes into the projection's.
"""

from __future__ import annotations

import math

import torch
from timm.layers import Attention, Mlp
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn.functional import linear

from .vit import Encoder


class _FastAttention(nn.Module):
    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self._heads = attention.num_heads
        scale = attention.head_dim**-0.5
        query, key, value = attention.qkv.weight.detach().chunk(3)
        query_bias, _, value_bias = attention.qkv.bias.detach().chunk(3)
        projection = attention.proj.weight.detach()
        self.register_buffer("query", query * scale)
        self.register_buffer("query_bias", query_bias * scale)
        self.register_buffer("key", key)
        self.register_buffer("value", value)
        self.register_buffer("projection", projection)
        self.register_buffer("projection_bias", attention.proj.bias.detach() + projection @ value_bias)

    def forward(self, rows: Tensor, tokens: int) -> Tensor:
        """Of and as `(B tokens, C)`."""
        query, key, value = (
            linear(rows, weight, bias).unflatten(0, (-1, tokens)).unflatten(2, (self._heads, -1))
            for weight, bias in ((self.query, self.query_bias), (self.key, None), (self.value, None))
        )
        share = (query.transpose(1, 2) @ key.permute(0, 2, 3, 1)).softmax(dim=-1)
        joined = (share @ value.transpose(1, 2)).transpose(1, 2).flatten(2).flatten(0, 1)
        return linear(joined, self.projection, self.projection_bias)


class _FastMlp(nn.Module):
    """With the exact GELU (Hendrycks and Gimpel 2016), factors in the order in which ONNX Runtime knows it."""

    def __init__(self, mlp: Mlp) -> None:
        super().__init__()
        self.fc1, self.fc2 = mlp.fc1, mlp.fc2

    def forward(self, rows: Tensor) -> Tensor:
        hidden = self.fc1(rows)
        return self.fc2((0.5 * hidden) * (1.0 + torch.erf(hidden / math.sqrt(2.0))))


class _FastBlock(nn.Module):
    def __init__(self, block: Block) -> None:
        super().__init__()
        self.norm1, self.norm2 = block.norm1, block.norm2
        self.attention, self.mlp = _FastAttention(block.attn), _FastMlp(block.mlp)

    def forward(self, rows: Tensor, tokens: int) -> Tensor:
        rows = rows + self.attention(self.norm1(rows), tokens)
        return rows + self.mlp(self.norm2(rows))


class _FastBlocks(nn.Module):
    def __init__(self, blocks: nn.Sequential) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_FastBlock(block) for block in blocks)

    def forward(self, sequence: Tensor) -> Tensor:
        """Of and as `(B, tokens, C)`."""
        tokens = sequence.shape[1]
        rows = sequence.flatten(0, 1)
        for block in self.blocks:
            rows = block(rows, tokens)
        return rows.unflatten(0, (-1, tokens))


def use_fast_blocks(encoder: Encoder) -> None:
    """Replaces the blocks of an encoder in evaluation mode, in place; most weights are shared with the old ones."""
    encoder.blocks = _FastBlocks(encoder.blocks)
