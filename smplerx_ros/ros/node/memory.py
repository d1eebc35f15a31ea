"""Host and GPU memory used by this process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

STATM = Path("/proc/self/statm")  # pages: total, resident, ... (proc_pid_statm(5)); Linux only


def memory_in_use() -> dict[str, int]:
    """Bytes by kind; unknown ones are left out."""
    kinds = {"memory": _resident(), "GPU memory": _of_gpu()}
    return {name: size for name, size in kinds.items() if size is not None}


def _resident() -> int | None:
    try:
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _of_gpu() -> int | None:
    """Memory reserved by torch, if it uses CUDA here. ONNX Runtime does not report what its allocator holds."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)  # not imported just for this
    if cuda is None or not cuda.is_initialized():
        return None
    return sum(cuda.memory_reserved(device) for device in range(cuda.device_count()))
