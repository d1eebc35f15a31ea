"""Counters, the log that does not flood, and the diagnostics made of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus

from smplerx_ros.ros.diagnostics import SUPERSEDED, Health, diagnostics
from smplerx_ros.ros.statistics import LOG_PERIOD_S, Statistics

HEALTHY = Health("active", True, "", "/image", 0.0, False, "lite, standin_anny, onnxruntime")


class Bench:
    """Statistics with a clock to turn and a log to read."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.log: list[str] = []
        self.statistics = Statistics(lambda: self.now, self.log.append)

    def status(self, health: Health = HEALTHY) -> DiagnosticStatus:
        message = diagnostics("/smplerx", Time(sec=1), health, self.statistics.snapshot(), 2.0)
        assert message.header.stamp == Time(sec=1)
        (status,) = message.status
        assert status.name.startswith("/smplerx")
        return status


def test_each_reason_is_logged_at_once_and_then_seldom() -> None:
    bench = Bench()
    for _ in range(100):
        bench.statistics.drop("bad_input", "/image: encoding 'x'")
        bench.statistics.drop("camera_info", "/camera_info: k")
    assert [line.split(" [")[0] for line in bench.log] == ["/image: encoding 'x'", "/camera_info: k"]
    bench.now += LOG_PERIOD_S
    bench.statistics.drop("bad_input", "/image: step 3")
    assert bench.log[-1] == "/image: step 3 [bad_input, and 99 more since the last report]"


def test_what_is_dropped_by_design_is_counted_silently() -> None:
    bench = Bench()
    bench.statistics.drop(SUPERSEDED)
    assert bench.log == []
    status = bench.status()
    assert status.level == DiagnosticStatus.OK
    assert {v.key: v.value for v in status.values}["dropped: superseded"] == "1"


def test_figures() -> None:
    bench = Bench()
    for age in range(101):
        bench.statistics.received()
        bench.statistics.published(float(age), 2)
    bench.statistics.published(None, 3)
    counts = bench.statistics.snapshot()
    assert (counts.received, counts.published, counts.people) == (101, 102, 3)
    assert counts.ages_ms == pytest.approx((50.0, 95.0))
    bench.statistics.clear_ages()
    again = bench.statistics.snapshot()
    assert (again.received, again.published, again.ages_ms) == (0, 0, None)


def test_levels_mean_something() -> None:
    bench = Bench()
    assert (bench.status().level, bench.status().message) == (DiagnosticStatus.OK, "estimating")
    bench.statistics.drop("bad_input", "x")
    status = bench.status()
    assert (status.level, status.message) == (DiagnosticStatus.WARN, "1 x bad_input")
    assert bench.status().level == DiagnosticStatus.OK  # the next period is clean; the total stays
    assert "dropped: bad_input" in {v.key for v in bench.status().values}
    bench.statistics.drop("exception", "x")
    assert bench.status().level == DiagnosticStatus.ERROR
    broken = Health("unconfigured", True, "on_configure failed: x", "", 9.0, False, "")
    cases = {
        "no images on /image for 4 s": (replace(HEALTHY, silent_s=4.0), DiagnosticStatus.WARN),
        "camera_info": (replace(HEALTHY, camera_assumed=True), DiagnosticStatus.WARN),
        "on_configure failed": (broken, DiagnosticStatus.ERROR),
        "inactive": (replace(HEALTHY, state="inactive", silent_s=9.0), DiagnosticStatus.OK),
        "disabled": (replace(HEALTHY, enabled=False, silent_s=9.0), DiagnosticStatus.OK),
    }
    for text, (health, level) in cases.items():
        status = bench.status(health)
        assert text in status.message
        assert status.level == level
