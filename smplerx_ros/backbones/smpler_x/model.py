"""Run a network on crops with any runtime, and read SMPL-X parameters from its outputs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.backbones.registry import BackboneSpec
from smplerx_ros.errors import InputError
from smplerx_ros.geometry.constants import CROP_HEIGHT, CROP_WIDTH
from smplerx_ros.geometry.crops import crop_batch
from smplerx_ros.runtime.crops import Cropper, DeviceCrops
from smplerx_ros.runtime.providers import CPU

from .bundle import INT8
from .prediction import Prediction

log = logging.getLogger(__name__)

Crops = NDArray[np.float32] | DeviceCrops

RUNTIMES = ("onnx", "torch")
PRECISIONS = ("fp32", "fp16", "bf16", INT8)
# Optimizations of ONNX Runtime on a GPU, each including the previous ones: none; persistent input buffers; cropping on
# the GPU; CUDA graphs.
GPU_MODES = ("plain", "bound", "crops", "graphs")
# Engines and CUDA graphs are built per shape: batches are padded to one of these sizes, and divided by the last.
BATCH_SIZES = (1, 2, 4, 8, 16)
_TORCH_HINT = "pip install 'smplerx_ros[torch]'"


class Network(Protocol):
    """Interface of a runtime."""

    @property
    def provider(self) -> str:
        """Device or execution provider."""

    def run(self, inputs: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Run the network; inputs and outputs are by name."""


@dataclass(frozen=True)
class Model:
    """A backbone with its weights; not thread-safe."""

    backbone: BackboneSpec
    network: Network
    runtime: str
    precision: str
    cropper: Cropper | None = None  # crops on the network's device; None: on the CPU

    def predict(self, crops: NDArray[Any]) -> Prediction:
        """Predict the parameters of crops.

        Args:
            crops: `(B, 256, 192, 3)` RGB, uint8 or float32 0..255, as from `geometry.crops.crop`; B may be 0.

        Raises:
            InputError: If shape or type are wrong.
        """
        return self._predict(_checked(crops))

    def predict_regions(self, images: Sequence[NDArray[np.uint8]], regions: Sequence[FloatArray]) -> Prediction:
        """Predict the parameters of regions of images.

        Args:
            images: `(H, W, 3)` RGB, one for each region; images with several regions are repeated consecutively.
            regions: `(4,)` x, y, width, height, pixels; at least one.
        """
        if self.cropper is None:
            return self.predict(crop_batch(images, regions))
        return self._predict(self.cropper.crops(images, regions))

    def _predict(self, images: Crops) -> Prediction:
        parts = [self._run(images[first : first + BATCH_SIZES[-1]]) for first in range(0, len(images), BATCH_SIZES[-1])]
        if not parts:
            parts = [
                {name: value[:0] for name, value in self._run(np.zeros((1, *images.shape[1:]), np.float32)).items()}
            ]
        return Prediction.from_outputs({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})

    def _run(self, images: Crops) -> dict[str, NDArray[Any]]:
        count = len(images)
        if self.network.provider not in (CPU, "cpu"):  # not needed on a CPU
            images = images[np.minimum(np.arange(padded(count)), count - 1)]
        return {name: value[:count] for name, value in self.network.run({"image": images}).items()}


def padded(count: int) -> int:
    """The smallest of `BATCH_SIZES` for `count` crops."""
    return next(size for size in BATCH_SIZES if size >= count)


def _checked(crops: NDArray[Any]) -> NDArray[np.float32]:
    expected = (CROP_HEIGHT, CROP_WIDTH, 3)
    if not isinstance(crops, np.ndarray) or crops.ndim != 4 or crops.shape[1:] != expected:
        raise InputError(f"crops have shape {np.shape(crops)}, expected (B, {', '.join(map(str, expected))}) RGB")
    if crops.dtype not in (np.uint8, np.float32):
        raise InputError(f"crops are {crops.dtype}, expected uint8 or float32 (0..255)")
    return crops.astype(np.float32, copy=False)
