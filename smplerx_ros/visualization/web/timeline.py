"""Ages and rates of recent results, as curves over time."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

SPAN_S = 60.0  # length of the curves
RATE_WINDOW_S = 2.0  # arrivals are counted over this time


class Timeline:
    """Arrivals of the last `SPAN_S` seconds; times are seconds on a steady clock."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()
        self._ages: deque[float] = deque()

    def add(self, time: float, age_ms: float) -> None:
        """Add an arrival; `age_ms` is NaN if unknown."""
        self._times.append(time)
        self._ages.append(age_ms)
        while self._times[0] < time - SPAN_S:
            self._times.popleft()
            self._ages.popleft()

    def clear(self) -> None:
        """Remove all arrivals."""
        self._times.clear()
        self._ages.clear()

    def ages(self, now: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Seconds before `now` (N,), rising to at most 0, and ages in milliseconds (N,)."""
        return np.array(self._times, np.float64) - now, np.array(self._ages, np.float64)

    def rates(self, now: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Seconds before `now` (N,), one a second, and arrivals per second (N,) in the window before each."""
        if not self._times:
            return np.zeros(0), np.zeros(0)
        times = np.array(self._times)
        first = max(now - SPAN_S, times[0] + RATE_WINDOW_S)
        at = np.arange(now, first, -1.0)[::-1]
        counts = np.searchsorted(times, at, "right") - np.searchsorted(times, at - RATE_WINDOW_S, "right")
        return at - now, counts / RATE_WINDOW_S
