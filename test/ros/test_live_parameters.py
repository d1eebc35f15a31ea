"""Parameters that change while the node runs: at once, from the next image on, or with a reason why not."""

from __future__ import annotations

from typing import Any

import pytest
from graph import Graph
from lifecycle_msgs.msg import Transition
from test_detections import detection, seen_with, vision_msgs

CROWD = [detection(20 + 10 * k, 60, 15, 40, person=0.9) for k in range(6)]


@pytest.fixture
def crowd(graph: Graph, start_node: Any) -> Any:
    """The node before six people; asks how many it estimates, and leaves out."""
    node = start_node("detector:=topic", "max_people:=4", "camera_info_timeout:=0.0")
    publisher = graph.node.create_publisher(vision_msgs.Detection2DArray, "detections", 5)
    graph.connect()
    graph.spin_until(publisher.get_subscription_count)

    def ask() -> tuple[int, int]:
        people = seen_with(graph, publisher, *CROWD)
        return len(people.people), people.num_not_estimated

    return node, ask


def test_a_live_parameter_acts_on_the_next_image(graph: Graph, crowd: Any) -> None:
    node, ask = crowd
    assert ask() == (4, 2)
    assert graph.set_parameter("max_people", 2).successful
    assert ask() == (2, 4)
    refused = graph.set_parameter("max_people", 0)
    assert not refused.successful
    assert "out of range" in refused.reason
    assert ask() == (2, 4)
    graph.diagnostic(lambda level, message, values: values.get("people not estimated") == "4" and ask())
    assert node.alive()


def test_a_change_while_inactive_counts_after_activation(graph: Graph, crowd: Any) -> None:
    _, ask = crowd
    assert ask() == (4, 2)
    assert graph.transition(Transition.TRANSITION_DEACTIVATE)
    assert graph.set_parameter("max_people", 3).successful
    assert graph.transition(Transition.TRANSITION_ACTIVATE)
    graph.connect()
    assert ask() == (3, 3)
