"""Counters of frames, ages and drops by reason, and a log of faults (throttled by reason) and conditions (once)."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

LONGEST_MESSAGE = 600  # characters: a message's own strings must not fill the log
LOG_PERIOD_S = 5.0  # at most one log message per reason in this time
AGE_WINDOW = 300  # ages and processing times kept for the percentiles: 10 s of a 30 Hz camera


@dataclass(frozen=True)
class Snapshot:
    """Counts since the last snapshot (`received`, `published`, `new_drops`) and since the start (`drops`)."""

    received: int = 0
    published: int = 0
    new_drops: dict[str, int] = field(default_factory=dict)
    drops: dict[str, int] = field(default_factory=dict)
    ages_ms: tuple[float, float, float] | None = None  # p50, p95, p99 from image stamp to publication
    work_ms: tuple[float, float, float] | None = None  # the same from the start of processing to publication
    people: int = 0
    not_estimated: int = 0  # people in view beyond max_people
    stages_ms: dict[str, float] = field(default_factory=dict)  # mean time of each stage since the last snapshot
    last_messages: dict[str, str] = field(default_factory=dict)  # the newest message per reason, logged or not


class Statistics:
    """Thread-safe counters. `seconds()`: a steady clock; `warn`: called with messages to log."""

    def __init__(self, seconds: Callable[[], float], warn: Callable[[str], object]) -> None:
        self._seconds = seconds
        self._warn = warn
        self._lock = threading.Lock()
        self._received = self._published = self._people = self._not_estimated = 0
        self._stages: defaultdict[str, float] = defaultdict(float)  # seconds
        self._drops: Counter[str] = Counter()
        self._new_drops: Counter[str] = Counter()
        self._ages_ms: deque[float] = deque(maxlen=AGE_WINDOW)
        self._work_ms: deque[float] = deque(maxlen=AGE_WINDOW)
        self._logged: dict[str, float] = {}
        self._silent: Counter[str] = Counter()
        self._warned: set[str] = set()
        self._last_messages: dict[str, str] = {}

    def received(self) -> None:
        """Count an image that arrived."""
        with self._lock:
            self._received += 1

    def published(
        self,
        age_ms: float | None,
        people: int,
        not_estimated: int = 0,
        stage_seconds: Mapping[str, float] | None = None,
    ) -> None:
        """Count a published frame, `age_ms` after its stamp (None: it has no stamp)."""
        with self._lock:
            self._published += 1
            self._people, self._not_estimated = people, not_estimated
            stages = stage_seconds or {}
            for stage, seconds in stages.items():
                self._stages[stage] += seconds
            if "total" in stages:
                self._work_ms.append(1e3 * (stages["total"] - stages.get("wait", 0.0)))
            if age_ms is not None:
                self._ages_ms.append(age_ms)

    def drop(self, reason: str, message: str = "") -> None:
        """Count a drop by reason, and log `message` unless the same reason was logged within LOG_PERIOD_S."""
        message = message[:LONGEST_MESSAGE]
        with self._lock:
            self._drops[reason] += 1
            self._new_drops[reason] += 1
            self._last_messages[reason] = message
            now = self._seconds()
            if not message or now - self._logged.get(reason, -LOG_PERIOD_S) < LOG_PERIOD_S:
                self._silent[reason] += bool(message)
                return
            self._logged[reason] = now
            silent = self._silent.pop(reason, 0)
        self._warn(f"{message} [{reason}{f', and {silent} more since the last report' if silent else ''}]")

    def warn_once(self, condition: str, message: str) -> None:
        """Log a lasting condition when it is seen first, or first after `rearm`."""
        with self._lock:
            if condition in self._warned:
                return
            self._warned.add(condition)
        self._warn(message[:LONGEST_MESSAGE])

    def rearm(self, condition: str) -> None:
        """Let `warn_once` log this condition again."""
        with self._lock:
            self._warned.discard(condition)

    def snapshot(self) -> Snapshot:
        """Current counts; starts a new period."""
        with self._lock:
            snapshot = Snapshot(
                self._received,
                self._published,
                dict(self._new_drops),
                dict(self._drops),
                _percentiles(self._ages_ms),
                _percentiles(self._work_ms),
                self._people,
                self._not_estimated,
                {name: 1e3 * seconds / self._published for name, seconds in self._stages.items()},
                dict(self._last_messages),
            )
            self._received = self._published = 0
            self._stages.clear()
            self._new_drops.clear()
        return snapshot

    def clear_ages(self) -> None:
        """Discard ages, which are meaningless after a jump in time or a pause."""
        with self._lock:
            self._ages_ms.clear()
            self._work_ms.clear()
            self._people = self._not_estimated = 0


def _percentiles(values: Sequence[float]) -> tuple[float, float, float] | None:
    """p50, p95, p99; None if empty."""
    if not values:
        return None
    p50, p95, p99 = np.percentile(values, (50, 95, 99)).tolist()
    return p50, p95, p99
