"""Run networks with torch, on GPUs that ONNX Runtime does not support, and as the reference of conversions."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from smplerx_ros.backbones.registry import BackboneSpec
from smplerx_ros.errors import ConfigError, ModelFileError
from smplerx_ros.runtime.batches import Arrays, BatchLimiter

from .bundle import Bundle
from .checkpoint import read_checkpoint
from .network import CropNetwork, fuse_norms, load_native, load_published, reduce_precision
from .smpler_x import SmplerX
from .smplest_x import SmplestX

log = logging.getLogger(__name__)


class TorchNetwork:
    """A network on a device, with the interface of `OnnxNetwork`."""

    def __init__(
        self, network: SmplerX | SmplestX, *, device: str = "cpu", precision: str = "fp32", threads: int | None = None
    ) -> None:
        """Prepare `network`, in evaluation mode, in place; `threads` applies to torch in the whole process."""
        self._device = select_device(device)
        if precision == "fp16" and self._device.type == "cpu":
            log.warning("torch computes fp16 on CPUs many times slower than fp32; choose bf16, fp32 or runtime onnx")
        if threads is not None:
            torch.set_num_threads(threads)
        fuse_norms(network)
        reduce_precision(network, precision)
        self._network = CropNetwork(network).to(self._device).eval()
        self._batches = BatchLimiter(f"torch network on {self._device}", torch.cuda.empty_cache)

    @classmethod
    def from_checkpoint(cls, backbone: BackboneSpec, path: Path, **options: Any) -> TorchNetwork:
        """Load a published checkpoint.

        Raises:
            ModelFileError: If it is unusable.
        """
        return cls(load_published(*read_checkpoint(path, backbone)), **options)

    @classmethod
    def from_bundle(cls, backbone: BackboneSpec, bundle: Bundle, **options: Any) -> TorchNetwork:
        """Load a bundle for torch.

        Raises:
            ModelFileError: If it is unusable.
        """
        try:
            return cls(load_native(backbone, load_file(bundle.model_path)), **options)
        except (RuntimeError, OSError) as error:  # load_state_dict and safetensors
            raise ModelFileError(f"bundle file {bundle.model_path}: not a {backbone.name} network ({error})") from error

    @property
    def provider(self) -> str:
        """The device, such as "cpu" or "cuda:0"."""
        return str(self._device)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the network, in parts if the batch does not fit into the device's memory.

        Args:
            inputs: `image (B, 256, 192, 3)` float32, RGB 0..255.

        Returns:
            Raw outputs by name.

        Raises:
            DeviceError: If the device fails.
        """
        return self._batches.run(self._run, inputs)

    def _run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        image = torch.from_numpy(np.ascontiguousarray(inputs["image"])).to(self._device)
        with torch.inference_mode():
            return {name: value.float().cpu().numpy() for name, value in self._network(image).items()}


def select_device(name: str) -> torch.device:
    """Select a device by torch's name, or a GPU if available for "auto".

    Raises:
        ConfigError: If torch cannot use the device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device {name!r}: torch cannot use it ({reason}); choose 'cpu' or 'auto'") from error
    return device
