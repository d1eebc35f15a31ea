"""A camera's topics: taken up and left as often as one likes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node

from smplerx_ros.ros.input import CameraInput, InputOptions
from smplerx_ros.ros.statistics import Statistics


@pytest.fixture
def node() -> Iterator[Node]:
    context = Context()
    rclpy.init(context=context)
    made = rclpy.create_node("test_input", context=context)
    yield made
    made.destroy_node()
    rclpy.shutdown(context=context)


def test_subscriptions_leave_nothing_in_the_node(node: Node) -> None:
    """rclpy's callback groups keep a reference to everything that was ever in them."""
    statistics = Statistics(lambda: 0.0, print)
    taken = CameraInput(node, "", lambda _: None, statistics, lambda: 0.0, InputOptions())
    held = []
    for _ in range(3):
        taken.start()
        assert taken.started
        taken.stop()
        held.append((len(node.default_callback_group.entities), len(list(node.waitables))))
    assert held[0] == held[2]
