"""The embedded person detector: Google's MoveNet MultiPose Lightning, whose keypoints help to merge duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.errors import ConfigError, InputError
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.runtime.onnx import OnnxNetwork

from .clean import MIN_SIDE, clean_rows
from .constants import DEFAULT_THRESHOLD
from .merge import Candidates, merge_duplicates
from .resize import padded, scaled
from .tiles import Tile, tiles

# Input sizes: pixels of the image's longer side, with one run for each. The larger size finds distant people and misses
# those who fill the image, the smaller one vice versa (measured in benchmarks/detector.md).
SIZES = (448, 192)
TILE_SIZE = 448  # input size of a tile
STRIDE = 32  # sides of the input are multiples of it (the network's documentation)
MAX_PEOPLE = 6  # detected in one run of the network
POINTS = slice(0, 51)  # 17 times y, x, score
BOX = slice(51, 56)  # ymin, xmin, ymax, xmax, score
# Tiles are processed if a person is small, or if there are as many people as the network can return: there may be more.
# Boxes from half the threshold on count (both measured as above).
SMALL = 1 / 7  # longer side of a box relative to the image's
DOUBTFUL = 0.5  # minimum score of these boxes relative to the threshold
NARROW = 3.0  # aspect ratio from which people are too small in the whole image


class BuiltinDetector:
    """Detects up to six people per run, in the whole image at several sizes and, if there may be more, in tiles.

    Args:
        device: As in `OnnxNetwork`.
        threads: As in `OnnxNetwork`.
        threshold: Minimum score, 0..1.
        sizes: Input sizes, as `SIZES`.
        tiled: Whether tiles may be used.

    Raises:
        ConfigError: If the threshold is invalid.
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
        """Detect people in images `(H, W, 3) uint8` RGB: boxes clipped to the image, best score first."""
        return [self._detect(image) for image in images]  # the network has no batch axis

    def _detect(self, image: NDArray[np.uint8]) -> list[Box]:
        check_image(image)
        height, width = image.shape[:2]
        found = [self._run(image, size) for size in self._sizes]
        if self._tiled and self._may_be_more(found[0], image):
            found += [self._run_on_tile(image, tile) for tile in tiles(width, height)]
        candidates = Candidates.join(found)
        people = merge_duplicates(candidates[candidates.scores > self.threshold])
        return clean_rows(np.column_stack([people.boxes, people.scores]), width, height)

    def _may_be_more(self, found: Candidates, image: NDArray[np.uint8]) -> bool:
        """Whether people may have been missed in the whole image: it is narrow, or people are many or small."""
        longer, shorter = max(image.shape[:2]), min(image.shape[:2])
        boxes = found.boxes[found.scores > DOUBTFUL * self.threshold]
        small = (boxes[:, 2:] - boxes[:, :2]).max(axis=1) < SMALL * longer
        return longer >= NARROW * shorter or len(boxes) >= MAX_PEOPLE or bool(small.any())

    def _run_on_tile(self, image: NDArray[np.uint8], tile: Tile) -> Candidates:
        part = np.ascontiguousarray(image[tile.y0 : tile.y1, tile.x0 : tile.x1])
        found = self._run(part, TILE_SIZE)
        corner = np.array([tile.x0, tile.y0], dtype=np.float64)
        boxes = found.boxes + np.tile(corner, 2)
        points = found.points + np.append(corner, 0)
        in_image = Candidates(boxes, found.scores, points, np.ones(len(boxes), dtype=bool))
        return in_image[tile.whole_and_small(boxes)]

    def _run(self, image: NDArray[np.uint8], size: int) -> Candidates:
        """Run the network once: at most six people, in pixels of the image; boxes are clipped to it."""
        canvas, scale = fit(image, size, STRIDE)
        people = self._network.run({"image": canvas[None].astype(np.int32)})["people"][0].astype(np.float64)
        height, width = np.array(canvas.shape[:2]) / scale
        limits = np.tile(image.shape[1::-1], 2)
        boxes = (people[:, BOX][:, [1, 0, 3, 2]] * [width, height, width, height]).clip(0, limits)
        points = people[:, POINTS].reshape(len(people), -1, 3)[..., [1, 0, 2]] * [width, height, 1]
        found = Candidates(boxes, people[:, BOX][:, 4], points, np.zeros(len(people), dtype=bool))
        return found[(boxes[:, 2:] - boxes[:, :2] >= MIN_SIDE).all(axis=1)]


def check_image(image: NDArray[np.uint8]) -> None:
    """Check that `image` is `(H, W, 3) uint8`.

    Raises:
        InputError: If it is not.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise InputError(f"detector: images must be uint8 (H, W, 3) RGB, got {image.dtype} {image.shape}")


def fit(image: NDArray[np.uint8], size: int, stride: int) -> tuple[NDArray[np.uint8], float]:
    """Scale the image's longer side to `size` and pad it with black to multiples of `stride`; return also the scale."""
    rows, columns = image.shape[:2]
    scale = size / max(rows, columns)
    small = scaled(image, round(columns * scale), round(rows * scale))
    height, width = (ceil(side / stride) * stride for side in small.shape[:2])
    return padded(small, width, height, 0), scale
