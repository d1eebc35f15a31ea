"""The bond with a lifecycle manager, as bond_core's other side sees it."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from bond.msg import Status
from graph import Graph
from lifecycle_msgs.msg import Transition

from smplerx_ros.ros.node.bond import PERIOD_S, TIMEOUT_S

CONFIGURE, ACTIVATE = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE
DEACTIVATE = Transition.TRANSITION_DEACTIVATE


def activated(graph: Graph, start_node: Callable[..., Any], *parameters: str) -> tuple[Any, list[Status]]:
    """A node with its heartbeats."""
    beats: list[Status] = graph.listen(Status, "bond")
    node = start_node("autostart:=false", *parameters)
    graph.spin_until(lambda: graph.node.count_publishers("/bond"))
    assert graph.transition(CONFIGURE)
    assert not beats
    assert graph.transition(ACTIVATE)
    return node, beats


def test_the_definition_is_bond_cores() -> None:
    assert Status.get_fields_and_field_types() == {
        "header": "std_msgs/Header",
        "id": "string",
        "instance_id": "string",
        "active": "boolean",
        "heartbeat_timeout": "float",
        "heartbeat_period": "float",
    }


def test_heartbeats_from_activation_to_deactivation(graph: Graph, start_node: Callable[..., Any]) -> None:
    node, beats = activated(graph, start_node)
    graph.spin_until(lambda: len(beats) >= 4)
    assert {(beat.id, beat.active) for beat in beats} == {("smplerx", True)}
    assert len({beat.instance_id for beat in beats}) == 1
    assert beats[0].heartbeat_timeout == TIMEOUT_S
    assert beats[0].heartbeat_period == PERIOD_S
    assert graph.estimate().people  # they stand in nobody's way
    assert graph.transition(DEACTIVATE)
    graph.spin_until(lambda: not beats[-1].active)
    ended = len(beats)
    end = time.monotonic() + 3 * PERIOD_S
    graph.spin_until(lambda: time.monotonic() > end)
    assert len(beats) == ended
    assert graph.transition(ACTIVATE)
    graph.spin_until(lambda: beats[-1].active)
    assert beats[-1].instance_id != beats[0].instance_id  # another bond
    assert node.stop(signal.SIGINT)[0] == 0
    graph.spin_until(lambda: not beats[-1].active)


def test_the_first_heartbeat_is_early_enough_for_nav2(graph: Graph, start_node: Callable[..., Any]) -> None:
    """Its manager asks for one within half of `bond_timeout` after the activation, and subscribes only then."""
    activated(graph, start_node)
    beats: list[Status] = graph.listen(Status, "bond")
    graph.spin_until(lambda: beats, TIMEOUT_S / 2)


def test_a_node_that_is_killed_falls_silent(graph: Graph, start_node: Callable[..., Any]) -> None:
    node, beats = activated(graph, start_node)
    graph.spin_until(lambda: beats)
    node.kill()
    graph.spin_once()
    before, end = len(beats), time.monotonic() + 2 * PERIOD_S
    graph.spin_until(lambda: time.monotonic() > end)
    assert len(beats) <= before + 1  # one may have been on its way
    assert all(beat.active for beat in beats)


def test_a_node_that_starts_itself_has_no_manager_and_no_bond(graph: Graph, start_node: Callable[..., Any]) -> None:
    start_node()
    graph.connect()
    assert graph.node.count_publishers("/bond") == 0


def test_without_the_package_the_node_says_so_and_works(
    make_node: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bond", None)
    monkeypatch.setitem(sys.modules, "bond.msg", None)
    node = make_node()
    assert "/bond" not in [publisher.topic_name for publisher in node.publishers]
    node.trigger_configure()
    node.trigger_activate()
    node.trigger_deactivate()
