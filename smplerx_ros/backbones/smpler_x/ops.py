"""Pooling and soft-argmax as pure functions: plain matrix products, so that every exporter takes them.

All of them compute in float32, whatever they are given: a soft-argmax over 12288 cells loses its precision in half.
Coordinates are in cells with their centres at integers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# Samples per bin and axis of `roi_align`. The sampling is adaptive: 16 serves regions of up to 256 cells, four times
# the largest feature map; larger ones are sampled more sparsely.
MAX_SAMPLES = 16


def soft_argmax(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax over all cells of `logits (B, J, *dims)`; the expected cell `(B, J, len(dims))`, last axis (x) first."""
    dims = logits.shape[2:]
    probability = logits.float().flatten(2).softmax(dim=-1).unflatten(2, dims)
    expected = []
    for axis in range(len(dims) - 1, -1, -1):
        others = [2 + k for k in range(len(dims)) if k != axis]
        expected.append(probability.sum(dim=others) @ _ramp(dims[axis], logits.device))
    return probability, torch.stack(expected, dim=-1)


def spread(probability: Tensor, expected: Tensor) -> Tensor:
    """Standard deviation `(B, J)` in cells, RMS over x and y, of 3-D heat maps as `soft_argmax` answers them."""
    across = ((-1, (2, 3)), (-2, (2, 4)))  # x, y: their axis, and the others
    variances = []
    for k, (axis, others) in enumerate(across):
        away = _ramp(probability.shape[axis], probability.device) - expected[..., k : k + 1]
        variances.append((probability.sum(dim=others) * away.square()).sum(dim=-1))
    return (0.5 * (variances[0] + variances[1])).sqrt()


def sample_features(feature: Tensor, points: Tensor) -> Tensor:
    """Bilinear samples `(B, J, C)` of `feature (B, C, H, W)` at `points (B, J, 2)` (x, y); zero outside."""
    height, width = feature.shape[2:]
    along_x = hat(points[..., 0].float(), _ramp(width, feature.device))
    along_y = hat(points[..., 1].float(), _ramp(height, feature.device))
    columns = feature.float() @ along_x[:, None].transpose(2, 3)  # (B, C, H, J)
    return (columns * along_y[:, None].transpose(2, 3)).sum(dim=2).transpose(1, 2)


def roi_align(feature: Tensor, boxes: Tensor, size: int) -> Tensor:
    """One mean-pooled region an image: `(B, C, size, size)` of `feature (B, C, H, W)`, `boxes (B, 4)` (x0, y0, x1, y1).

    RoIAlign of Mask R-CNN (He et al. 2017) without the later half-pixel shift, with as many samples per bin as the
    bin has cells.
    """
    places = [_ramp(cells, feature.device) for cells in feature.shape[2:]]
    return roi_align_stored(feature, boxes, size, places, feature.shape[2:])


def roi_align_stored(
    feature: Tensor, boxes: Tensor, size: int, places: Sequence[Tensor], cells: Sequence[int]
) -> Tensor:
    """The same where `feature` holds rows and columns in another order: `places` tell which cells of how many.

    Those at -1 count for nothing. Validity and bilinear weights are separable, so that the pooling is one matrix per
    axis: `rows @ feature @ columns^T`.
    """
    box = boxes.float()
    rows = _pooling_matrix(box[:, 1], box[:, 3], size, places[0], cells[0])
    columns = _pooling_matrix(box[:, 0], box[:, 2], size, places[1], cells[1])
    return rows[:, None] @ feature.float() @ columns[:, None].transpose(2, 3)


def _pooling_matrix(start: Tensor, end: Tensor, bins: int, places: Tensor, cells: int) -> Tensor:
    """`(B, bins, places)`: the weight of each stored cell in each bin's mean, along one axis."""
    step = (end - start).clamp(min=1.0) / bins  # width of a bin, cells
    count = step.ceil().clamp(max=MAX_SAMPLES)[:, None, None]
    index = torch.arange(MAX_SAMPLES, dtype=torch.float32, device=start.device)[None, None]
    first = torch.arange(bins, dtype=torch.float32, device=start.device)[None, :, None]
    at = start[:, None, None] + first * step[:, None, None] + (index + 0.5) * step[:, None, None] / count
    # A sample beyond the map by more than a cell counts as zero; up to there it takes the border's value.
    used = (index < count) & (at >= -1.0) & (at <= float(cells))
    weight = hat(at.clamp(0.0, cells - 1.0), places)
    return (weight * (used / count)[..., None]).sum(dim=2)


def hat(at: Tensor, places: Tensor) -> Tensor:
    """`(..., cells)` bilinear weights of positions `at (...)` for cells at `places`; beyond them nothing weighs."""
    return (1.0 - (at[..., None] - places).abs()).clamp(min=0.0)


def _ramp(cells: int, device: torch.device) -> Tensor:
    return torch.arange(cells, dtype=torch.float32, device=device)
