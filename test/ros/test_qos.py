"""Overrides of quality of service: every policy acts, and a name that fits nothing is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from graph import Graph
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, LivelinessPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo
from smplerx_ros.msg import PersonArray

from smplerx_ros.ros.node.node import SmplerxNode
from smplerx_ros.ros.qos import numbers_of, qos_of

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def test_a_camera_info_that_was_published_once_and_latched_is_received(graph: Graph, start_node: Any) -> None:
    graph.node.destroy_publisher(graph.infos)
    graph.infos = graph.node.create_publisher(CameraInfo, "camera_info", LATCHED)
    graph.infos.publish(graph.info())
    start_node("qos_overrides./camera_info.subscription.durability:=transient_local", "camera_info_timeout:=60.0")
    graph.connect()

    def answered() -> PersonArray | None:
        graph.images.publish(graph.image())
        for _ in range(4):
            graph.spin_once()
        return graph.people[-1] if graph.people else None

    assert graph.spin_until(answered).camera_source != PersonArray.CAMERA_SOURCE_DEFAULT_FOV


def test_people_can_be_latched_for_those_who_come_late(graph: Graph, start_node: Any) -> None:
    start_node("qos_overrides./smplerx/people.publisher.durability:=transient_local")
    graph.connect()
    stamp = graph.estimate().header.stamp
    late: list[PersonArray] = []
    graph.node.create_subscription(PersonArray, "/smplerx/people", late.append, LATCHED)
    graph.spin_until(lambda: late)
    assert late[-1].header.stamp.sec >= stamp.sec


IMAGE = "did you mean 'qos_overrides./image.subscription."


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("qos_overrides./imag.subscription.reliability", f"{IMAGE}reliability'"),
        ("qos_overrides./image.subscription.reliabilty", f"{IMAGE}reliability'"),
        ("qos_overrides.image.subscription.depth", f"{IMAGE}depth'"),
        ("qos_overrides./image.publisher.reliability", "no such topic, direction or policy"),
        ("qos_overrides./image.subscription.lifespan", "no such topic, direction or policy"),
        ("qos_overrides./depth.subscription.depth", "no such topic, direction or policy"),
        ("qos_overrides.everything", "its form is qos_overrides.<topic>.<publisher or subscription>.<policy>"),
    ],
)
def test_overrides_that_fit_nothing_are_told(
    make_node: Any,
    capfd: pytest.CaptureFixture[str],
    name: str,
    hint: str,
) -> None:
    node: SmplerxNode = make_node({name: "reliable"})
    node.trigger_configure()
    told = capfd.readouterr().err
    assert f"parameter '{name}' has no effect" in told
    assert hint in told


def test_overrides_that_fit_are_not_told(make_node: Any, capfd: pytest.CaptureFixture[str]) -> None:
    values = {
        "cameras": ["front"],
        "depth.enabled": True,
        "qos_overrides./front/image.subscription.depth": 3,
        "qos_overrides./front/depth.subscription.reliability": "reliable",
        "qos_overrides./diagnostics.publisher.depth": 3,
        "qos_overrides./smplerx/front/overlay.publisher.reliability": "best_effort",
        "qos_overrides./humans/bodies/tracked.publisher.deadline": 1_000_000_000,
    }
    node: SmplerxNode = make_node(values)
    node.trigger_configure()
    node.trigger_activate()
    assert "has no effect" not in capfd.readouterr().err
    depths = {s.topic_name: s.qos_profile.depth for s in node.subscriptions}
    assert depths["/front/image"] == 3
    (tracked,) = (p for p in node.publishers if p.topic_name == "/humans/bodies/tracked")
    assert tracked.qos_profile.deadline.nanoseconds == 1_000_000_000
    assert tracked.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL


def test_a_profile_for_another_process_has_every_policy() -> None:
    hour = Duration(seconds=3600)
    usual = QoSProfile(depth=5)
    other = QoSProfile(
        depth=7,
        history=HistoryPolicy.KEEP_ALL,
        reliability=ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
        deadline=hour,
        lifespan=hour,
        liveliness=LivelinessPolicy.MANUAL_BY_TOPIC,
        liveliness_lease_duration=hour,
    )
    for profile in (usual, other):
        assert qos_of(json.loads(json.dumps(numbers_of(profile)))) == profile


@pytest.mark.parametrize("depth", [2**31, 2**40, 2**63 - 1, -1])
def test_a_depth_that_rclpy_cannot_take_is_named(make_node: Any, depth: int) -> None:
    name = "qos_overrides./image.subscription.depth"
    node: SmplerxNode = make_node({name: depth})
    node.trigger_configure()
    node.trigger_activate()
    assert f"parameter '{name}': {depth} cannot be used; use 0 to 2147483647 messages" in node._failure
