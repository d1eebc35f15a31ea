"""Memory that this process uses, of the machine and of the GPU."""

from __future__ import annotations

import os
import sys
from pathlib import Path

STATM = Path("/proc/self/statm")  # pages: total, resident, ... (proc_pid_statm(5)); Linux only


def memory_in_use() -> dict[str, int]:
    """Bytes by kind; what cannot be known is left out."""
    kinds = {"memory": _resident(), "GPU memory": _of_gpu()}
    return {name: size for name, size in kinds.items() if size is not None}


def _resident() -> int | None:
    try:
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _of_gpu() -> int | None:
    """What torch has reserved, if it runs on CUDA here. ONNX Runtime does not tell what its own allocator holds."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)  # never imported for this
    if cuda is None or not cuda.is_initialized():
        return None
    return sum(cuda.memory_reserved(device) for device in range(cuda.device_count()))
