"""The embedded person detector: Google's MoveNet MultiPose Lightning, of which only the boxes are used."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, InputError
from ..runtime.onnx import OnnxNetwork
from ..types import Box

FloatArray = NDArray[np.floating[Any]]

# Pixels of the image's longer side as the network sees it, one run each. The larger size finds distant people and
# misses those who fill the image, the smaller one the reverse (measured: benchmarks/detector.md).
SIZES = (448, 192)
STRIDE = 32  # the network takes multiples of it (its documentation)
BOX = slice(51, 56)  # ymin, xmin, ymax, xmax, score, behind 17 points of three values
DEFAULT_THRESHOLD = 0.2  # measured: lower ones find few more people and the first false boxes
MAX_OVERLAP = 0.5  # intersection over union of two people
MIN_SIDE = 2.0  # pixels


class BuiltinDetector:
    """Finds up to six people per image and size.

    `device` and `threads` as in `OnnxNetwork`; `threshold` 0..1 of the score; `sizes` as `SIZES`.
    """

    def __init__(
        self,
        device: str = "cpu",
        threads: int | None = None,
        threshold: float = DEFAULT_THRESHOLD,
        sizes: Sequence[int] = SIZES,
    ) -> None:
        if not 0 <= threshold <= 1:
            raise ConfigError(f"detector threshold must lie in 0..1, got {threshold}")
        self.threshold = threshold
        self._sizes = tuple(sizes)
        self._network = OnnxNetwork.from_asset("movenet_multipose.onnx", device=device, threads=threads)

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of the execution provider in use."""
        return self._network.provider

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Box]]:
        """People of each image `(H, W, 3) uint8 RGB`: boxes inside the image, without doubles, best score first."""
        return [self._detect(image) for image in images]  # the network takes one image a run

    def _detect(self, image: NDArray[np.uint8]) -> list[Box]:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise InputError(f"detector: images must be uint8 (H, W, 3) RGB, got {image.dtype} {image.shape}")
        height, width = image.shape[:2]
        rows = np.concatenate([self._run(image, size) for size in self._sizes])
        rows[:, :4] = rows[:, :4].clip(0, [width, height, width, height])
        extents = rows[:, 2:4] - rows[:, :2]
        rows[(extents < MIN_SIDE).any(axis=1), 4] = 0
        # OpenCV's boxes are x, y, width, height; its non-maximum suppression sorts by score.
        xywh = np.hstack([rows[:, :2], extents])
        kept = cv2.dnn.NMSBoxes(xywh.tolist(), rows[:, 4].tolist(), self.threshold, MAX_OVERLAP)
        return [Box(*row) for row in rows[np.ravel(kept).astype(int)].tolist()]

    def _run(self, image: NDArray[np.uint8], size: int) -> FloatArray:
        """Six rows x0, y0, x1, y1, score; pixels of the image."""
        padded, scale = fit(image, size, STRIDE)
        people = self._network.run({"image": padded[None].astype(np.int32)})["people"][0, :, BOX].astype(np.float64)
        height, width = np.array(padded.shape[:2]) / scale
        return np.asarray(people[:, [1, 0, 3, 2, 4]] * [width, height, width, height, 1])


def fit(image: NDArray[np.uint8], size: int, stride: int) -> tuple[NDArray[np.uint8], float]:
    """The image with its longer side scaled to `size`, black below and to the right up to `stride`; and the scale."""
    height, width = image.shape[:2]
    scale = size / max(height, width)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    padded = np.zeros((ceil(new_height / stride) * stride, ceil(new_width / stride) * stride, 3), np.uint8)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    padded[:new_height, :new_width] = cv2.resize(image, (new_width, new_height), interpolation=interpolation)
    return padded, scale
