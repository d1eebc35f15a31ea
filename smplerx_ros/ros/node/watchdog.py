"""Detection of hanging calls, to be checked from a separate thread, since the executor itself may hang."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass
class _Activity:
    name: str
    began: float
    limit_s: float
    thread: threading.Thread
    reported: bool = False


class Watchdog:
    """Records which calls are running and since when.

    Args:
        seconds: A steady clock.
        report: Called with one message for each call that exceeds its limit.
    """

    def __init__(self, seconds: Callable[[], float], report: Callable[[str], object]) -> None:
        self._seconds = seconds
        self._report = report
        self._lock = threading.Lock()
        self._activities: list[_Activity] = []

    @contextmanager
    def over(self, name: str, limit_s: float) -> Iterator[None]:
        """Watch the body of the `with` statement; it should take no more than `limit_s` seconds."""
        activity = _Activity(name, self._seconds(), limit_s, threading.current_thread())
        with self._lock:
            self._activities.append(activity)
        try:
            yield
        finally:
            with self._lock:
                self._activities = [other for other in self._activities if other is not activity]

    def overdue(self) -> str:
        """A message on the first call that exceeds its limit; empty if none does."""
        now = self._seconds()
        with self._lock:
            late = next((a for a in self._activities if now - a.began > a.limit_s), None)
        if late is None:
            return ""
        text = f"{late.name} has not returned for {now - late.began:.0f} s"
        if not late.reported:
            late.reported = True
            self._report(text)
        return text

    def clear(self) -> None:
        """Forget the calls of other threads, which have been abandoned."""
        with self._lock:
            self._activities = [a for a in self._activities if a.thread is threading.current_thread()]


class PeriodicThread:
    """Calls `action()` every `period_s` seconds in its own thread until stopped; exceptions are logged."""

    def __init__(self, period_s: float, action: Callable[[], None], name: str) -> None:
        self._period_s = period_s
        self._action = action
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop; no call begins after this returns."""
        self._stopped.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._period_s):
            try:
                self._action()
            except Exception:  # the next call may succeed
                log.exception("%s", self._thread.name)
