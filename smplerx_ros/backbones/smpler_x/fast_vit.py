"""The ViT's blocks with the same answers in fewer steps: what ONNX Runtime does not find for itself.

All tokens of a batch are rows of one matrix, so that biases are added within the matrix products; token by token of all
people, because ONNX Runtime's product reads heads out of that order without a copy. Queries, keys and values come from
a product each instead of being cut out of one. The softmax's scale is in the queries' weights; a bias
of the keys would add the same to all of a row's logits, which changes no softmax; the values' bias passes through the
attention unchanged, because its rows sum to one, and goes into the projection's.

ONNX Runtime's products read the rows of their left factor where they lie, a dozen at a time. Rows that are whole pages
apart fall into one set of the first cache, which holds eight lines, and drive each other out: a fifth of the speed. So
rows of such widths are followed by a cache line of zeros, and the weights that they meet are too (`with_zeros`).
"""

from __future__ import annotations

import math

import torch
from timm.layers import Attention, Mlp
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn.functional import linear, pad

from .vit import Encoder

_PAGE, _LINE = 1024, 16  # float32 numbers: 64 sets of lines in a first cache, and a line of 64 bytes


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
        """`(B tokens, C)` of such rows with zeros."""
        query, key, value = (
            linear(rows, with_zeros(weight), bias).unflatten(0, (tokens, -1)).unflatten(2, (self._heads, -1))
            for weight, bias in ((self.query, self.query_bias), (self.key, None), (self.value, None))
        )
        share = (query.permute(1, 2, 0, 3) @ key.permute(1, 2, 3, 0)).softmax(dim=-1)
        joined = (share @ value.permute(1, 2, 0, 3)).permute(2, 0, 1, 3).flatten(2).flatten(0, 1)
        return linear(with_zeros(joined), with_zeros(self.projection), self.projection_bias)


class _FastMlp(nn.Module):
    """With the exact GELU (Hendrycks and Gimpel 2016), factors in the order in which ONNX Runtime knows it."""

    def __init__(self, mlp: Mlp) -> None:
        super().__init__()
        self.fc1, self.fc2 = mlp.fc1, mlp.fc2

    def forward(self, rows: Tensor) -> Tensor:
        """`(B tokens, C)` of such rows with zeros."""
        # GELU(0) is 0: zeros behind hidden rows come from rows of zeros in the weights.
        weight, bias = with_zeros(with_zeros(self.fc1.weight).T).T, with_zeros(self.fc1.bias)
        hidden = linear(rows, weight, bias)
        activated = (0.5 * hidden) * (1.0 + torch.erf(hidden / math.sqrt(2.0)))
        return linear(activated, with_zeros(self.fc2.weight), self.fc2.bias)


class _FastBlock(nn.Module):
    def __init__(self, block: Block) -> None:
        super().__init__()
        self.norm1, self.norm2 = block.norm1, block.norm2
        self.attention, self.mlp = _FastAttention(block.attn), _FastMlp(block.mlp)

    def forward(self, rows: Tensor, tokens: int) -> Tensor:
        rows = rows + self.attention(with_zeros(self.norm1(rows)), tokens)
        return rows + self.mlp(with_zeros(self.norm2(rows)))


class _FastBlocks(nn.Module):
    def __init__(self, blocks: nn.Sequential) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_FastBlock(block) for block in blocks)

    def forward(self, sequence: Tensor) -> Tensor:
        """Of and as `(B, tokens, C)`."""
        tokens = sequence.shape[1]
        rows = sequence.transpose(0, 1).flatten(0, 1)
        for block in self.blocks:
            rows = block(rows, tokens)
        return rows.unflatten(0, (tokens, -1)).transpose(0, 1)


def use_fast_blocks(encoder: Encoder) -> None:
    """Replaces the blocks of an encoder in evaluation mode, in place; most weights are shared with the old ones."""
    encoder.blocks = _FastBlocks(encoder.blocks)


def with_zeros(rows: Tensor) -> Tensor:
    """`(..., C)`, with a cache line of zeros behind each row of whole pages; others as they are."""
    return rows if rows.shape[-1] % _PAGE else pad(rows, (0, _LINE))
