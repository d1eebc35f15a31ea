"""The check on a real graph: our own node passes while people come and go; providers broken on purpose do not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from graph import BLACK, GREY, Graph
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rep155_people import Provider, somebody
from std_msgs.msg import Header

from smplerx_ros.rep155 import people as people_module
from smplerx_ros.rep155.conformance.report import BREAKS, CONFORMS, NOTHING, exit_code, report
from smplerx_ros.rep155.conformance.requirements import FAIL, NOT_SEEN, PASS, judge
from smplerx_ros.rep155.presence import Presence
from smplerx_ros.ros.humans import topics as topics_module
from smplerx_ros.ros.humans.provider import Provider as OurProvider
from smplerx_ros.ros.humans.topics import BodyTopics, Topics
from smplerx_ros.ros.humans.watcher import watch

P1, P2 = somebody("p1"), somebody("p2", 1)


@pytest.fixture
def provider(graph: Graph) -> Iterator[Provider]:
    made = Provider(graph)
    yield made
    made.destroy()


def test_our_provider_passes_while_people_come_and_go(graph: Graph, provider: Provider) -> None:
    with provider.running((2.5, (P1,)), (2.5, (P1, P2)), (2.0, (P2,)), (0.0, ())):
        recording = watch(11.0, graph.context)
    findings = judge(recording)
    text = report(findings, recording)
    assert exit_code(findings, recording) == CONFORMS, text
    assert not [f.requirement.name for f in findings if f.verdict in (FAIL, NOT_SEEN)], text
    assert "2 bodies, 2 faces; 0 requirements broken" in text


def test_the_node_passes_while_somebody_comes_and_goes(graph: Graph, start_node: Any) -> None:
    start_node()
    graph.connect()
    stop, begin = threading.Event(), time.monotonic()

    def camera() -> None:
        while not stop.wait(0.1):
            scene = int((time.monotonic() - begin) / 3.0)  # there, gone, back, gone for good
            image = graph.image(GREY if scene in (0, 2) else BLACK)
            info = graph.info()
            info.header = image.header
            graph.infos.publish(info)
            graph.images.publish(image)

    thread = threading.Thread(target=camera)
    thread.start()
    try:
        recording = watch(13.0, graph.context)
    finally:
        stop.set()
        thread.join()
    findings = judge(recording)
    assert exit_code(findings, recording) == CONFORMS, report(findings, recording)
    assert {"stale-topics", "empty-list", "joint-limits"} <= {f.requirement.name for f in findings if f.verdict == PASS}


def now_stamps(monkeypatch: pytest.MonkeyPatch) -> None:
    publish = BodyTopics.publish_joint_states

    def late(self: Any, header: Header, angles: list[float]) -> None:
        later = Time(sec=header.stamp.sec, nanosec=(header.stamp.nanosec + 7_000_000) % 1_000_000_000)
        publish(self, Header(frame_id=header.frame_id, stamp=later), angles)

    monkeypatch.setattr(BodyTopics, "publish_joint_states", late)


def best_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    unreliable = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
    monkeypatch.setattr(topics_module, "RESULTS", unreliable)


def volatile_urdf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics_module, "LATCHED", QoSProfile(depth=1))


def topics_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Topics, "destroy", lambda self: None)


def nobody_ever_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Presence, "_over", lambda *_: False)


def smplx_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    right = people_module.body_frames

    def wrong(rotations: np.ndarray, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return rotations[:, 0], right(rotations, joints)[1]

    monkeypatch.setattr(people_module, "body_frames", wrong)


def no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    right = people_module.joint_angles

    def wrong(*arguments: Any) -> Any:
        angles = right(*arguments)
        return replace(angles, values=angles.values - 3.0)

    monkeypatch.setattr(people_module, "joint_angles", wrong)


def no_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    publish = OurProvider.publish
    monkeypatch.setattr(
        OurProvider, "publish", lambda self, *arguments, cropped: publish(self, *arguments, cropped=False)
    )


BROKEN: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "stamps": now_stamps,
    "reliable": best_effort,
    "urdf": volatile_urdf,
    "stale-topics": topics_that_stay,
    "empty-list": nobody_ever_leaves,
    "body-axes": smplx_axes,
    "joint-limits": no_limits,
    "required-topics": no_crops,
}


@pytest.mark.parametrize("requirement", BROKEN)
def test_a_broken_provider_fails_and_hears_which_requirement_it_broke(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, requirement: str
) -> None:
    BROKEN[requirement](monkeypatch)
    provider = Provider(graph)
    with provider.running((3.0, (P1,)), (0.0, ())):
        recording = watch(7.0, graph.context)
    findings = judge(recording)
    text = report(findings, recording)
    assert exit_code(findings, recording) == BREAKS, text
    assert {finding.requirement.name for finding in findings if finding.verdict == FAIL} == {requirement}, text
    provider.destroy()


def test_the_command_says_that_it_saw_nobody(graph: Graph) -> None:
    command = [sys.executable, "-m", "smplerx_ros", "rep155-check", "--seconds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=os.environ)
    assert done.returncode == NOTHING, done.stdout + done.stderr
    assert "no body or face was tracked" in done.stdout


def test_the_command_judges_a_running_provider(graph: Graph, provider: Provider) -> None:
    command = [sys.executable, "-m", "smplerx_ros", "rep155-check", "--seconds", "5"]
    with provider.running((0.0, (P1,))):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=os.environ)
    assert done.returncode == CONFORMS, done.stdout + done.stderr
    assert "pass      body-axes" in done.stdout
