"""The executable's executor: what callbacks raise is told, not repeated, and ends nothing."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from smplerx_ros.ros.node.main import _spin


class Failing:
    """An executor whose callbacks fail in one of two places in turn."""

    def __init__(self, stop: threading.Event, times: int) -> None:
        self._stop, self._left = stop, times

    def spin_once(self, timeout_sec: float) -> None:
        self._left -= 1
        if not self._left:
            self._stop.set()
        if self._left % 2:
            raise ValueError(f"one, {self._left}")
        raise ValueError(f"other, {self._left}")


def test_exceptions_of_callbacks_are_told_once_in_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    stop = threading.Event()
    executor: Any = Failing(stop, 200)
    _spin(executor, stop)
    told = capsys.readouterr().err
    assert (told.count("Traceback"), told.count("ValueError: one, "), told.count("ValueError: other, ")) == (2, 1, 1)
