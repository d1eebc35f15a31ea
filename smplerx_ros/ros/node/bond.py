"""Heartbeats by which a lifecycle manager notices that the node has ended, in the messages of bond_core."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile

TOPIC = "bond"  # relative, as nav2's manager and nodes have it
DEPTH = 5  # of bondcpp's publisher
# Nav2's manager waits half of its `bond_timeout` (4 s) for the first heartbeat, and the whole of it for each later one.
PERIOD_S, TIMEOUT_S = 0.5, 4.0


class Bond:
    """The node's side: a heartbeat at `start`, then every `PERIOD_S`, and a last message at `stop` that ends the bond.

    The other side's heartbeats are not listened to: the node goes on without its manager. Heartbeats come from the
    node's executor, so that one that hangs breaks the bond, too.
    """

    def __init__(self, node: LifecycleNode, status_type: type[Any]) -> None:
        self._node = node
        self._status_type = status_type
        self._instance = ""  # of the present bond; empty: there is none
        self._publisher = node.create_publisher(status_type, TOPIC, QoSProfile(depth=DEPTH))
        self._timer = node.create_timer(PERIOD_S, self._beat, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._timer.cancel()

    @classmethod
    def create(cls, node: LifecycleNode) -> Bond | None:
        """None where bond_core's messages are not installed, which the log says."""
        try:
            from bond.msg import Status
        except ImportError:
            node.get_logger().info(
                "bond is not installed: no heartbeats for a lifecycle manager; Nav2's needs bond_timeout: 0.0"
            )
            return None
        return cls(node, Status)

    def start(self) -> None:
        """Begin a bond."""
        self._instance = str(uuid4())
        self._beat()
        self._timer.reset()

    def stop(self) -> None:
        """End the bond, if there is one: the other side is notified, and takes it for no failure."""
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
