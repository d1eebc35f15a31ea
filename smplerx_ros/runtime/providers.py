"""Select and configure ONNX Runtime's execution providers."""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from smplerx_ros.errors import ConfigError
from smplerx_ros.io.cache import cache_directory

log = logging.getLogger(__name__)

CPU, CUDA, _TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
_OPENVINO = "OpenVINOExecutionProvider"
# Preferred providers per device, best first, by ONNX Runtime's names. TensorRT takes minutes to build an engine for
# each input shape, so that "auto" never chooses it.
PROVIDERS = {
    "auto": (CUDA, CPU),
    "cpu": (CPU,),
    "cuda": (CUDA, CPU),
    "tensorrt": (_TENSORRT, CUDA, CPU),
    "openvino": (_OPENVINO, CPU),
}
# ONNX Runtime's name of the memory that these providers use; the others use the host's.
MEMORY = {CUDA: "cuda", _TENSORRT: "cuda"}
# The first version with several CUDA graphs per session, and with the option `use_tf32`.
_FIRST_WITH_CUDA_GRAPHS = (1, 18)
# Files with the name of the GPU: of NVIDIA's driver, and on a Jetson.
_GPU_FILES = ("/proc/driver/nvidia/gpus/*/information", "/proc/device-tree/model")


def select_providers(device: str, available: list[str]) -> list[str]:
    """Select the providers of `device` that this ONNX Runtime has, best first; log a warning if the best is missing.

    Raises:
        ConfigError: If the device is unknown, or none of its providers is available.
    """
    if device not in PROVIDERS:
        raise ConfigError(f"device {device!r} is unknown; choose one of {', '.join(PROVIDERS)}")
    wanted = PROVIDERS[device]
    found = [name for name in wanted if name in available]
    if not found:
        raise ConfigError(
            f"device {device!r}: this ONNX Runtime has only {', '.join(available)}; install another build"
        )
    if device != "auto" and found[0] != wanted[0]:
        log.warning(
            "device %r: this ONNX Runtime has no %s (it has %s), using %s", device, wanted[0], available, found[0]
        )
    return found


def has_cuda_graphs() -> bool:
    """Whether this ONNX Runtime supports several CUDA graphs per session; logs a warning if not."""
    if _runtime_version() >= _FIRST_WITH_CUDA_GRAPHS:
        return True
    log.warning("no CUDA graphs: ONNX Runtime %s is older than 1.18", _version())
    return False


def provider_options(
    provider: str, *, threads: int | None = None, cuda_graphs: bool = False, half: bool = False
) -> dict[str, str]:
    """Make ONNX Runtime's options for one of its providers.

    Args:
        provider: ONNX Runtime's name of the provider.
        threads: For OpenVINO; the CPU provider takes the session's option instead.
        cuda_graphs: For CUDA.
        half: For TensorRT: allow half precision.
    """
    if provider == CUDA:
        return _cuda_options(cuda_graphs)
    if provider == _TENSORRT:
        return _tensorrt_options(half)
    return {"num_of_threads": str(threads)} if provider == _OPENVINO and threads else {}


def _cuda_options(cuda_graphs: bool) -> dict[str, str]:
    """Disable TF32, whose ten bits of mantissa are too coarse for matrix products and the soft-argmax."""
    options = {"use_tf32": "0"} if _runtime_version() >= _FIRST_WITH_CUDA_GRAPHS else {}
    return options | ({"enable_cuda_graph": "1"} if cuda_graphs else {})


def _tensorrt_options(half: bool) -> dict[str, str]:
    """Cache TensorRT's engines and timings in a folder per model of GPU and version, so that no other's are loaded.

    TensorRT refuses networks in half precision unless that is enabled.
    """
    options = {"trt_fp16_enable": "True"} if half else {}
    folder = cache_directory() / "tensorrt" / _engine_key()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        log.warning("TensorRT builds its engines at every start: cannot create %s (%s)", folder, error.strerror)
        return options
    return options | {
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(folder),
    }


def _version() -> str:
    import onnxruntime  # here, so that the command line works without it

    return str(onnxruntime.__version__)


def _runtime_version() -> tuple[int, ...]:
    return tuple(int(part) for part in _version().split(".")[:2])


def _engine_key() -> str:
    try:
        tensorrt = version("tensorrt")
    except PackageNotFoundError:
        tensorrt = "system"
    return f"{_gpu()}-tensorrt-{tensorrt}-onnxruntime-{_version()}"


def _gpu() -> str:
    """Model of the first GPU, as part of a file name."""
    for pattern in _GPU_FILES:
        for file in sorted(Path("/").glob(pattern.lstrip("/"))):
            lines = file.read_text(encoding="utf-8", errors="replace").replace("\0", "").splitlines()
            named = [line.partition(":")[2] for line in lines if line.startswith("Model:")]
            if model := "".join((named or lines)[:1]).strip():
                return "".join(letter if letter.isalnum() else "_" for letter in model)
    return "gpu"
