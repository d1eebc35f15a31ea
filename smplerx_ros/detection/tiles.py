"""Divide an image into overlapping tiles, to detect people who are too small or too many for the whole image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Overlap of adjacent tiles relative to a tile's side, for two by two tiles and for a row of tiles. With either, people
# up to 1/7 of the image's longer side are completely inside a tile (just so with `MAX_IN_A_ROW`).
OVERLAP = 1 / 3
OVERLAP_IN_A_ROW = 1 / 2
MAX_IN_A_ROW = 6
LARGEST = 0.5  # of a tile's longer side: larger people are detected in the whole image
EDGE = 0.02  # of a tile's longer side: boxes closer to an inner edge may be truncated


@dataclass(frozen=True)
class Tile:
    """A part of an image of `width` x `height` pixels: columns x0 to x1 - 1, rows y0 to y1 - 1."""

    x0: int
    y0: int
    x1: int
    y1: int
    width: int
    height: int

    def whole_and_small(self, boxes: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether boxes `(N, 4)` x0, y0, x1, y1 in the image are neither truncated by the tile nor too large for it."""
        longer = max(self.x1 - self.x0, self.y1 - self.y0)
        margin = EDGE * longer
        cut = (
            ((boxes[:, 0] - self.x0 < margin) & (self.x0 > 0))
            | ((boxes[:, 1] - self.y0 < margin) & (self.y0 > 0))
            | ((self.x1 - boxes[:, 2] < margin) & (self.x1 < self.width))
            | ((self.y1 - boxes[:, 3] < margin) & (self.y1 < self.height))
        )
        large = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) > LARGEST * longer
        return np.asarray(~cut & ~large)


def tiles(width: int, height: int) -> list[Tile]:
    """Divide an image into two by two tiles, or into a row or column if one side is at least twice the other."""
    aspect = max(width, height) / min(width, height)
    if aspect < 2:
        columns, rows, overlap = 2, 2, OVERLAP
    else:
        count = min(round(1.1 * aspect), MAX_IN_A_ROW)
        columns, rows, overlap = (count, 1, OVERLAP_IN_A_ROW) if width > height else (1, count, OVERLAP_IN_A_ROW)
    return [
        Tile(x0, y0, x1, y1, width, height)
        for y0, y1 in _spans(height, rows, overlap)
        for x0, x1 in _spans(width, columns, overlap)
    ]


def _spans(length: int, count: int, overlap: float) -> list[tuple[int, int]]:
    """Divide 0..length into `count` equal, overlapping spans."""
    side = min(length, round(length / (count - (count - 1) * overlap)))
    return [(start, start + side) for start in np.linspace(0, length - side, count).round().astype(int).tolist()]
