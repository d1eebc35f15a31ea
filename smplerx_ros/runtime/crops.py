"""Crop people on the device that runs the network, so that only the needed part of an image is uploaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.constants import CROP_HEIGHT, CROP_WIDTH
from smplerx_ros.geometry.crops import visible_part

from .onnx import OnnxNetwork

_NETWORK = "crops.onnx"  # scripts/make_crop_network.py


class Cropper:
    """`geometry.crops.crop` on a device, without OpenCV's rounding of coordinates to 1/32 pixel.

    Args:
        device: One of `providers.PROVIDERS`.
    """

    def __init__(self, device: str) -> None:
        self._network = OnnxNetwork.from_asset(_NETWORK, device=device, threads=1)

    @property
    def memory(self) -> str:
        """ONNX Runtime's name of the memory that holds the crops: "cpu" or "cuda"."""
        return self._network.memory

    def crops(self, images: Sequence[NDArray[np.uint8]], regions: Sequence[FloatArray]) -> DeviceCrops:
        """Crop each image `(H, W, 3)`, RGB, to its region `(4,)`; regions of the same image must be consecutive."""
        return DeviceCrops(self._network, images, np.asarray(regions, np.float64))


class DeviceCrops:
    """Crops `(N, 256, 192, 3)` float32, RGB 0..255, computed on demand on the device: a `binding.Source`."""

    dtype: np.dtype[Any] = np.dtype(np.float32)

    def __init__(self, network: OnnxNetwork, images: Sequence[NDArray[np.uint8]], regions: FloatArray) -> None:
        self._network, self._images, self._regions = network, images, regions

    @property
    def shape(self) -> tuple[int, ...]:
        """`(N, 256, 192, 3)`."""
        return (len(self), CROP_HEIGHT, CROP_WIDTH, 3)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, rows: Any, /) -> DeviceCrops:
        """Select rows by a slice or an array of indices."""
        chosen = np.arange(len(self))[rows]
        return DeviceCrops(self._network, [self._images[row] for row in chosen], self._regions[chosen])

    def write(self, memory: onnxruntime.OrtValue) -> None:
        """Compute the crops into `memory`."""
        for rows in self._rows_by_image():
            part, x, y = visible_part(self._images[rows.start], self._regions[rows])
            regions = (self._regions[rows] - [x, y, 0, 0]).astype(np.float32)
            self._network.run_into({"image": part, "regions": regions}, "crops", memory, rows)

    def _rows_by_image(self) -> Iterator[slice]:
        first = 0
        for row in range(1, len(self) + 1):
            if row == len(self) or self._images[row] is not self._images[first]:
                yield slice(first, row)
                first = row
