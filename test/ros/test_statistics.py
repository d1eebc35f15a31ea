"""Counters, the log that does not flood, and the diagnostics made of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus

from smplerx_ros.ros.node.diagnostics import SUPERSEDED, CameraHealth, NodeHealth, diagnostics
from smplerx_ros.ros.node.memory import memory_in_use
from smplerx_ros.ros.statistics import LOG_PERIOD_S, Snapshot, Statistics

BACKEND = {"backbone": "lite", "body model": "standin_anny", "runtime": "CPUExecutionProvider"}
HEALTHY = NodeHealth("active", True, backend=BACKEND, memory={"memory": 3 << 20})
CAMERA = CameraHealth("", "/image", 0.0, False, Snapshot())


class Bench:
    """Statistics with a clock to turn and a log to read."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.log: list[str] = []
        self.statistics = Statistics(lambda: self.now, self.log.append)

    def status(self, node: NodeHealth = HEALTHY, camera: CameraHealth = CAMERA) -> DiagnosticStatus:
        camera = replace(camera, counts=self.statistics.snapshot())
        message = diagnostics("/smplerx", Time(sec=1), node, [camera], 2.0)
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
        bench.statistics.published(float(age), 2, 0, {"backbone": 0.010})
    bench.statistics.published(None, 3, 4, {"backbone": 0.112})
    counts = bench.statistics.snapshot()
    assert (counts.received, counts.published, counts.people) == (101, 102, 3)
    assert counts.not_estimated == 4
    assert counts.ages_ms == pytest.approx((50.0, 95.0, 99.0))
    assert counts.stages_ms == pytest.approx({"backbone": 11.0})
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
    silent = replace(CAMERA, silent_s=9.0)
    cases = {
        "no images on /image for 9 s": (HEALTHY, silent, DiagnosticStatus.WARN),
        "camera_info": (HEALTHY, replace(CAMERA, camera_assumed=True), DiagnosticStatus.WARN),
        "at most 2 people": (replace(HEALTHY, degraded="at most 2 people"), CAMERA, DiagnosticStatus.WARN),
        "on_configure failed": (
            NodeHealth("unconfigured", True, "on_configure failed"),
            silent,
            DiagnosticStatus.ERROR,
        ),
        "inactive": (replace(HEALTHY, state="inactive"), silent, DiagnosticStatus.OK),
        "disabled": (replace(HEALTHY, enabled=False), silent, DiagnosticStatus.OK),
    }
    for text, (node, camera, level) in cases.items():
        status = bench.status(node, camera)
        assert text in status.message
        assert status.level == level


def test_values_say_what_runs_and_what_it_takes() -> None:
    bench = Bench()
    bench.statistics.published(12.0, 2, 3, {"detection": 0.001, "total": 0.010})
    values = {value.key: value.value for value in bench.status().values}
    assert BACKEND.items() <= values.items()
    assert (values["people"], values["people not estimated"], values["degraded"]) == ("2", "3", "no")
    assert (values["stage total (ms)"], values["age p99 (ms)"], values["memory (MiB)"]) == ("10.0", "12.0", "3")


def test_each_camera_has_its_status_and_a_node_without_has_one() -> None:
    front = replace(CAMERA, name="front", image_topic="/front/image")
    left = replace(CAMERA, name="left", silent_s=9.0)
    message = diagnostics("/smplerx", Time(), HEALTHY, [front, left], 1.0)
    assert [status.name for status in message.status] == ["/smplerx: front", "/smplerx: left"]
    assert [status.level for status in message.status] == [DiagnosticStatus.OK, DiagnosticStatus.WARN]
    assert message.status[0].hardware_id == "/front/image"
    (alone,) = diagnostics("/smplerx", Time(), NodeHealth("unconfigured", True), [], 1.0).status
    assert (alone.level, alone.message) == (DiagnosticStatus.OK, "unconfigured")


def test_memory_of_this_process_is_known_here() -> None:
    assert 1 << 20 < memory_in_use()["memory"] < 1 << 40
