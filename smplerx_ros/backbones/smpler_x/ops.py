"""Pooling and soft-argmax as matrix products, which any exporter supports.

All compute in float32, since a soft-argmax over 12288 cells is inaccurate in half precision. Coordinates are in cells,
with their centres at integers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# Samples per bin and axis of `roi_align`. The sampling is adaptive: 16 serves regions of up to 256 cells, four times
# the largest feature map; larger ones are undersampled.
MAX_SAMPLES = 16


def soft_argmax(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax over all cells of `logits (B, J, *dims)`, and the expected cell `(B, J, len(dims))`, x first."""
    dims = logits.shape[2:]
    probability = logits.float().flatten(2).softmax(dim=-1).unflatten(2, dims)
    expected = []
    for axis in range(len(dims) - 1, -1, -1):
        others = [2 + k for k in range(len(dims)) if k != axis]
        expected.append(probability.sum(dim=others) @ _ramp(dims[axis], logits.device))
    return probability, torch.stack(expected, dim=-1)


def spread(probability: Tensor, expected: Tensor) -> Tensor:
    """Standard deviation `(B, J)` in cells, RMS over x and y, of the 3-D heat maps of `soft_argmax`."""
    across = ((-1, (2, 3)), (-2, (2, 4)))  # of x and y: the axis, and the other axes
    variances = []
    for k, (axis, others) in enumerate(across):
        away = _ramp(probability.shape[axis], probability.device) - expected[..., k : k + 1]
        variances.append((probability.sum(dim=others) * away.square()).sum(dim=-1))
    return (0.5 * (variances[0] + variances[1])).sqrt()


def sample_features(feature: Tensor, points: Tensor) -> Tensor:
    """Sample `feature (B, C, H, W)` bilinearly at `points (B, J, 2)` (x, y): `(B, J, C)`, zero outside."""
    height, width = feature.shape[2:]
    along_x = hat(points[..., 0].float(), _ramp(width, feature.device))
    along_y = hat(points[..., 1].float(), _ramp(height, feature.device))
    columns = feature.float() @ along_x[:, None].transpose(2, 3)  # (B, C, H, J)
    return (columns * along_y[:, None].transpose(2, 3)).sum(dim=2).transpose(1, 2)


def roi_align(feature: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Pool one region per image: `(B, C, size, size)` of `feature (B, C, H, W)` and `boxes (B, 4)` (x0, y0, x1, y1).

    This is RoIAlign of Mask R-CNN (He et al. 2017) without the later half-pixel offset (`aligned=False`), with adaptive
    sampling.
    """
    positions = [_ramp(cells, feature.device) for cells in feature.shape[2:]]
    return roi_align_stored(feature, boxes, size, positions, feature.shape[2:])


def roi_align_stored(
    feature: Tensor, boxes: Tensor, size: int, positions: Sequence[Tensor], cells: Sequence[int]
) -> Tensor:
    """As `roi_align`, for a `feature` whose rows and columns are stored in another order.

    Validity and bilinear weights are separable, so that the pooling is one matrix per axis: `rows @ feature @
    columns^T`.

    Args:
        feature: `(B, C, rows, columns)`.
        boxes: `(B, 4)` x0, y0, x1, y1 in cells.
        size: Bins per axis.
        positions: For each axis, the cells of the stored rows or columns; -1 for padding.
        cells: Number of cells per axis.
    """
    box = boxes.float()
    rows = _pooling_matrix(box[:, 1], box[:, 3], size, positions[0], cells[0])
    columns = _pooling_matrix(box[:, 0], box[:, 2], size, positions[1], cells[1])
    return rows[:, None] @ feature.float() @ columns[:, None].transpose(2, 3)


def _pooling_matrix(start: Tensor, end: Tensor, bins: int, positions: Tensor, cells: int) -> Tensor:
    """Weights `(B, bins, positions)` of the stored cells in each bin's mean, along one axis."""
    step = (end - start).clamp(min=1.0) / bins  # width of a bin, cells
    count = step.ceil().clamp(max=MAX_SAMPLES)[:, None, None]
    index = torch.arange(MAX_SAMPLES, dtype=torch.float32, device=start.device)[None, None]
    first = torch.arange(bins, dtype=torch.float32, device=start.device)[None, :, None]
    at = start[:, None, None] + first * step[:, None, None] + (index + 0.5) * step[:, None, None] / count
    # Samples outside the map by more than a cell are zero; closer ones take the border's value.
    used = (index < count) & (at >= -1.0) & (at <= float(cells))
    weight = hat(at.clamp(0.0, cells - 1.0), positions)
    return (weight * (used / count)[..., None]).sum(dim=2)


def hat(at: Tensor, positions: Tensor) -> Tensor:
    """Linear interpolation weights `(..., cells)` of cells at `positions`, for coordinates `at (...)`."""
    return (1.0 - (at[..., None] - positions).abs()).clamp(min=0.0)


def _ramp(cells: int, device: torch.device) -> Tensor:
    return torch.arange(cells, dtype=torch.float32, device=device)
