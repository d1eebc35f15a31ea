"""Which of ONNX Runtime's execution providers run a network, and how they are set up."""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import onnxruntime

from smplerx_ros.errors import ConfigError
from smplerx_ros.io.cache import cache_directory

log = logging.getLogger(__name__)

CPU, CUDA, _TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
_OPENVINO = "OpenVINOExecutionProvider"
# Wanted providers per device, best first; ONNX Runtime's names. TensorRT builds an engine for every input shape,
# minutes at the first run, so that it is never chosen unasked.
PROVIDERS = {
    "auto": (CUDA, CPU),
    "cpu": (CPU,),
    "cuda": (CUDA, CPU),
    "tensorrt": (_TENSORRT, CUDA, CPU),
    "openvino": (_OPENVINO, CPU),
}
# Where those providers keep their memory, in ONNX Runtime's words; the others compute in the host's.
MEMORY = {CUDA: "cuda", _TENSORRT: "cuda"}
# The first with several CUDA graphs in a session, and with the option `use_tf32`.
_FIRST_WITH_CUDA_GRAPHS = (1, 18)
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


def has_cuda_graphs() -> bool:
    """Whether this ONNX Runtime can keep several CUDA graphs in a session; warns where not."""
    if _runtime_version() >= _FIRST_WITH_CUDA_GRAPHS:
        return True
    log.warning("no CUDA graphs: ONNX Runtime %s is older than 1.18", onnxruntime.__version__)
    return False


def provider_options(
    provider: str, *, threads: int | None = None, cuda_graphs: bool = False, half: bool = False
) -> dict[str, str]:
    """ONNX Runtime's options for one of its providers.

    `threads` for OpenVINO alone (the CPU provider takes the session's), `cuda_graphs` for CUDA, `half` for TensorRT.
    """
    if provider == CUDA:
        return _cuda_options(cuda_graphs)
    if provider == _TENSORRT:
        return _tensorrt_options(half)
    return {"num_of_threads": str(threads)} if provider == _OPENVINO and threads else {}


def _cuda_options(cuda_graphs: bool) -> dict[str, str]:
    """Float32 is float32: as TF32, the factors of matrix products and of the soft-argmax would have ten bits."""
    options = {"use_tf32": "0"} if _runtime_version() >= _FIRST_WITH_CUDA_GRAPHS else {}
    return options | ({"enable_cuda_graph": "1"} if cuda_graphs else {})


def _tensorrt_options(half: bool) -> dict[str, str]:
    """TensorRT keeps its engines and timings in the user's cache, in a folder for each kind of GPU and each version.

    So an engine built by another one is never loaded. It refuses networks in half precision unless it is allowed.
    """
    options = {"trt_fp16_enable": "True"} if half else {}
    folder = cache_directory() / "tensorrt" / _engine_key()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        log.warning("TensorRT builds its engines at every start: %s cannot be made (%s)", folder, error.strerror)
        return options
    return options | {
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(folder),
    }


def _runtime_version() -> tuple[int, ...]:
    return tuple(int(part) for part in onnxruntime.__version__.split(".")[:2])


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
