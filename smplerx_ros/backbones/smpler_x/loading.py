"""Load networks from bundles or published checkpoints."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from smplerx_ros.backbones.registry import SMPLER_X, BackboneSpec, get_backbone, same_network
from smplerx_ros.errors import ConfigError, ModelFileError
from smplerx_ros.runtime.crops import Cropper
from smplerx_ros.runtime.onnx import OnnxNetwork
from smplerx_ros.runtime.providers import CPU

from .bundle import INT8, Bundle, convert_hint, is_bundle
from .convert import convert_to_cache
from .model import GPU_MODES, PRECISIONS, RUNTIMES, Model

log = logging.getLogger(__name__)

_TORCH_HINT = "pip install 'smplerx_ros[torch]'"


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
    """Load a network.

    With runtime "onnx", a checkpoint is first converted into the user's cache, which takes minutes for large ones.

    Args:
        backbone: Name of the backbone.
        path: Folder of a bundle, or a published checkpoint.
        runtime: "onnx" or "torch".
        device: Device of the runtime, such as "auto", "cpu" or "cuda".
        precision: "fp32", "fp16", "bf16" (torch) or "int8" (ONNX Runtime on a CPU); None for the bundle's, or fp32.
        threads: CPU threads; None for the runtime's default.
        gpu_mode: One of `GPU_MODES`, for ONNX Runtime on a GPU.

    Raises:
        ModelFileError: If files are missing, damaged or of another backbone.
        ConfigError: If options are invalid or incompatible.
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
    backbone: BackboneSpec,
    path: str | Path,
    *,
    runtime: str = "onnx",
    device: str = "cpu",
    precision: str | None = None,
    threads: int | None = None,
    gpu_mode: str = GPU_MODES[0],
) -> Model:
    """Load a bundle, whose hashes are verified; arguments and errors are those of `load_model`.

    No pickle is read and nothing is converted, as suits a robot.
    """
    _check_gpu_mode(gpu_mode, runtime)
    if Path(path).is_file():
        raise ModelFileError(f"{path}: a file, not a bundle's directory; {convert_hint(str(path))}")
    if not Path(path).is_dir():
        raise ModelFileError(f"{path}: no such directory; {convert_hint()}")
    bundle = Bundle.load(path)
    if not same_network(get_backbone(bundle.backbone), backbone):
        raise ModelFileError(f"bundle {path}: holds {bundle.backbone}, not {backbone.name}; specify the right one")
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
            log.warning("bundle %s: an older version, whose confidences are unknown (NaN); %s", path, convert_hint())
        return onnx_model(
            backbone, bundle.model_path, device=device, precision=precision, threads=threads, gpu_mode=gpu_mode
        )
    network = _torch_runtime().from_bundle(backbone, bundle, device=device, precision=precision, threads=threads)
    return Model(backbone, network, runtime, precision)


def onnx_model(
    backbone: BackboneSpec,
    path: Path,
    *,
    device: str,
    precision: str,
    threads: int | None = None,
    gpu_mode: str = GPU_MODES[0],
) -> Model:
    """Load a network's ONNX file with ONNX Runtime; on a CPU, `gpu_mode` only affects where inputs are kept."""
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
            "gpu_mode %r has not been tested on a GPU by its authors: verify its results (benchmarks/gpu_check.py)",
            gpu_mode,
        )
    return Model(backbone, network, "onnx", precision, cropper)


def _check_gpu_mode(gpu_mode: str, runtime: str) -> None:
    if gpu_mode not in GPU_MODES:
        raise ConfigError(f"gpu_mode {gpu_mode!r} is unknown; choose one of {', '.join(GPU_MODES)}")
    if runtime != "onnx" and gpu_mode != GPU_MODES[0]:
        raise ConfigError(f"gpu_mode {gpu_mode!r} is for runtime 'onnx'; with {runtime!r} leave it at {GPU_MODES[0]!r}")


def _load_checkpoint(
    backbone: BackboneSpec, path: Path, runtime: str, device: str, precision: str, threads: int | None, gpu_mode: str
) -> Model:
    if precision == INT8:
        device = _cpu_for_int8(runtime, device)
    if runtime == "torch":
        network = _torch_runtime().from_checkpoint(backbone, path, device=device, precision=precision, threads=threads)
        return Model(backbone, network, runtime, precision)
    directory = convert_to_cache(path, backbone, precision=precision)
    return load_bundle(backbone, directory, runtime=runtime, device=device, threads=threads, gpu_mode=gpu_mode)


def _cpu_for_int8(runtime: str, device: str) -> str:
    if runtime != "onnx":
        raise ConfigError(f"precision 'int8' is for runtime 'onnx'; runtime {runtime!r} takes fp32, fp16 or bf16")
    if device not in ("auto", "cpu"):
        raise ConfigError(f"device {device!r}: precision 'int8' is for CPUs; choose auto or cpu, or a bundle in fp16")
    return "cpu"


def _cropper_beside(network: OnnxNetwork) -> Cropper | None:
    """Cropper on the network's GPU; None on a CPU, where OpenCV is faster (benchmarks/crops.py)."""
    if network.memory == "cpu":
        return None
    cropper = Cropper(device="cuda")
    return cropper if cropper.memory == network.memory else None


def _torch_runtime() -> Any:
    try:
        from .torch_runtime import TorchNetwork
    except ImportError as error:
        raise ConfigError(f"runtime 'torch' needs torch and timm ({error}): {_TORCH_HINT}") from error
    return TorchNetwork
