"""The heads' transposed convolutions with 2.25 times fewer multiplications, for processors without kernels for them.

A transposed convolution of kernel 4, stride 2 and padding 1 is a convolution of kernel 2 for each of the four phases of
its output (even and odd rows and columns). Those share their input tiles, and each is computed by Winograd's minimal
filtering F(3x3, 2x2) (Lavin and Gray 2016, Fast algorithms for convolutional neural networks): nine outputs of 16
products instead of 36. All of it is matrix products, which every runtime does at its best. Float32 only: the
transforms cost half precision too many digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from . import heads
from .ops import hat, soft_argmax
from .registry import GRID_HEIGHT, GRID_WIDTH
from .smpler_x import SmplerX

# F(3, 2): y = OUTPUT @ ((FILTER @ g) * (INPUT @ d)) are the 3 outputs of the 2 taps g over the 4 inputs d.
_OUTPUTS, _PRODUCTS = 3, 4
_INPUT = [[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, -1.0, 1.0, 0.0], [0.0, -1.0, 0.0, 1.0]]
_FILTER = [[1.0, 0.0], [0.5, 0.5], [0.5, -0.5], [0.0, 1.0]]
_OUTPUT = [[1.0, 1.0, 1.0, 0.0], [0.0, 1.0, -1.0, 0.0], [0.0, 1.0, 1.0, 1.0]]
# Taps of the kernel in each phase: cell 2 i + phase - 1 of the doubled axis sees the inputs i - 1 and i.
_TAPS = [[2, 0], [3, 1]]


@dataclass(frozen=True)
class _Axis:
    """One axis of stored maps: `places` are the cells in their order, -1 where there is none."""

    places: tuple[int, ...]

    @property
    def cells(self) -> int:
        """How many there are."""
        return max(self.places) + 1

    @property
    def tiles(self) -> int:
        """Tiles of the doubled axis: three cells of both phases each, over one input more than there are."""
        return -(-(self.cells + 1) // _OUTPUTS)

    @property
    def doubled(self) -> _Axis:
        """As the tiles bring it: by place in the tile, phase, tile."""
        output, phase, tile = torch.meshgrid(*map(torch.arange, (_OUTPUTS, 2, self.tiles)), indexing="ij")
        cell = 2 * (_OUTPUTS * tile + output) + phase - 1
        return _Axis(tuple(torch.where(cell < 2 * self.cells, cell, -1).flatten().tolist()))

    @property
    def order(self) -> Tensor:
        """Where each cell is stored."""
        return torch.tensor([self.places.index(cell) for cell in range(self.cells)])

    def input_transform(self) -> Tensor:
        """`(4 tiles, places)`: the tiles' transformed inputs, by product and tile; zero beyond the signal."""
        transform = torch.zeros(_PRODUCTS, self.tiles, self.cells)
        for tile in range(self.tiles):
            for position, column in enumerate(torch.tensor(_INPUT).T):
                cell = _OUTPUTS * tile + position - 1
                if 0 <= cell < self.cells:
                    transform[:, tile, cell] = column
        stored = torch.zeros(_PRODUCTS * self.tiles, len(self.places))
        stored[:, self.order] = transform.flatten(0, 1)
        return stored


class Doubling(nn.Module):
    """`ConvTranspose2d(4, 2, 1)` with its bias and the ReLU after it, of maps stored as `rows` and `columns` say."""

    def __init__(self, convolution: nn.ConvTranspose2d, rows: _Axis, columns: _Axis) -> None:
        super().__init__()
        assert convolution.bias is not None  # of the BatchNorm that was folded into it
        kernel, bias = convolution.weight.detach(), convolution.bias.detach()
        self._tiles = rows.tiles, columns.tiles
        phases = kernel[:, :, _TAPS][..., _TAPS]  # (K, C, phase, tap, phase, tap): rows, columns
        along, output = torch.tensor(_FILTER), torch.tensor(_OUTPUT)
        transformed = torch.einsum("er,fc,koprqc->efpqok", along, along, phases)
        self.register_buffer("filters", transformed.flatten(2, 4).flatten(0, 1).contiguous())
        self.register_buffer("row_transform", rows.input_transform())
        self.register_buffer("column_transform", columns.input_transform().T.contiguous())
        self.register_buffer("output_transform", torch.kron(output, output))
        self.register_buffer("bias", bias[:, None].clone())
        self.register_buffer("row_places", torch.tensor(rows.doubled.places))
        self.register_buffer("column_places", torch.tensor(columns.doubled.places))
        self.register_buffer("row_order", rows.doubled.order)
        self.register_buffer("column_order", columns.doubled.order)

    def tiles(self, feature: Tensor) -> Tensor:
        """`(B, 36, C, T)` of stored maps `(B, K, ., .)`: place in the tile and phase, of rows and columns; tile."""
        rows, columns = self._tiles
        inputs = self.row_transform @ feature @ self.column_transform
        inputs = inputs.unflatten(2, (_PRODUCTS, rows)).unflatten(4, (_PRODUCTS, columns)).permute(0, 2, 4, 1, 3, 5)
        products = self.filters @ inputs.flatten(4).flatten(1, 2)  # (B, 16, 4 C, T)
        outputs = (self.output_transform @ products.flatten(2)).unflatten(2, (4, -1, rows * columns))
        return torch.relu(outputs + self.bias).flatten(1, 2)

    def stored(self, tiles: Tensor) -> Tensor:
        """Maps `(B, C, ., .)` of `tiles`, in the order of the doubled axes."""
        apart = tiles.unflatten(3, self._tiles).unflatten(1, (_OUTPUTS, _OUTPUTS, 2, 2))
        return apart.permute(0, 5, 1, 3, 6, 2, 4, 7).flatten(5).flatten(2, 4)

    def in_order(self, tiles: Tensor) -> Tensor:
        """Maps `(B, C, H, W)` of `tiles`, cell by cell."""
        return self.stored(tiles).index_select(2, self.row_order).index_select(3, self.column_order)

    def sample(self, tiles: Tensor, points: Tensor) -> Tensor:
        """`ops.sample_features` of the maps in `tiles`, `(B, J, C)` at `points (B, J, 2)`; inside of the maps."""
        along_y = hat(points[..., 1], self.row_places) * (self.row_places >= 0)
        along_x = hat(points[..., 0], self.column_places) * (self.column_places >= 0)
        y = along_y.unflatten(2, (_OUTPUTS, 1, 2, 1, -1, 1))
        x = along_x.unflatten(2, (1, _OUTPUTS, 1, 2, 1, -1))
        weights = (y * x).flatten(6).flatten(2, 5)  # (B, J, 36, T)
        return (tiles @ weights.permute(0, 2, 3, 1)).sum(dim=1).transpose(1, 2)

    def forward(self, feature: Tensor) -> Tensor:
        """The doubled maps, stored."""
        return self.stored(self.tiles(feature))


class FastBoxNet(nn.Module):
    """`heads.BoxNet` whose last map stays in tiles."""

    def __init__(self, box_net: heads.BoxNet) -> None:
        super().__init__()
        self.sizes = box_net.sizes
        self.doublings = _doublings(box_net.deconv)
        center = box_net.bbox_center[0]
        self.register_buffer("center", center.weight.detach().flatten(1))
        self.register_buffer("center_bias", center.bias.detach()[:, None, None])

    def forward(self, feature: Tensor, heatmap: Tensor) -> tuple[Tensor, Tensor]:
        """As `heads.BoxNet`."""
        maps = torch.cat([feature, heatmap.flatten(1, 2)], dim=1)
        *others, last = self.doublings
        for doubling in others:
            maps = doubling(maps)
        tiles = last.tiles(maps)
        logits = last.in_order(self.center @ tiles) + self.center_bias
        _, centers = soft_argmax(logits)
        return centers / heads.BOX_STRIDE, self.sizes(last.sample(tiles, centers))


class FastUpsampling(nn.Module):
    """`heads.HandRoiNet.deconv`."""

    def __init__(self, deconv: nn.Sequential) -> None:
        super().__init__()
        self.doublings = _doublings(deconv)

    def forward(self, feature: Tensor) -> Tensor:
        """`(B, C, 64, 48)` of `feature (B, K, 16, 12)`."""
        *others, last = self.doublings
        for doubling in others:
            feature = doubling(feature)
        return last.in_order(last.tiles(feature))


def use_winograd(network: SmplerX) -> None:
    """Replaces the heads' transposed convolutions, in place; the network's norms must be fused."""
    network.box_net = FastBoxNet(network.box_net)
    network.hand_roi_net.deconv = FastUpsampling(network.hand_roi_net.deconv)


def _doublings(deconv: nn.Sequential) -> nn.ModuleList:
    rows, columns = (_Axis(tuple(range(cells))) for cells in (GRID_HEIGHT, GRID_WIDTH))
    doublings = []
    for convolution in (module for module in deconv if isinstance(module, nn.ConvTranspose2d)):
        doublings.append(Doubling(convolution, rows, columns))
        rows, columns = rows.doubled, columns.doubled
    return nn.ModuleList(doublings)
