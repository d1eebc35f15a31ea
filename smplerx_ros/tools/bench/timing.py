"""Times and memory for benchmarks."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Times:
    """Milliseconds of one candidate's runs."""

    median: float
    p95: float
    least: float
    runs: int

    @classmethod
    def of(cls, milliseconds: list[float]) -> Times:
        """From the times of single runs."""
        median, p95 = np.percentile(milliseconds, (50, 95))
        return cls(float(median), float(p95), min(milliseconds), len(milliseconds))


def side_by_side(
    candidates: Mapping[str, Callable[[], object]], *, runs: int, cpu_time: bool, warm_up: int = 2
) -> dict[str, Times]:
    """Measure candidates in alternation, so that other load on the machine affects all of them alike.

    Args:
        candidates: Functions by name.
        runs: Measured calls of each.
        cpu_time: Measure CPU time of the calling thread, which other processes disturb less, instead of wall time.
        warm_up: Calls of each before the measurement.
    """
    clock = time.thread_time if cpu_time else time.perf_counter
    measured: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(warm_up + runs):
        for name, function in candidates.items():
            start = clock()
            function()
            if turn >= warm_up:
                measured[name].append(1e3 * (clock() - start))
    return {name: Times.of(values) for name, values in measured.items()}


def peak_memory_mb() -> float:
    """Peak resident memory of this process, MB (Linux: ru_maxrss is in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
