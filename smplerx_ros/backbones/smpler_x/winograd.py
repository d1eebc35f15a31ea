"""The heads' transposed convolutions by Winograd's algorithm, with 2.25 times fewer multiplications, for CPUs.

A transposed convolution of kernel 4, stride 2 and padding 1 is a convolution of kernel 2 for each of the four phases of
its output (even and odd rows and columns). These share their input tiles, and each is computed by Winograd's minimal
filtering F(3x3, 2x2) (Lavin and Gray 2016, Fast algorithms for convolutional neural networks): nine outputs take 16
products instead of 36. All operations are matrix products, which runtimes execute efficiently. Only for float32: the
transforms are too inaccurate in half precision.
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

# F(3, 2): y = OUTPUT @ ((FILTER @ g) * (INPUT @ d)) are 3 outputs of the 2 taps g on the 4 inputs d.
_OUTPUTS, _PRODUCTS = 3, 4
_INPUT = [[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, -1.0, 1.0, 0.0], [0.0, -1.0, 0.0, 1.0]]
_FILTER = [[1.0, 0.0], [0.5, 0.5], [0.5, -0.5], [0.0, 1.0]]
_OUTPUT = [[1.0, 1.0, 1.0, 0.0], [0.0, 1.0, -1.0, 0.0], [0.0, 1.0, 1.0, 1.0]]
# Taps of the kernel in each phase: cell 2 i + phase - 1 of the upsampled axis depends on the inputs i - 1 and i.
_TAPS = [[2, 0], [3, 1]]


@dataclass(frozen=True)
class _Axis:
    """Storage order of one axis of a feature map."""

    positions: tuple[int, ...]  # cell of each stored row or column; -1 for padding

    @property
    def cells(self) -> int:
        """Number of cells."""
        return max(self.positions) + 1

    @property
    def tiles(self) -> int:
        """Number of tiles of the upsampled axis, of three cells in both phases each, over one more input than cells."""
        return -(-(self.cells + 1) // _OUTPUTS)

    @property
    def upsampled(self) -> _Axis:
        """The upsampled axis in the order of the tiles: by output in the tile, phase, tile."""
        output, phase, tile = torch.meshgrid(*map(torch.arange, (_OUTPUTS, 2, self.tiles)), indexing="ij")
        cell = 2 * (_OUTPUTS * tile + output) + phase - 1
        return _Axis(tuple(torch.where(cell < 2 * self.cells, cell, -1).flatten().tolist()))

    @property
    def order(self) -> Tensor:
        """Storage index of each cell."""
        return torch.tensor([self.positions.index(cell) for cell in range(self.cells)])

    def input_transform(self) -> Tensor:
        """Matrix `(4 tiles, positions)` of the tiles' input transforms, by product and tile; zero outside the map."""
        transform = torch.zeros(_PRODUCTS, self.tiles, self.cells)
        for tile in range(self.tiles):
            for position, column in enumerate(torch.tensor(_INPUT).T):
                cell = _OUTPUTS * tile + position - 1
                if 0 <= cell < self.cells:
                    transform[:, tile, cell] = column
        stored = torch.zeros(_PRODUCTS * self.tiles, len(self.positions))
        stored[:, self.order] = transform.flatten(0, 1)
        return stored


class Upsampling(nn.Module):
    """`ConvTranspose2d(4, 2, 1)` with bias and ReLU, for maps in the storage order of `rows` and `columns`."""

    def __init__(self, convolution: nn.ConvTranspose2d, rows: _Axis, columns: _Axis) -> None:
        super().__init__()
        assert convolution.bias is not None  # of the fused BatchNorm
        self.tiles = rows.tiles, columns.tiles
        self.axes = rows.upsampled, columns.upsampled
        output = torch.tensor(_OUTPUT)
        self.register_buffer("filters", _filters(convolution))
        self.register_buffer("row_transform", rows.input_transform())
        self.register_buffer("column_transform", columns.input_transform().T.contiguous())
        self.register_buffer("output_transform", torch.kron(output, output))
        self.register_buffer("bias", convolution.bias.detach()[:, None].clone())

    def forward(self, feature: Tensor) -> Tensor:
        """Convert stored maps `(B, K, ., .)` to maps `(B, C, ., .)` in the storage order of `axes`."""
        rows, columns = self.tiles
        inputs = self.row_transform @ feature @ self.column_transform
        inputs = inputs.unflatten(2, (_PRODUCTS, rows)).unflatten(4, (_PRODUCTS, columns)).permute(0, 2, 4, 1, 3, 5)
        products = self.filters @ inputs.flatten(4).flatten(1, 2)  # (B, 16, 4 C, T)
        outputs = (self.output_transform @ products.flatten(2)).unflatten(2, (4, -1, rows * columns))
        separated = torch.relu(outputs + self.bias).unflatten(4, self.tiles).unflatten(1, (_OUTPUTS, _OUTPUTS))
        separated = separated.unflatten(3, (2, 2))  # (B, 3, 3, 2, 2, C, tile rows, tile columns)
        return separated.permute(0, 5, 1, 3, 6, 2, 4, 7).flatten(5).flatten(2, 4)


class LastUpsampling(nn.Module):
    """An `Upsampling` whose cells stay in their tiles, channels last and without the bias, for layers that need no map.

    The filters are the right factor of the product, which is faster for large maps. `relu(x + bias)` is `max(x, -bias)`
    plus the bias, which is left to the following linear layers.
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
        self.register_buffer("order", _order(rows.upsampled, columns.upsampled))

    def forward(self, feature: Tensor) -> Tensor:
        """Cells `(B, cells, C)` of maps `(B, K, ., .)`: the ReLU's output minus the bias; `order` locates them."""
        rows, columns = self._tiles
        maps = feature.permute(0, 2, 3, 1)
        inputs = (self.row_transform @ maps.flatten(2)).unflatten(2, maps.shape[2:])
        inputs = (self.column_transform @ inputs).unflatten(2, (_PRODUCTS, columns)).unflatten(1, (_PRODUCTS, rows))
        inputs = inputs.transpose(2, 3).flatten(3, 4).flatten(1, 2)  # (B, 16, T, K)
        outputs = self.output_transform @ (inputs @ self.filters).flatten(2)
        return torch.maximum(outputs.unflatten(2, (-1, self.bias.shape[0])), -self.bias).flatten(1, 2)


class FastBoxNet(nn.Module):
    """`heads.BoxNet` with its last map in tiles."""

    def __init__(self, box_net: heads.BoxNet) -> None:
        super().__init__()
        self.sizes = box_net.sizes
        *others, (last, rows, columns) = _with_axes(box_net.deconv)
        self.upsamplings = nn.Sequential(*(Upsampling(*given) for given in others))
        self.last = LastUpsampling(last, rows, columns)
        self._shape = rows.upsampled.cells, columns.upsampled.cells
        center = box_net.bbox_center[0]
        weight = center.weight.detach().flatten(1)
        self.register_buffer("center", weight.T.contiguous())
        self.register_buffer("center_bias", (center.bias.detach() + weight @ self.last.bias)[:, None, None])

    def forward(self, feature: Tensor, heatmap: Tensor) -> tuple[Tensor, Tensor]:
        """As `heads.BoxNet`."""
        maps = torch.cat([feature, heatmap.flatten(1, 2)], dim=1)
        cells = self.last(self.upsamplings(maps))
        logits = (cells @ self.center).transpose(1, 2).index_select(2, self.last.order).unflatten(2, self._shape)
        _, centers = soft_argmax(logits + self.center_bias)
        return centers / heads.BOX_STRIDE, self.sizes(self.sample(cells, centers))

    def sample(self, cells: Tensor, points: Tensor) -> Tensor:
        """As `ops.sample_features` for `cells`: `(B, J, C)` at `points (B, J, 2)` inside the map."""
        height, width = self._shape
        first = points.floor()
        column, row = (first[..., axis].clamp(0, size - 2) for axis, size in ((0, width), (1, height)))
        along_x, along_y = points[..., 0] - column, points[..., 1] - row
        corner = (row * width + column).long().clamp(0, (height - 1) * width - 2)  # NaN affects only its own sample
        indices = self.last.order[torch.stack([corner, corner + 1, corner + width, corner + width + 1], dim=2)]
        around = cells.gather(1, indices.flatten(1)[..., None].expand(-1, -1, cells.shape[2])).unflatten(1, (-1, 4))
        weights = torch.stack(
            [(1 - along_y) * (1 - along_x), (1 - along_y) * along_x, along_y * (1 - along_x), along_y * along_x], dim=2
        )
        return (around * weights[..., None]).sum(dim=2) + self.last.bias


class FastHandRoiNet(nn.Module):
    """`heads.HandRoiNet` that pools from maps in storage order."""

    def __init__(self, hand_roi_net: heads.HandRoiNet) -> None:
        super().__init__()
        self.upsamplings = nn.Sequential(*(Upsampling(*given) for given in _with_axes(hand_roi_net.deconv)))
        self.conv = hand_roi_net.conv
        rows, columns = self.upsamplings[-1].axes
        self._cells = rows.cells, columns.cells
        self.register_buffer("rows", torch.tensor(rows.positions))
        self.register_buffer("columns", torch.tensor(columns.positions))

    def forward(self, feature: Tensor, left_box: Tensor, right_box: Tensor) -> Tensor:
        """As `heads.HandRoiNet`."""
        maps = self.upsamplings(feature)
        cells_per_pixel = self._cells[1] / CROP_WIDTH
        left, right = (
            roi_align_stored(maps, box * cells_per_pixel, heads.HAND_BINS, (self.rows, self.columns), self._cells)
            for box in (left_box, right_box)
        )
        return self.conv(torch.cat([left.flip(3), right]))


def use_winograd(network: SmplerX) -> None:
    """Replace the heads' transposed convolutions, in place; norms must be fused before."""
    network.box_net = FastBoxNet(network.box_net)
    network.hand_roi_net = FastHandRoiNet(network.hand_roi_net)


def _filters(convolution: nn.ConvTranspose2d) -> Tensor:
    """Transformed filters `(16, 4 C, K)` of all phases, by product."""
    phases = convolution.weight.detach()[:, :, _TAPS][..., _TAPS]  # (K, C, phase, tap, phase, tap): rows, columns
    along = torch.tensor(_FILTER)
    return torch.einsum("er,fc,koprqc->efpqok", along, along, phases).flatten(2, 4).flatten(0, 1).contiguous()


def _order(rows: _Axis, columns: _Axis) -> Tensor:
    """Indices `(H W,)` of the cells of two upsampled axes in `LastUpsampling`: by output, tile, phase; rows first."""
    row = torch.tensor(rows.positions).view(_OUTPUTS, 1, 2, 1, -1, 1).permute(0, 1, 4, 3, 2, 5)
    column = torch.tensor(columns.positions).view(1, _OUTPUTS, 1, 2, 1, -1).permute(0, 1, 4, 5, 2, 3)
    stored = torch.where((row >= 0) & (column >= 0), row * columns.cells + column, -1).flatten()
    order = torch.zeros(rows.cells * columns.cells, dtype=torch.int64)
    order[stored[stored >= 0]] = (stored >= 0).nonzero()[:, 0]
    return order


def _with_axes(deconv: nn.Sequential) -> list[tuple[nn.ConvTranspose2d, _Axis, _Axis]]:
    """The transposed convolutions of a head, each with the axes of its input map."""
    rows, columns = (_Axis(tuple(range(cells))) for cells in (GRID_HEIGHT, GRID_WIDTH))
    found = []
    for convolution in (module for module in deconv if isinstance(module, nn.ConvTranspose2d)):
        found.append((convolution, rows, columns))
        rows, columns = rows.upsampled, columns.upsampled
    return found
