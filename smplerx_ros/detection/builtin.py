"""The embedded person detector: Google's MoveNet MultiPose Lightning, its boxes and its points to tell people apart."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.errors import ConfigError, InputError
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.runtime.onnx import OnnxNetwork

from .clean import LEAST_SIDE, clean_rows
from .merge import Sightings, one_each
from .resize import padded, scaled
from .tiles import Tile, tiles

# Pixels of the image's longer side as the network sees it, one run each. The larger size finds distant people and
# misses those who fill the image, the smaller one the reverse (measured: benchmarks/detector.md).
SIZES = (448, 192)
TILE_SIZE = 448  # the same for the longer side of a tile
STRIDE = 32  # the network takes multiples of it (its documentation)
MOST_PEOPLE = 6  # that one run of the network gives
POINTS = slice(0, 51)  # 17 times y, x, score
BOX = slice(51, 56)  # ymin, xmin, ymax, xmax, score
DEFAULT_THRESHOLD = 0.2  # measured: lower ones find few more people and the first false boxes
# Tiles are looked at where somebody seems to be small, or where as many people as the network can give seem to be:
# there may be more. Sightings count for that from half the threshold on (both measured as above).
SMALL = 1 / 7  # longer side of a box as a share of the image's
DOUBTFUL = 0.5  # of the threshold
NARROW = 3.0  # longer by shorter side from which the whole image says too little about anybody


class BuiltinDetector:
    """Finds people: up to six a look, in the whole image at several sizes and, where there may be more, in tiles.

    `device` and `threads` as in `OnnxNetwork`; `threshold` 0..1 of the score; `sizes` as `SIZES`; `tiled` False never
    looks at tiles.
    """

    def __init__(
        self,
        device: str = "cpu",
        threads: int | None = None,
        threshold: float = DEFAULT_THRESHOLD,
        sizes: Sequence[int] = SIZES,
        tiled: bool = True,
    ) -> None:
        if not 0 <= threshold <= 1:
            raise ConfigError(f"detector threshold must lie in 0..1, got {threshold}")
        self.threshold = threshold
        self._sizes = tuple(sizes)
        self._tiled = tiled
        self._network = OnnxNetwork.from_asset("movenet_multipose.onnx", device=device, threads=threads)

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of the execution provider in use."""
        return self._network.provider

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Box]]:
        """People of each image `(H, W, 3) uint8 RGB`: boxes inside the image, without doubles, best score first."""
        return [self._detect(image) for image in images]  # the network takes one image a run

    def _detect(self, image: NDArray[np.uint8]) -> list[Box]:
        check_image(image)
        height, width = image.shape[:2]
        seen = [self._look(image, size) for size in self._sizes]
        if self._tiled and self._may_be_more(seen[0], image):
            seen += [self._look_at_tile(image, tile) for tile in tiles(width, height)]
        all_seen = Sightings.join(seen)
        people = one_each(all_seen[all_seen.scores > self.threshold])
        return clean_rows(np.column_stack([people.boxes, people.scores]), width, height)

    def _may_be_more(self, seen: Sightings, image: NDArray[np.uint8]) -> bool:
        """Whether somebody besides those in the whole image may be there: it is narrow, they are many or small."""
        longer, shorter = max(image.shape[:2]), min(image.shape[:2])
        boxes = seen.boxes[seen.scores > DOUBTFUL * self.threshold]
        small = (boxes[:, 2:] - boxes[:, :2]).max(axis=1) < SMALL * longer
        return longer >= NARROW * shorter or len(boxes) >= MOST_PEOPLE or bool(small.any())

    def _look_at_tile(self, image: NDArray[np.uint8], tile: Tile) -> Sightings:
        part = np.ascontiguousarray(image[tile.y0 : tile.y1, tile.x0 : tile.x1])
        seen = self._look(part, TILE_SIZE)
        corner = np.array([tile.x0, tile.y0], dtype=np.float64)
        boxes = seen.boxes + np.tile(corner, 2)
        points = seen.points + np.append(corner, 0)
        placed = Sightings(boxes, seen.scores, points, np.ones(len(boxes), dtype=bool))
        return placed[tile.whole_and_small(boxes)]

    def _look(self, image: NDArray[np.uint8], size: int) -> Sightings:
        """One run: at most six people, in pixels of the image, clipped to it."""
        canvas, scale = fit(image, size, STRIDE)
        people = self._network.run({"image": canvas[None].astype(np.int32)})["people"][0].astype(np.float64)
        height, width = np.array(canvas.shape[:2]) / scale
        limits = np.tile(image.shape[1::-1], 2)
        boxes = (people[:, BOX][:, [1, 0, 3, 2]] * [width, height, width, height]).clip(0, limits)
        points = people[:, POINTS].reshape(len(people), -1, 3)[..., [1, 0, 2]] * [width, height, 1]
        seen = Sightings(boxes, people[:, BOX][:, 4], points, np.zeros(len(people), dtype=bool))
        return seen[(boxes[:, 2:] - boxes[:, :2] >= LEAST_SIDE).all(axis=1)]


def check_image(image: NDArray[np.uint8]) -> None:
    """Raises InputError for anything but a picture `(H, W, 3) uint8`."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise InputError(f"detector: images must be uint8 (H, W, 3) RGB, got {image.dtype} {image.shape}")


def fit(image: NDArray[np.uint8], size: int, stride: int) -> tuple[NDArray[np.uint8], float]:
    """The image with its longer side scaled to `size`, black below and to the right up to `stride`; and the scale."""
    rows, columns = image.shape[:2]
    scale = size / max(rows, columns)
    small = scaled(image, round(columns * scale), round(rows * scale))
    height, width = (ceil(side / stride) * stride for side in small.shape[:2])
    return padded(small, width, height, 0), scale
