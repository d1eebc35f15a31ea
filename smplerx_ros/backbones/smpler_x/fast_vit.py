"""The ViT's blocks with equal results in fewer operations, by optimizations that ONNX Runtime lacks.

All tokens of a batch are rows of one matrix, so that biases are added in the matrix products. The rows are ordered by
token and then by person, from which ONNX Runtime's products read heads without a copy. Queries, keys and values have
separate products instead of a common one that is split. The scale of the softmax is included in the queries' weights.
The keys' bias is omitted, since it adds the same value to all logits of a row, which does not change the softmax. The
values' bias is included in the projection's, since the attention weights of a row sum to one.

ONNX Runtime's products read a dozen rows of their left factor at a time. Rows at distances of whole pages map to the
same set of the L1 cache, which has eight lines, and evict each other, at a fifth of the speed. Therefore, rows of such
widths are padded by a cache line of zeros, and so are the weights (`with_zeros`).
"""

from __future__ import annotations

import math

import torch
from timm.layers import Attention, Mlp
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn.functional import linear, pad

from .vit import Encoder

_PAGE, _LINE = 1024, 16  # float32 values: the 64 sets of an L1 cache, and its line of 64 bytes


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
        """Map padded rows `(B tokens, C)` to unpadded ones."""
        query, key, value = (
            linear(rows, with_zeros(weight), bias).unflatten(0, (tokens, -1)).unflatten(2, (self._heads, -1))
            for weight, bias in ((self.query, self.query_bias), (self.key, None), (self.value, None))
        )
        weights = (query.permute(1, 2, 0, 3) @ key.permute(1, 2, 3, 0)).softmax(dim=-1)
        joined = (weights @ value.permute(1, 2, 0, 3)).permute(2, 0, 1, 3).flatten(2).flatten(0, 1)
        return linear(with_zeros(joined), with_zeros(self.projection), self.projection_bias)


class _FastMlp(nn.Module):
    """MLP with the exact GELU (Hendrycks and Gimpel 2016), in the form that ONNX Runtime fuses."""

    def __init__(self, mlp: Mlp) -> None:
        super().__init__()
        self.fc1, self.fc2 = mlp.fc1, mlp.fc2

    def forward(self, rows: Tensor) -> Tensor:
        """Map padded rows `(B tokens, C)` to unpadded ones."""
        # Zero rows in the weights pad the hidden rows with zeros, since GELU(0) is 0.
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
        """Map `(B, tokens, C)` to the same shape."""
        tokens = sequence.shape[1]
        rows = sequence.transpose(0, 1).flatten(0, 1)
        for block in self.blocks:
            rows = block(rows, tokens)
        return rows.unflatten(0, (tokens, -1)).transpose(0, 1)


def use_fast_blocks(encoder: Encoder) -> None:
    """Replace the blocks of an encoder in evaluation mode, in place; most weights are shared with the old blocks."""
    encoder.blocks = _FastBlocks(encoder.blocks)


def with_zeros(rows: Tensor) -> Tensor:
    """Pad `(..., C)` with a cache line of zeros if rows are whole pages; otherwise return it unchanged."""
    return rows if rows.shape[-1] % _PAGE else pad(rows, (0, _LINE))
