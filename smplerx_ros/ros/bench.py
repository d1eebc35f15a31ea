"""The node measured from outside: camera, node and a bare subscriber as processes, their answers timed here."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from ..errors import SmplerxError
from ..msg import PersonArray
from . import bench_echo
from .children import Children
from .demo import image_transport, private_graph

_START_S = 180.0  # to load the largest network
_PROCESSES = ("camera", "echo", "node")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Load:
    """What the node is given."""

    size: str = "1280x720"
    copies: int = 1  # of the demo clip in one image
    rate: float = 30.0  # images a second
    seconds: float = 20.0  # measured, after `warm_up`
    warm_up: float = 3.0


@dataclass
class _Answers:
    """Ages on arrival in ms, numbers of people, stages in ms."""

    ages: list[float] = field(default_factory=list)
    people: list[int] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)
    inside: list[float] = field(default_factory=list)  # from the image's arrival in the node, waiting included
    service: list[float] = field(default_factory=list)  # of that, the work
    echoes: list[float] = field(default_factory=list)

    def clear(self) -> None:
        for values in (self.ages, self.people, self.stages, self.inside, self.service, self.echoes):
            values.clear()


def measure(load: Load, parameters: Sequence[str]) -> dict[str, Any]:
    """Figures of the node with `parameters` ("name:=value"); raises ChildError or SmplerxError where it fails."""
    environment = private_graph()
    context = Context()
    rclpy.init(context=context, domain_id=int(environment["ROS_DOMAIN_ID"]))
    listener = rclpy.create_node("bench", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(listener)
    answers = _Answers()

    def age(header: Header) -> float:
        stamp = header.stamp.sec * 1_000_000_000 + header.stamp.nanosec
        return (listener.get_clock().now().nanoseconds - stamp) * 1e-6

    def estimated(message: PersonArray) -> None:
        answers.ages.append(age(message.header))
        answers.people.append(len(message.people))
        stages = {stage.name: stage.duration.sec * 1e3 + stage.duration.nanosec * 1e-6 for stage in message.stages}
        for name, milliseconds in stages.items():
            answers.stages.setdefault(name, []).append(milliseconds)
        answers.inside.append(sum(stages.values()))
        answers.service.append(answers.inside[-1] - stages.get("wait", 0.0))

    listener.create_subscription(PersonArray, "/smplerx/people", estimated, QoSProfile(depth=50))
    listener.create_subscription(
        Header, bench_echo.TOPIC, lambda header: answers.echoes.append(age(header)), QoSProfile(depth=50)
    )

    def spin(seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            executor.spin_once(timeout_sec=left)

    try:
        with Children(environment) as children:
            camera = ["--size", load.size, "--copies", str(load.copies), "--rate", str(load.rate)]
            children.start("camera", "smplerx_ros.ros.bench_camera", *camera, environment=image_transport())
            children.start("echo", "smplerx_ros.ros.bench_echo")
            while not answers.echoes:
                children.check(_PROCESSES[:2])
                spin(0.05)
            settings = [part for text in parameters for part in ("-p", text)]
            begun = time.monotonic()
            children.start("node", "smplerx_ros.ros.estimator_main", "--ros-args", *settings)
            while not answers.ages:
                children.check(_PROCESSES)
                spin(0.01)
                if time.monotonic() > begun + _START_S:
                    raise SmplerxError(f"the node answered nothing within {_START_S:g} s: {children.log('node')}")
            cold_start = time.monotonic() - begun
            spin(load.warm_up)
            answers.clear()
            busy, before = _cpu_seconds(children.pid("node")), _memory(children.pid("node"))
            spin(load.seconds)
            busy = _cpu_seconds(children.pid("node")) - busy
            return {
                "rate": len(answers.ages) / load.seconds,
                "arrived_rate": len(answers.echoes) / load.seconds,  # at the bare subscriber
                "people": float(np.mean(answers.people)) if answers.people else 0.0,
                "age_ms": _percentiles(answers.ages),
                "inside_ms": _percentiles(answers.inside),
                "service_ms": _percentiles(answers.service),
                "bare_subscriber_ms": _percentiles(answers.echoes),
                "stages_ms": {name: float(np.median(times)) for name, times in answers.stages.items()},
                "cpu": busy / load.seconds,
                "cold_start_s": cold_start,
                "rss_before_mb": before["rss_mb"],
                **_memory(children.pid("node")),
            }
    finally:
        executor.shutdown()
        listener.destroy_node()
        rclpy.shutdown(context=context)


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {name: float(value) for name, value in zip(("p50", "p95"), np.percentile(values, (50, 95)), strict=True)}


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process (proc(5): fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory(pid: int) -> dict[str, float]:
    """Resident memory of a process now and at most, MB."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        key: int(status[name].split()[0]) * 1024 / 1e6 for key, name in (("rss_mb", "VmRSS"), ("peak_rss_mb", "VmHWM"))
    }
