"""Measurement of the node from outside: camera and node are processes, whose messages are timed here.

A bare subscriber is measured first. It does not run at the same time as the node, as it takes a fifth of a core.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from smplerx_ros.errors import SmplerxError
from smplerx_ros.msg import PersonArray
from smplerx_ros.ros.conversions.from_diagnostics import report_of
from smplerx_ros.tools.demo import image_transport, private_graph
from smplerx_ros.tools.processes import Children

from . import node_echo as bench_echo

_NODE = "/smplerx"
_START_S = 180.0  # to load the largest network
_BARE_S = 3.0  # for which the bare subscriber is measured
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Load:
    """Load on the node."""

    size: str = "1280x720"
    copies: int = 1  # of the demo clip in one image
    rate: float = 30.0  # images a second
    seconds: float = 20.0  # of measurement, after `warm_up` seconds
    warm_up: float = 3.0


@dataclass
class _Answers:
    """Ages on arrival in ms, numbers of people, and times in ms that the node reports once a second."""

    ages: list[float] = field(default_factory=list)
    people: list[int] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)
    work: dict[str, list[float]] = field(
        default_factory=dict
    )  # percentiles, from the start of processing to publication
    echoes: list[float] = field(default_factory=list)
    images: int = 0  # published by the camera

    def clear(self) -> None:
        self.images = 0
        for values in (self.ages, self.people, self.stages, self.work, self.echoes):
            values.clear()


class _Listener:
    """Subscribes to people, echoes, diagnostics and camera_info, in a given ROS domain."""

    def __init__(self, domain_id: int) -> None:
        self.answers = _Answers()
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self._node = rclpy.create_node("bench", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        echoes, queue = self.answers.echoes, QoSProfile(depth=50)
        self._node.create_subscription(PersonArray, f"{_NODE}/people", self._estimated, queue)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._reported, queue)
        self._node.create_subscription(
            Header, bench_echo.TOPIC, lambda header: echoes.append(self._age_ms(header)), queue
        )
        self._node.create_subscription(CameraInfo, "camera_info", self._sent, queue)  # small, one per image

    def spin(self, seconds: float) -> None:
        """Process messages for `seconds`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def close(self) -> None:
        """Destroy the node and its context."""
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _sent(self, _: CameraInfo) -> None:
        self.answers.images += 1

    def _age_ms(self, header: Header) -> float:
        return float((self._node.get_clock().now().nanoseconds - Time.from_msg(header.stamp).nanoseconds) * 1e-6)

    def _estimated(self, message: PersonArray) -> None:
        answers = self.answers
        answers.ages.append(self._age_ms(message.header))
        answers.people.append(len(message.people))

    def _reported(self, message: DiagnosticArray) -> None:
        report = report_of(_NODE, message)
        if report is None:
            return
        for kept, times in ((self.answers.stages, report.stages_ms), (self.answers.work, report.work_ms)):
            for name, milliseconds in times.items():
                kept.setdefault(name, []).append(milliseconds)


def measure(load: Load, parameters: Sequence[str]) -> dict[str, Any]:
    """Measure the node with `parameters` ("name:=value"). Raises ChildError or SmplerxError if it fails."""
    environment = private_graph()
    listener = _Listener(int(environment["ROS_DOMAIN_ID"]))
    try:
        with Children(environment) as children:
            bare = _bare_subscriber(children, listener, load)
            cold_start = _started(children, listener, parameters)
            listener.spin(load.warm_up)
            listener.answers.clear()
            node = children.pid("node")
            busy, before = _cpu_seconds(node), _memory(node)
            listener.spin(load.seconds)
            figures = _figures(listener.answers, load.seconds)
            return {
                **figures,
                "bare_subscriber_ms": bare,
                "cpu": (_cpu_seconds(node) - busy) / load.seconds,
                "cold_start_s": cold_start,
                "rss_before_mb": before["rss_mb"],
                **_memory(node),
            }
    finally:
        listener.close()


def _bare_subscriber(children: Children, listener: _Listener, load: Load) -> dict[str, float]:
    """Start the camera, which keeps running; returns percentiles of image ages in a bare subscriber."""
    camera = ["--size", load.size, "--copies", str(load.copies), "--rate", str(load.rate)]
    children.start("camera", "smplerx_ros.tools.bench.node_camera", *camera, environment=image_transport())
    children.start("echo", "smplerx_ros.tools.bench.node_echo")
    while not listener.answers.echoes:
        children.check(("camera", "echo"))
        listener.spin(0.05)
    listener.answers.clear()
    listener.spin(_BARE_S)
    children.end("echo")
    return _percentiles(listener.answers.echoes)


def _started(children: Children, listener: _Listener, parameters: Sequence[str]) -> float:
    """Start the node; returns the seconds until its first result."""
    settings = [part for text in parameters for part in ("-p", text)]
    begun = time.monotonic()
    children.start("node", "smplerx_ros.ros.node.main", "--ros-args", *settings)
    while not listener.answers.ages:
        children.check(("camera", "node"))
        listener.spin(0.01)
        if time.monotonic() > begun + _START_S:
            raise SmplerxError(f"the node published no result within {_START_S:g} s: {children.log('node')}")
    return time.monotonic() - begun


def _figures(answers: _Answers, seconds: float) -> dict[str, Any]:
    """Results of `seconds` of measurement."""
    return {
        "rate": len(answers.ages) / seconds,
        "camera_rate": answers.images / seconds,
        "people": float(np.mean(answers.people)) if answers.people else 0.0,
        "age_ms": _percentiles(answers.ages),
        "work_ms": {name: float(np.median(times)) for name, times in answers.work.items()},
        "stages_ms": {name: float(np.median(times)) for name, times in answers.stages.items()},
    }


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {name: float(value) for name, value in zip(("p50", "p95"), np.percentile(values, (50, 95)), strict=True)}


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process (proc(5): fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory(pid: int) -> dict[str, float]:
    """Current and peak resident memory of a process, MB."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        key: int(status[name].split()[0]) * 1024 / 1e6 for key, name in (("rss_mb", "VmRSS"), ("peak_rss_mb", "VmHWM"))
    }
