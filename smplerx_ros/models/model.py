"""A network ready to run: crops in, SMPL-X parameters out, the same from every runtime."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, InputError, ModelFileError
from ..geometry.crops import CROP_HEIGHT, CROP_WIDTH, crop_each
from ..runtime.crops import Cropper, DeviceCrops
from ..runtime.onnx import OnnxNetwork
from ..runtime.providers import CPU
from .bundle import INT8, Bundle, convert_hint, is_bundle
from .prediction import Prediction
from .registry import SMPLER_X, Backbone, get_backbone, same_network

log = logging.getLogger(__name__)

FloatArray = NDArray[np.floating[Any]]
Crops = NDArray[np.float32] | DeviceCrops

RUNTIMES = ("onnx", "torch")
PRECISIONS = ("fp32", "fp16", "bf16", INT8)
# What ONNX Runtime is helped with on a GPU, each with all before it: nothing; inputs that stay bound to its memory;
# crops cut there; CUDA graphs.
GPU_MODES = ("plain", "bound", "crops", "graphs")
# Engines and CUDA graphs are built per shape: batches are filled up to one of these, and cut at the last.
BATCH_SIZES = (1, 2, 4, 8, 16)
_TORCH_HINT = "pip install 'smplerx_ros[torch]'"


class Network(Protocol):
    """What a runtime offers."""

    @property
    def provider(self) -> str:
        """What runs it."""

    def run(self, inputs: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Outputs by name, of inputs by name."""


@dataclass(frozen=True)
class Model:
    """One backbone with its weights. Not for concurrent use by several threads."""

    backbone: Backbone
    network: Network
    runtime: str
    precision: str
    cropper: Cropper | None = None  # cuts on the network's own device; None: on the CPU

    def predict(self, crops: NDArray[Any]) -> Prediction:
        """Parameters of `crops (B, 256, 192, 3)` RGB, uint8 or float32 0..255, as `geometry.crops.crop` cuts them.

        Any B, zero too; more than 16 run in parts. Raises InputError for another shape or type.
        """
        return self._predict(_checked(crops))

    def predict_regions(self, images: Sequence[NDArray[np.uint8]], regions: Sequence[FloatArray]) -> Prediction:
        """Parameters of what each `region (4,)` (x, y, width, height) shows of its image `(H, W, 3)` RGB.

        One or more; an image with several regions is given several times, one behind the other.
        """
        if self.cropper is None:
            return self.predict(crop_each(images, regions))
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
        if self.network.provider not in (CPU, "cpu"):  # a CPU needs no fixed shapes
            images = images[np.minimum(np.arange(padded(count)), count - 1)]
        return {name: value[:count] for name, value in self.network.run({"image": images}).items()}


def padded(count: int) -> int:
    """The smallest of BATCH_SIZES that holds `count`."""
    return next(size for size in BATCH_SIZES if size >= count)


def load_model(
    backbone: str,
    path: str | Path,
    *,
    runtime: str = "onnx",
    device: str = "cpu",
    precision: str | None = None,
    threads: int | None = None,
    gpu_mode: str = GPU_MODES[0],
) -> Model:
    """Backbone `backbone` with the weights in `path`: a bundle's directory, or a published checkpoint.

    `runtime` "onnx" or "torch"; `device` as of the runtime ("auto", "cpu", "cuda", ...); `precision` "fp32", "fp16",
    "bf16" (torch) or "int8" (ONNX Runtime on a CPU), by default the bundle's, or fp32; `gpu_mode` one of GPU_MODES, for
    ONNX Runtime on a GPU. A checkpoint with `runtime="onnx"` is converted into the user's cache first, once, which
    takes minutes for the large ones and is logged. Raises ModelFileError for files that are missing, damaged or of
    another backbone, ConfigError for options that do not go together.
    """
    entry = get_backbone(backbone)
    if not entry.needs_weights:
        raise ConfigError(f"backbone {backbone!r} has no weights to load; it is the Estimator's default")
    if runtime not in RUNTIMES:
        raise ConfigError(f"runtime {runtime!r} is unknown; choose one of {', '.join(RUNTIMES)}")
    _check_gpu_mode(gpu_mode, runtime)
    if precision is not None and precision not in PRECISIONS:
        raise ConfigError(f"precision {precision!r} is unknown; choose one of {', '.join(PRECISIONS)}")
    if not is_bundle(path) and Path(path).is_file():
        return _load_checkpoint(entry, Path(path), runtime, device, precision or "fp32", threads, gpu_mode)
    options: Any = {"device": device, "precision": precision, "threads": threads, "gpu_mode": gpu_mode}
    return load_bundle(entry, path, runtime=runtime, **options)


def load_bundle(
    backbone: Backbone,
    path: str | Path,
    *,
    runtime: str = "onnx",
    device: str = "cpu",
    precision: str | None = None,
    threads: int | None = None,
    gpu_mode: str = GPU_MODES[0],
) -> Model:
    """The same of a bundle alone, its hashes checked: what a robot loads. No pickle is read, nothing is converted."""
    _check_gpu_mode(gpu_mode, runtime)
    if Path(path).is_file():
        raise ModelFileError(f"{path}: a file, not a bundle's directory; {convert_hint(str(path))}")
    if not Path(path).is_dir():
        raise ModelFileError(f"{path}: no such directory; {convert_hint()}")
    bundle = Bundle.load(path)
    if not same_network(get_backbone(bundle.backbone), backbone):
        raise ModelFileError(f"bundle {path}: holds {bundle.backbone}, not {backbone.name}; name the right one")
    if bundle.runtime != runtime:
        raise ConfigError(
            f"runtime {runtime!r}: bundle {path} is for {bundle.runtime!r}; choose that, or convert with --runtime"
        )
    precision = precision or bundle.precision
    if precision == INT8:
        device = _cpu_for_int8(runtime, device)
    if runtime == "onnx":
        if precision != bundle.precision:
            raise ConfigError(
                f"precision {precision!r}: bundle {path} holds {bundle.precision}; convert with --precision"
            )
        if backbone.family == SMPLER_X and "joint_spread" not in bundle.outputs:
            log.warning("bundle %s: an older one, whose confidences are unknown (NaN); %s", path, convert_hint())
        return onnx_model(
            backbone, bundle.model_path, device=device, precision=precision, threads=threads, gpu_mode=gpu_mode
        )
    network = _torch_runtime().from_bundle(backbone, bundle, device=device, precision=precision, threads=threads)
    return Model(backbone, network, runtime, precision)


def onnx_model(
    backbone: Backbone,
    path: Path,
    *,
    device: str,
    precision: str,
    threads: int | None = None,
    gpu_mode: str = GPU_MODES[0],
) -> Model:
    """A network's ONNX file, run by ONNX Runtime. On a CPU `gpu_mode` changes nothing but where inputs are kept."""
    _check_gpu_mode(gpu_mode, "onnx")
    level = GPU_MODES.index(gpu_mode)
    network = OnnxNetwork(
        path,
        device=device,
        threads=threads,
        bind=level >= GPU_MODES.index("bound"),
        cuda_graphs=level >= GPU_MODES.index("graphs"),
        half=precision == "fp16",
    )
    cropper = _cropper_beside(network) if level >= GPU_MODES.index("crops") else None
    if level and network.provider != CPU:
        log.warning(
            "gpu_mode %r has not been run on a GPU by its authors: compare its answers (benchmarks/gpu_check.py)",
            gpu_mode,
        )
    return Model(backbone, network, "onnx", precision, cropper)


def _check_gpu_mode(gpu_mode: str, runtime: str) -> None:
    if gpu_mode not in GPU_MODES:
        raise ConfigError(f"gpu_mode {gpu_mode!r} is unknown; choose one of {', '.join(GPU_MODES)}")
    if runtime != "onnx" and gpu_mode != GPU_MODES[0]:
        raise ConfigError(f"gpu_mode {gpu_mode!r} is for runtime 'onnx'; with {runtime!r} leave it at {GPU_MODES[0]!r}")


def _load_checkpoint(
    backbone: Backbone, path: Path, runtime: str, device: str, precision: str, threads: int | None, gpu_mode: str
) -> Model:
    if precision == INT8:
        device = _cpu_for_int8(runtime, device)
    if runtime == "torch":
        network = _torch_runtime().from_checkpoint(backbone, path, device=device, precision=precision, threads=threads)
        return Model(backbone, network, runtime, precision)
    from .convert import convert_to_cache

    directory = convert_to_cache(path, backbone, precision=precision)
    return load_bundle(backbone, directory, runtime=runtime, device=device, threads=threads, gpu_mode=gpu_mode)


def _cpu_for_int8(runtime: str, device: str) -> str:
    if runtime != "onnx":
        raise ConfigError(f"precision 'int8' is for runtime 'onnx'; runtime {runtime!r} takes fp32, fp16 or bf16")
    if device not in ("auto", "cpu"):
        raise ConfigError(f"device {device!r}: precision 'int8' is for CPUs; choose auto or cpu, or a bundle in fp16")
    return "cpu"


def _cropper_beside(network: OnnxNetwork) -> Cropper | None:
    """For a GPU; OpenCV is faster on a CPU (benchmarks/crops.py)."""
    if network.memory == "cpu":
        return None
    cropper = Cropper(device="cuda")
    return cropper if cropper.memory == network.memory else None


def _torch_runtime() -> Any:
    try:
        from ..runtime.torch import TorchNetwork
    except ImportError as error:
        raise ConfigError(f"runtime 'torch' needs torch and timm ({error}): {_TORCH_HINT}") from error
    return TorchNetwork


def _checked(crops: NDArray[Any]) -> NDArray[np.float32]:
    expected = (CROP_HEIGHT, CROP_WIDTH, 3)
    if not isinstance(crops, np.ndarray) or crops.ndim != 4 or crops.shape[1:] != expected:
        raise InputError(f"crops have shape {np.shape(crops)}, expected (B, {', '.join(map(str, expected))}) RGB")
    if crops.dtype not in (np.uint8, np.float32):
        raise InputError(f"crops are {crops.dtype}, expected uint8 or float32 (0..255)")
    return crops.astype(np.float32, copy=False)
