"""Rasterization of triangle meshes: a z-buffer in NumPy, without a loop over triangles.

A pixel belongs to a triangle if its centre lies inside; rows and spans are half open, so that triangles that share an
edge neither overlap nor leave a gap. Inverse depth is affine in the image of a pinhole camera, hence exact per pixel.
With a distorted lens the vertices are projected exactly and edges are straight lines: accurate for small triangles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smplerx_ros.arrays import FloatArray, IntArray
from smplerx_ros.geometry.camera import Camera


@dataclass(frozen=True, eq=False)
class Raster:
    """The `N` covered pixels of an image and the nearest surface there, in row-major order."""

    height: int  # pixels, of the whole image
    width: int
    pixels: IntArray  # (N,) flat index row * width + column, ascending
    faces: IntArray  # (N,) row of `faces`
    weights: FloatArray  # (N, 3) perspective-correct barycentric coordinates, sum 1
    depth: FloatArray  # (N,) metres along the optical axis

    def depth_image(self) -> FloatArray:
        """Depth `(H, W) float32`, metres; inf where there is no surface."""
        return self._image(self.depth.astype(np.float32), np.float32(np.inf))

    def face_image(self) -> IntArray:
        """Index of the visible triangle `(H, W) int32`; -1 where there is none."""
        return self._image(self.faces.astype(np.int32), np.int32(-1))

    def mask(self) -> NDArray[np.bool_]:
        """The silhouette `(H, W) bool`."""
        return self._image(np.ones(len(self.pixels), bool), np.bool_(False))

    def interpolate(self, values: FloatArray, faces: IntArray) -> FloatArray:
        """Interpolate values `(V, C)` at the vertices of `faces (F, 3)` to the pixels `(N, C)`."""
        corners = values[faces[self.faces]]
        return np.asarray(np.einsum("nk,nkc->nc", self.weights, corners))

    def _image(self, values: NDArray[Any], empty: Any) -> NDArray[Any]:
        image = np.full(self.height * self.width, empty, values.dtype)
        image[self.pixels] = values
        return image.reshape(self.height, self.width)


def rasterize(vertices: ArrayLike, faces: ArrayLike, camera: Camera, *, closed: bool = False) -> Raster:
    """Rasterize a mesh, with both sides of its triangles visible.

    Triangles that are degenerate, outside the image, non-finite or with a vertex that cannot be projected
    (`Camera.project`) are skipped.

    Args:
        vertices: `(V, 3)`, metres, optical frame.
        faces: `(F, 3)` integers.
        camera: Camera of the image.
        closed: The mesh is closed, and faces are counter-clockwise seen from outside: back faces are culled.
    """
    points = np.asarray(vertices, np.float64).reshape(-1, 3)
    pixels, depths = camera.project(points), points[:, 2:] - camera.centre[2]
    index = np.asarray(faces, np.intp).reshape(-1, 3)
    with np.errstate(divide="ignore", invalid="ignore"):
        corners = np.concatenate([pixels, 1 / depths], axis=1)  # x, y in pixels and inverse depth
    kept = _on_screen(corners, index, camera, closed)
    triangles = corners[index[kept]]
    spans = _spans(triangles, camera)
    visible, winners = _resolve(spans, triangles, camera)
    weights, depth = _barycentric(triangles[winners], visible, camera.width)
    return Raster(camera.height, camera.width, visible, kept[winners], weights, depth)


@dataclass(frozen=True, eq=False)
class _Spans:
    """Runs of pixels, each in one row of one triangle."""

    triangle: IntArray
    row: IntArray
    start: IntArray  # first column
    length: IntArray


def _on_screen(corners: FloatArray, index: IntArray, camera: Camera, closed: bool) -> IntArray:
    """Rows of `index` whose triangles are finite, may cover a pixel centre of the image, and are not culled."""
    order = np.ascontiguousarray(index.T)
    x, y = corners[:, 0][order], corners[:, 1][order]
    low_x, high_x, low_y, high_y = _least(x), _most(x), _least(y), _most(y)
    kept = (np.ceil(low_x) < high_x) & (np.ceil(low_y) < high_y)  # False for NaN
    kept &= (high_x > 0) & (low_x <= camera.width - 1) & (high_y > 0) & (low_y <= camera.height - 1)
    kept &= np.isfinite(corners[:, 2])[order].all(axis=0)
    if closed:  # y points down: counter-clockwise triangles have negative areas
        kept &= (x[1] - x[0]) * (y[2] - y[0]) < (x[2] - x[0]) * (y[1] - y[0])
    return np.flatnonzero(kept)


def _least(values: FloatArray) -> FloatArray:
    """Minimum of each column of `(3, N)`."""
    return np.asarray(np.minimum(np.minimum(values[0], values[1]), values[2]))


def _most(values: FloatArray) -> FloatArray:
    """Maximum of each column of `(3, N)`."""
    return np.asarray(np.maximum(np.maximum(values[0], values[1]), values[2]))


def _spans(triangles: FloatArray, camera: Camera) -> _Spans:
    """Rows of triangles `(T, 3, 3)` cut into runs of pixels inside the image.

    The column of an edge is computed from its upper end for both triangles, hence identical to the last bit.
    """
    order = np.argsort(triangles[..., 1], axis=1, kind="stable")
    top, middle, bottom = np.moveaxis(np.take_along_axis(triangles[..., :2], order[..., None], 1), 1, 0)
    first = np.ceil(top[:, 1]).clip(0, camera.height).astype(np.intp)
    last = np.ceil(bottom[:, 1]).clip(0, camera.height).astype(np.intp)
    triangle, step = _ranges(last - first)
    row = first[triangle] + step
    long_edge = _edge_column(top, bottom, triangle, row)
    upper = row < middle[triangle, 1]
    short_edge = np.where(upper, _edge_column(top, middle, triangle, row), _edge_column(middle, bottom, triangle, row))
    start = np.ceil(np.minimum(long_edge, short_edge)).clip(0, camera.width).astype(np.intp)
    length = np.ceil(np.maximum(long_edge, short_edge)).clip(0, camera.width).astype(np.intp) - start
    full = length > 0
    return _Spans(triangle[full], row[full], start[full], length[full])


def _edge_column(upper: FloatArray, lower: FloatArray, triangle: IntArray, row: IntArray) -> FloatArray:
    """Columns where edges `upper (T, 2)` to `lower (T, 2)` cross the given rows; undefined for horizontal edges."""
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (lower[:, 0] - upper[:, 0]) / (lower[:, 1] - upper[:, 1])
        return np.asarray(upper[triangle, 0] + (row - upper[triangle, 1]) * slope[triangle])


def _resolve(spans: _Spans, triangles: FloatArray, camera: Camera) -> tuple[IntArray, IntArray]:
    """Covered pixels, ascending, and the nearest triangle in each.

    Positive floats order like their bits. So inverse depth in the upper and the triangle's index in the lower half make
    one key per fragment, and the largest key of a pixel gives both depth and triangle.
    """
    gradient, offset = _planes(triangles)
    span, step = _ranges(spans.length)
    first_row, end_row = (int(spans.row.min()), int(spans.row.max()) + 1) if len(spans.row) else (0, 0)
    pixel = ((spans.row - first_row) * camera.width + spans.start)[span] + step
    triangle = spans.triangle
    left = offset[triangle] + gradient[triangle, 0] * spans.start + gradient[triangle, 1] * spans.row
    inverse_depth = left[span] + gradient[triangle, 0][span] * step
    inverse = triangles[..., 2].T
    low, high = _least(inverse)[triangle], _most(inverse)[triangle]  # keeps rounding errors of slivers in range
    bits = inverse_depth.clip(low[span], high[span]).astype(np.float32).view(np.uint32)
    keys = np.zeros((end_row - first_row) * camera.width, np.uint64)
    np.maximum.at(keys, pixel, bits.astype(np.uint64) << np.uint64(32) | triangle[span].astype(np.uint64))
    visible = np.flatnonzero(keys)
    winners = (keys[visible] & np.uint64(0xFFFFFFFF)).astype(np.intp)
    return visible + first_row * camera.width, winners


def _planes(triangles: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Inverse depth of triangles `(T, 3, 3)` as `offset (T,) + gradient (T, 2) @ (x, y)`; zero gradient for slivers."""
    origin = triangles[:, 0]
    (x1, y1, w1), (x2, y2, w2) = (triangles[:, k].T - origin.T for k in (1, 2))
    area = x1 * y2 - x2 * y1
    scale = np.divide(1.0, area, out=np.zeros_like(area), where=area != 0)
    gradient = np.stack([(w1 * y2 - w2 * y1) * scale, (w2 * x1 - w1 * x2) * scale], axis=1)
    return gradient, origin[:, 2] - np.sum(gradient * origin[:, :2], axis=1)


def _barycentric(triangles: FloatArray, pixels: IntArray, width: int) -> tuple[FloatArray, FloatArray]:
    """Perspective-correct weights `(N, 3)` and depth `(N,)` of pixels in their triangles `(N, 3, 3)`."""
    row, column = np.divmod(pixels, width)
    x, y = triangles[..., 0] - column[:, None], triangles[..., 1] - row[:, None]
    areas = np.stack([x[:, a] * y[:, b] - x[:, b] * y[:, a] for a, b in ((1, 2), (2, 0), (0, 1))], axis=1)
    total = areas.sum(1, keepdims=True)
    linear = np.divide(areas, total, out=np.full_like(areas, 1 / 3), where=total != 0).clip(0, 1)
    inverse = linear * triangles[..., 2]
    total_inverse = inverse.sum(1, keepdims=True)
    weights = inverse / total_inverse
    return weights, linear.sum(1) / total_inverse[:, 0]


def _ranges(lengths: IntArray) -> tuple[IntArray, IntArray]:
    """For run lengths `(M,)`: the run of each element, and its position in that run."""
    run = np.repeat(np.arange(len(lengths)), lengths)
    starts = np.cumsum(lengths) - lengths
    return run, np.arange(len(run)) - starts[run]
