"""Overlapping parts of an image, for people who are too small or too many in the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Shares of a tile's side that the next one shows, too: of two by two tiles, and of tiles in a row. Either way no seam
# cuts people up to 1/7 of the image's longer side, with `MOST_IN_A_ROW` just so.
OVERLAP = 1 / 3
OVERLAP_IN_A_ROW = 1 / 2
MOST_IN_A_ROW = 6
LARGEST = 0.5  # of a tile's longer side: people above it were large enough in the whole image
EDGE = 0.02  # of a tile's longer side: boxes that come so near to an inner edge may be cut off


@dataclass(frozen=True)
class Tile:
    """Part of an image of `width` x `height` pixels: columns x0 to x1 - 1, rows y0 to y1 - 1."""

    x0: int
    y0: int
    x1: int
    y1: int
    width: int
    height: int

    def whole_and_small(self, boxes: NDArray[Any]) -> NDArray[np.bool_]:
        """Of boxes `(N, 4)` x0, y0, x1, y1 in the image: which are not cut by the tile and not too large for it."""
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
    """Two by two tiles; a row or a column of them where one side is twice the other or more."""
    aspect = max(width, height) / min(width, height)
    if aspect < 2:
        columns, rows, overlap = 2, 2, OVERLAP
    else:
        count = min(round(1.1 * aspect), MOST_IN_A_ROW)
        columns, rows, overlap = (count, 1, OVERLAP_IN_A_ROW) if width > height else (1, count, OVERLAP_IN_A_ROW)
    return [
        Tile(x0, y0, x1, y1, width, height)
        for y0, y1 in _spans(height, rows, overlap)
        for x0, x1 in _spans(width, columns, overlap)
    ]


def _spans(length: int, count: int, overlap: float) -> list[tuple[int, int]]:
    """`count` equal spans over 0..length that overlap."""
    side = min(length, round(length / (count - (count - 1) * overlap)))
    return [(start, start + side) for start in np.linspace(0, length - side, count).round().astype(int).tolist()]
