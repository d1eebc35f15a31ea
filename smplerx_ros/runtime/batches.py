"""Limit batches to the device's memory: halve them when it runs out, and enlarge them again later."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.errors import DeviceError

log = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[Any]]

LARGER_AFTER = 300  # runs without failure until the limit doubles: 10 s of a 30 Hz camera
# Substrings of the messages of ONNX Runtime, torch, CUDA, cuDNN and cuBLAS, which share no exception class for this.
_OUT_OF_MEMORY = (
    "out of memory",
    "failed to allocate memory",
    "available memory of",  # ONNX Runtime's arena: smaller than requested bytes of
    "alloc_failed",  # CUBLAS_STATUS_ALLOC_FAILED, CUDNN_STATUS_ALLOC_FAILED
    "bad allocation",
    "std::bad_alloc",
)
_DEVICE_LOST = ("cuda error", "cuda failure", "cudnn_status", "cublas_status", "device lost", "device removed")


class BatchLimiter:
    """Runs batches in parts that fit into the device's memory.

    Args:
        label: Name of the network in messages.
        free: Releases memory that can be spared, before another attempt.
        most: Maximum rows of one part, None for no limit other than memory.
    """

    def __init__(self, label: str, free: Callable[[], None] = lambda: None, *, most: int | None = None) -> None:
        self._label = label
        self._free = free
        self._most = most
        self._limit: int | None = None
        self._runs_since_failure = 0

    @property
    def limit(self) -> int | None:
        """Maximum rows of one run after memory has run out; None: no limit."""
        return self._limit

    def run(self, run: Callable[[Any], Arrays], inputs: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Call `run` on the inputs, in parts if necessary, and concatenate its outputs.

        Args:
            run: Maps inputs to outputs; the first axis of each is the batch.
            inputs: Arrays, or objects that can be sliced like arrays.

        Raises:
            DeviceError: If not even one row fits, or the device has failed.
        """
        count = min((len(value) for value in inputs.values()), default=0)
        self._grow()
        parts: list[Arrays] = []
        done = 0
        while done < count or not parts:
            size = min(count - done, self._limit or count, self._most or count)
            try:
                parts.append(run({name: value[done : done + size] for name, value in inputs.items()}))
            except Exception as error:  # the bindings' exceptions have no common base but Exception
                self._shrink(size, error)
            else:
                done += size
        self._runs_since_failure += 1
        if len(parts) == 1:
            return dict(parts[0])
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        if any(len(value) != count for value in joined.values()):
            raise DeviceError(
                f"{self._label}: the device's memory does not hold a batch of {count}, which cannot be divided"
            )
        return joined

    def _grow(self) -> None:
        if self._limit is not None and self._runs_since_failure >= LARGER_AFTER:
            self._limit *= 2
            self._runs_since_failure = 0

    def _shrink(self, size: int, error: Exception) -> None:
        """Halve the limit, or raise if that does not help."""
        reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        if not is_out_of_memory(error):
            if any(text in reason.lower() for text in _DEVICE_LOST):
                raise DeviceError(
                    f"{self._label}: the device failed ({reason}); if it does not recover, restart the process, "
                    "check the driver, or choose device 'cpu'"
                ) from error
            raise error
        self._free()
        self._runs_since_failure = 0
        if size <= 1:
            raise DeviceError(
                f"{self._label}: the device's memory does not hold a batch of one ({reason}); end other programs that "
                "use it, or choose a smaller backbone, precision fp16 or device 'cpu'"
            ) from error
        self._limit = size // 2
        log.warning(
            "%s: out of memory with a batch of %d (%s), continuing with %d", self._label, size, reason, size // 2
        )


def is_out_of_memory(error: Exception) -> bool:
    """Whether `error` reports insufficient memory, of the device or the host."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(part in text for part in _OUT_OF_MEMORY)
