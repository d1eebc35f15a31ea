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

from smplerx_ros.backbones.registry import GRID_HEIGHT, GRID_WIDTH
from smplerx_ros.geometry.constants import CROP_WIDTH

from . import heads
from .ops import roi_align_stored, soft_argmax
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
        self.tiles = rows.tiles, columns.tiles
        self.axes = rows.doubled, columns.doubled
        output = torch.tensor(_OUTPUT)
        self.register_buffer("filters", _filters(convolution))
        self.register_buffer("row_transform", rows.input_transform())
        self.register_buffer("column_transform", columns.input_transform().T.contiguous())
        self.register_buffer("output_transform", torch.kron(output, output))
        self.register_buffer("bias", convolution.bias.detach()[:, None].clone())

    def forward(self, feature: Tensor) -> Tensor:
        """Maps `(B, C, ., .)`, stored as `axes` say, of stored maps `(B, K, ., .)`."""
        rows, columns = self.tiles
        inputs = self.row_transform @ feature @ self.column_transform
        inputs = inputs.unflatten(2, (_PRODUCTS, rows)).unflatten(4, (_PRODUCTS, columns)).permute(0, 2, 4, 1, 3, 5)
        products = self.filters @ inputs.flatten(4).flatten(1, 2)  # (B, 16, 4 C, T)
        outputs = (self.output_transform @ products.flatten(2)).unflatten(2, (4, -1, rows * columns))
        apart = torch.relu(outputs + self.bias).unflatten(4, self.tiles).unflatten(1, (_OUTPUTS, _OUTPUTS))
        apart = apart.unflatten(3, (2, 2))  # (B, 3, 3, 2, 2, C, tile rows, tile columns)
        return apart.permute(0, 5, 1, 3, 6, 2, 4, 7).flatten(5).flatten(2, 4)


class LastDoubling(nn.Module):
    """A `Doubling` for readers that need no map: its cells stay in their tiles, channels last, without the bias.

    The filters are the right factor, whose place in a product suits large maps. `relu(x + bias)` is `max(x, -bias)`
    plus the bias, which is left to the linear layers that read the cells.
    """

    def __init__(self, convolution: nn.ConvTranspose2d, rows: _Axis, columns: _Axis) -> None:
        super().__init__()
        assert convolution.bias is not None
        self._tiles = rows.tiles, columns.tiles
        output = torch.tensor(_OUTPUT)
        self.register_buffer("filters", _filters(convolution).transpose(1, 2).contiguous())
        self.register_buffer("row_transform", rows.input_transform())
        self.register_buffer("column_transform", columns.input_transform())
        self.register_buffer("output_transform", torch.kron(output, output))
        self.register_buffer("bias", convolution.bias.detach().clone())
        self.register_buffer("order", _order(rows.doubled, columns.doubled))

    def forward(self, feature: Tensor) -> Tensor:
        """`(B, cells, C)` of stored maps `(B, K, ., .)`: what the ReLU gives, less the bias; `order` finds cells."""
        rows, columns = self._tiles
        maps = feature.permute(0, 2, 3, 1)
        inputs = (self.row_transform @ maps.flatten(2)).unflatten(2, maps.shape[2:])
        inputs = (self.column_transform @ inputs).unflatten(2, (_PRODUCTS, columns)).unflatten(1, (_PRODUCTS, rows))
        inputs = inputs.transpose(2, 3).flatten(3, 4).flatten(1, 2)  # (B, 16, T, K)
        outputs = self.output_transform @ (inputs @ self.filters).flatten(2)
        return torch.maximum(outputs.unflatten(2, (-1, self.bias.shape[0])), -self.bias).flatten(1, 2)


class FastBoxNet(nn.Module):
    """`heads.BoxNet` whose last map stays in tiles."""

    def __init__(self, box_net: heads.BoxNet) -> None:
        super().__init__()
        self.sizes = box_net.sizes
        *others, (last, rows, columns) = _with_axes(box_net.deconv)
        self.doublings = nn.Sequential(*(Doubling(*given) for given in others))
        self.last = LastDoubling(last, rows, columns)
        self._shape = rows.doubled.cells, columns.doubled.cells
        center = box_net.bbox_center[0]
        weight = center.weight.detach().flatten(1)
        self.register_buffer("center", weight.T.contiguous())
        self.register_buffer("center_bias", (center.bias.detach() + weight @ self.last.bias)[:, None, None])

    def forward(self, feature: Tensor, heatmap: Tensor) -> tuple[Tensor, Tensor]:
        """As `heads.BoxNet`."""
        maps = torch.cat([feature, heatmap.flatten(1, 2)], dim=1)
        cells = self.last(self.doublings(maps))
        logits = (cells @ self.center).transpose(1, 2).index_select(2, self.last.order).unflatten(2, self._shape)
        _, centers = soft_argmax(logits + self.center_bias)
        return centers / heads.BOX_STRIDE, self.sizes(self.sample(cells, centers))

    def sample(self, cells: Tensor, points: Tensor) -> Tensor:
        """`ops.sample_features` of the map whose cells are `cells`, `(B, J, C)` at `points (B, J, 2)` inside of it."""
        height, width = self._shape
        first = points.floor()
        column, row = (first[..., axis].clamp(0, size - 2) for axis, size in ((0, width), (1, height)))
        along_x, along_y = points[..., 0] - column, points[..., 1] - row
        corner = (row * width + column).long().clamp(0, (height - 1) * width - 2)  # a NaN stays in its own sample
        places = self.last.order[torch.stack([corner, corner + 1, corner + width, corner + width + 1], dim=2)]
        around = cells.gather(1, places.flatten(1)[..., None].expand(-1, -1, cells.shape[2])).unflatten(1, (-1, 4))
        weights = torch.stack(
            [(1 - along_y) * (1 - along_x), (1 - along_y) * along_x, along_y * (1 - along_x), along_y * along_x], dim=2
        )
        return (around * weights[..., None]).sum(dim=2) + self.last.bias


class FastHandRoiNet(nn.Module):
    """`heads.HandRoiNet` that pools from stored maps."""

    def __init__(self, hand_roi_net: heads.HandRoiNet) -> None:
        super().__init__()
        self.doublings = nn.Sequential(*(Doubling(*given) for given in _with_axes(hand_roi_net.deconv)))
        self.conv = hand_roi_net.conv
        rows, columns = self.doublings[-1].axes
        self._cells = rows.cells, columns.cells
        self.register_buffer("rows", torch.tensor(rows.places))
        self.register_buffer("columns", torch.tensor(columns.places))

    def forward(self, feature: Tensor, left_box: Tensor, right_box: Tensor) -> Tensor:
        """As `heads.HandRoiNet`."""
        maps = self.doublings(feature)
        cells_per_pixel = self._cells[1] / CROP_WIDTH
        left, right = (
            roi_align_stored(maps, box * cells_per_pixel, heads.HAND_BINS, (self.rows, self.columns), self._cells)
            for box in (left_box, right_box)
        )
        return self.conv(torch.cat([left.flip(3), right]))


def use_winograd(network: SmplerX) -> None:
    """Replaces the heads' transposed convolutions, in place; the network's norms must be fused."""
    network.box_net = FastBoxNet(network.box_net)
    network.hand_roi_net = FastHandRoiNet(network.hand_roi_net)


def _filters(convolution: nn.ConvTranspose2d) -> Tensor:
    """`(16, 4 C, K)`: the transformed filters of all phases, by product."""
    phases = convolution.weight.detach()[:, :, _TAPS][..., _TAPS]  # (K, C, phase, tap, phase, tap): rows, columns
    along = torch.tensor(_FILTER)
    return torch.einsum("er,fc,koprqc->efpqok", along, along, phases).flatten(2, 4).flatten(0, 1).contiguous()


def _order(rows: _Axis, columns: _Axis) -> Tensor:
    """`(H W,)`: where each cell of two doubled axes is in `LastDoubling`'s: by output, tile, phase; rows first."""
    row = torch.tensor(rows.places).view(_OUTPUTS, 1, 2, 1, -1, 1).permute(0, 1, 4, 3, 2, 5)
    column = torch.tensor(columns.places).view(1, _OUTPUTS, 1, 2, 1, -1).permute(0, 1, 4, 5, 2, 3)
    stored = torch.where((row >= 0) & (column >= 0), row * columns.cells + column, -1).flatten()
    order = torch.zeros(rows.cells * columns.cells, dtype=torch.int64)
    order[stored[stored >= 0]] = (stored >= 0).nonzero()[:, 0]
    return order


def _with_axes(deconv: nn.Sequential) -> list[tuple[nn.ConvTranspose2d, _Axis, _Axis]]:
    """The transposed convolutions of a head, each with the axes of the maps that it is given."""
    rows, columns = (_Axis(tuple(range(cells))) for cells in (GRID_HEIGHT, GRID_WIDTH))
    found = []
    for convolution in (module for module in deconv if isinstance(module, nn.ConvTranspose2d)):
        found.append((convolution, rows, columns))
        rows, columns = rows.doubled, columns.doubled
    return found
