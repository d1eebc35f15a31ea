"""Which of ONNX Runtime's execution providers run a network, and how they are set up."""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import onnxruntime

from ..cache import cache_directory
from ..errors import ConfigError

log = logging.getLogger(__name__)

CPU = "CPUExecutionProvider"
# Wanted providers per device, best first; ONNX Runtime's names. TensorRT builds an engine for every input shape,
# minutes at the first run, so that it is never chosen unasked.
PROVIDERS = {
    "auto": ("CUDAExecutionProvider", CPU),
    "cpu": (CPU,),
    "cuda": ("CUDAExecutionProvider", CPU),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", CPU),
    "openvino": ("OpenVINOExecutionProvider", CPU),
}
_TENSORRT = "TensorrtExecutionProvider"
# Where Linux tells which GPU there is: of NVIDIA's driver, and of a Jetson.
_GPU_FILES = ("/proc/driver/nvidia/gpus/*/information", "/proc/device-tree/model")


def select_providers(device: str, available: list[str]) -> list[str]:
    """The providers of `device` that this ONNX Runtime has, best first; warns of a lesser choice."""
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


def provider_options(provider: str) -> dict[str, str]:
    """ONNX Runtime's options for one of its providers.

    TensorRT keeps its engines and timings in the user's cache, in a folder for each kind of GPU and each version, so
    that an engine built by another one is never loaded.
    """
    if provider != _TENSORRT:
        return {}
    folder = cache_directory() / "tensorrt" / _engine_key()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        log.warning("TensorRT builds its engines at every start: %s cannot be made (%s)", folder, error.strerror)
        return {}
    return {
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(folder),
    }


def _engine_key() -> str:
    try:
        tensorrt = version("tensorrt")
    except PackageNotFoundError:
        tensorrt = "system"
    return f"{_gpu()}-tensorrt-{tensorrt}-onnxruntime-{onnxruntime.__version__}"


def _gpu() -> str:
    """A name for files of the first GPU."""
    for pattern in _GPU_FILES:
        for file in sorted(Path("/").glob(pattern.lstrip("/"))):
            lines = file.read_text(encoding="utf-8", errors="replace").replace("\0", "").splitlines()
            named = [line.partition(":")[2] for line in lines if line.startswith("Model:")]
            if model := "".join((named or lines)[:1]).strip():
                return "".join(letter if letter.isalnum() else "_" for letter in model)
    return "gpu"
