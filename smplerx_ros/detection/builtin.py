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

# Pixels of the image's longer side as the network sees it. Measured (benchmarks/detector.md): smaller loses distant
# people, larger costs more and tears close ones apart.
LONGER_SIDE = 416
STRIDE = 32  # the network takes multiples of it (its documentation)
BOX = slice(51, 56)  # ymin, xmin, ymax, xmax, score, behind 17 points of three values
DEFAULT_THRESHOLD = 0.2  # the lowest at which no measured size saw people where none were, except in torn ones
MAX_OVERLAP = 0.5  # intersection over union of two people
MIN_SIDE = 2.0  # pixels


class BuiltinDetector:
    """Finds up to six people per image. `device` and `threads` as in `OnnxNetwork`; `threshold` 0..1 of the score."""

    def __init__(self, device: str = "cpu", threads: int | None = None, threshold: float = DEFAULT_THRESHOLD) -> None:
        if not 0 <= threshold <= 1:
            raise ConfigError(f"detector threshold must lie in 0..1, got {threshold}")
        self._threshold = threshold
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
        padded, scale = fit(image, LONGER_SIDE, STRIDE)
        people = self._network.run({"image": padded[None].astype(np.int32)})["people"][0, :, BOX].astype(np.float64)
        size = np.array(padded.shape[:2] * 2) / scale
        y0, x0, y1, x1 = (people[:, :4] * size).T
        corners = np.column_stack([x0, y0, x1, y1]).clip(0, [width, height, width, height])
        extents = corners[:, 2:] - corners[:, :2]
        scores = np.where((extents >= MIN_SIDE).all(axis=1), people[:, 4], 0.0)
        # OpenCV's boxes are x, y, width, height; its non-maximum suppression sorts by score.
        xywh = np.hstack([corners[:, :2], extents])
        kept = cv2.dnn.NMSBoxes(xywh.tolist(), scores.tolist(), self._threshold, MAX_OVERLAP)
        rows = np.column_stack([corners, scores])[np.ravel(kept).astype(int)]
        return [Box(*row) for row in rows.tolist()]


def fit(image: NDArray[np.uint8], longer_side: int, stride: int) -> tuple[NDArray[np.uint8], float]:
    """The image scaled to `longer_side`, black below and to the right up to multiples of `stride`; and the scale."""
    height, width = image.shape[:2]
    scale = longer_side / max(height, width)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    shape = (ceil(new_height / stride) * stride, ceil(new_width / stride) * stride, 3)
    padded: NDArray[Any] = np.zeros(shape, np.uint8)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    padded[:new_height, :new_width] = cv2.resize(image, (new_width, new_height), interpolation=interpolation)
    return padded, scale
