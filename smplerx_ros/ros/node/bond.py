"""Heartbeats (bond_core's messages) by which a lifecycle manager notices that the node has ended."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile

TOPIC = "bond"  # relative, as in nav2's manager and nodes
DEPTH = 5  # queue depth of bondcpp's publisher
# Nav2's manager waits half of its `bond_timeout` (4 s) for the first heartbeat, and all of it for each later one.
PERIOD_S, TIMEOUT_S = 0.5, 4.0


class Bond:
    """The node's side of a bond: a heartbeat at `start` and every `PERIOD_S`, and a final message at `stop`.

    The manager's heartbeats are not monitored: the node keeps running without it. Heartbeats are sent by the node's
    executor, so that a hanging executor breaks the bond as well.
    """

    def __init__(self, node: LifecycleNode, status_type: type[Any]) -> None:
        self._node = node
        self._status_type = status_type
        self._instance = ""  # id of the current bond; empty: none
        self._publisher = node.create_publisher(status_type, TOPIC, QoSProfile(depth=DEPTH))
        self._timer = node.create_timer(PERIOD_S, self._beat, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._timer.cancel()

    @classmethod
    def create(cls, node: LifecycleNode) -> Bond | None:
        """A bond; None, with a log message, if bond_core's messages are not installed."""
        try:
            from bond.msg import Status
        except ImportError:
            node.get_logger().info(
                "bond is not installed: no heartbeats for a lifecycle manager; set Nav2's bond_timeout to 0.0"
            )
            return None
        return cls(node, Status)

    def start(self) -> None:
        """Start a bond."""
        self._instance = str(uuid4())
        self._beat()
        self._timer.reset()

    def stop(self) -> None:
        """End the bond, if any. The manager is notified and does not treat it as a failure."""
        self._timer.cancel()
        if self._instance and self._node.context.ok():
            self._publish(active=False)
        self._instance = ""

    def _beat(self) -> None:
        if self._instance:
            self._publish(active=True)

    def _publish(self, *, active: bool) -> None:
        status = self._status_type(
            id=self._node.get_name(),
            instance_id=self._instance,
            active=active,
            heartbeat_timeout=TIMEOUT_S,
            heartbeat_period=PERIOD_S,
        )
        status.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(status)
