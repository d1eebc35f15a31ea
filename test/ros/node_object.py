"""The node as an object in the test's own process, with an estimator that notes what is done to it."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import rclpy
from fake_estimator import FakeEstimator
from rclpy.context import Context
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from smplerx_ros.ros.conversions.image import message_from_image
from smplerx_ros.ros.node.node import SmplerxNode
from smplerx_ros.ros.node.stream import Arrival


class Noted(FakeEstimator):
    """Notes what is changed, and that it was closed."""

    made: list[Noted] = []  # noqa: RUF012

    def __init__(self, values: Any) -> None:
        super().__init__(values)
        self.updates: list[dict[str, Any]] = []
        self.closed = 0
        Noted.made.append(self)

    def update(self, values: Any) -> None:
        super().update(values)
        self.updates.append(dict(values))

    def close(self, timeout: float) -> bool:
        self.closed += 1
        return True


@contextmanager
def own_context(nodes: list[SmplerxNode]) -> Iterator[Context]:
    """A ROS context; `nodes` are what the test makes in it, and are gone from the graph afterwards.

    Lifecycle nodes lie in reference cycles. Uncollected, they stay in the graph, and later tests that ask for the node
    `smplerx` find them instead of their own.
    """
    context = Context()
    rclpy.init(context=context)
    try:
        yield context
    finally:
        while nodes:
            _end(nodes.pop())
        rclpy.shutdown(context=context)
        gc.collect()


def _end(node: SmplerxNode) -> None:
    node.stop()
    node.destroy_node()


def make_node(context: Context, parameters: dict[str, Any]) -> SmplerxNode:
    """A node that stays unconfigured, and never waits for camera_info."""
    values = {"autostart": False, "camera_info_timeout": 0.0, **parameters}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    return SmplerxNode(estimator_factory=Noted, context=context, parameter_overrides=overrides)


def held(node: SmplerxNode) -> Counter[str]:
    """How much of everything a node has."""
    kinds = ("publishers", "subscriptions", "timers", "services", "clients", "guards", "waitables")
    return Counter({kind: len(list(getattr(node, kind))) for kind in kinds})


def arrival(stamp_s: int) -> Arrival:
    message = message_from_image(np.full((120, 160, 3), 90, np.uint8), Image())
    message.header.stamp.sec = stamp_s
    return Arrival(message, 0.0)
