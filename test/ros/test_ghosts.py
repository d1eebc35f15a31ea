"""Nobody stays on show who is not seen: whatever ends, pauses or kills the node."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest
from fake_estimator import SLOW_S
from graph import Graph
from hri_msgs.msg import IdsList
from lifecycle_msgs.msg import Transition
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_srvs.srv import SetBool
from visualization_msgs.msg import Marker, MarkerArray

LONGEST_S = 2.5  # that somebody may stay on show: the lifetime of 2 s, and a busy machine's own delays


class Rviz:
    """What RViz shows: markers until they are deleted or their lifetime, counted from their arrival, is over."""

    def __init__(self, graph: Graph) -> None:
        self._until: dict[tuple[str, int], float] = {}
        self.deleted: set[tuple[str, int]] = set()
        graph.node.create_subscription(MarkerArray, "/smplerx/markers", self._take, QoSProfile(depth=50))

    @property
    def shown(self) -> set[tuple[str, int]]:
        return {key for key, until in self._until.items() if time.monotonic() < until}

    @property
    def left(self) -> set[tuple[str, int]]:
        """What only its lifetime takes down."""
        return set(self._until)

    def _take(self, message: MarkerArray) -> None:
        for marker in message.markers:
            key = (marker.ns, marker.id)
            if marker.action == Marker.DELETE:
                self._until.pop(key, None)
                self.deleted.add(key)
                continue
            lifetime = marker.lifetime.sec + marker.lifetime.nanosec * 1e-9
            self._until[key] = time.monotonic() + (lifetime or float("inf"))


@pytest.fixture
def rviz(graph: Graph) -> Rviz:
    return Rviz(graph)


@pytest.fixture
def tracked(graph: Graph) -> list[Any]:
    """Lists of tracked bodies, as they come."""
    arrived: list[Any] = []
    latched = QoSProfile(depth=50, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    graph.node.create_subscription(IdsList, "/humans/bodies/tracked", arrived.append, latched)
    return arrived


def seen(graph: Graph, rviz: Rviz, tracked: list[Any]) -> None:
    graph.connect()
    graph.spin_until(lambda: graph.estimate() and rviz.shown and tracked and tracked[-1].ids)


def test_a_node_that_is_killed_leaves_nobody(graph: Graph, start_node: Any, rviz: Rviz, tracked: list[Any]) -> None:
    node = start_node()
    seen(graph, rviz, tracked)
    node.kill()
    graph.spin_until(lambda: not rviz.shown, timeout=LONGEST_S)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_node_that_ends_deletes_everybody(
    graph: Graph, start_node: Any, rviz: Rviz, tracked: list[Any], number: signal.Signals
) -> None:
    node = start_node()
    seen(graph, rviz, tracked)
    assert node.stop(number)[0] == 0
    graph.spin_until(lambda: not rviz.left and not tracked[-1].ids, timeout=LONGEST_S)


def test_a_node_that_is_disabled_shows_nobody(graph: Graph, start_node: Any, rviz: Rviz, tracked: list[Any]) -> None:
    start_node()
    seen(graph, rviz, tracked)
    assert graph.call(SetBool, "/smplerx/enable", SetBool.Request(data=False)).success
    graph.spin_until(lambda: not rviz.left and not tracked[-1].ids, timeout=LONGEST_S)
    assert graph.call(SetBool, "/smplerx/enable", SetBool.Request(data=True)).success
    seen(graph, rviz, tracked)


def test_what_is_estimated_while_the_node_is_disabled_is_not_shown(
    graph: Graph, start_node: Any, rviz: Rviz, tracked: list[Any]
) -> None:
    start_node("weights:=slow")
    seen(graph, rviz, tracked)
    graph.images.publish(graph.image())
    for _ in range(4):
        graph.spin_once()
    assert graph.call(SetBool, "/smplerx/enable", SetBool.Request(data=False)).success
    people = len(graph.people)
    end = time.monotonic() + 2 * SLOW_S
    while time.monotonic() < end:
        graph.spin_once()
    assert len(graph.people) == people
    assert not rviz.left
    assert not tracked[-1].ids


def test_a_node_that_is_deactivated_shows_nobody(graph: Graph, start_node: Any, rviz: Rviz, tracked: list[Any]) -> None:
    start_node()
    seen(graph, rviz, tracked)
    assert graph.transition(Transition.TRANSITION_DEACTIVATE)
    graph.spin_until(lambda: not rviz.left and not tracked[-1].ids, timeout=LONGEST_S)
    assert graph.transition(Transition.TRANSITION_ACTIVATE)
    seen(graph, rviz, tracked)


def test_a_camera_that_falls_silent_shows_nobody(graph: Graph, start_node: Any, rviz: Rviz, tracked: list[Any]) -> None:
    start_node()
    seen(graph, rviz, tracked)
    graph.spin_until(lambda: not rviz.shown, timeout=LONGEST_S)
    graph.spin_until(lambda: not rviz.left and not tracked[-1].ids)
    seen(graph, rviz, tracked)
