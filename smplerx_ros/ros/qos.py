"""What to do about peers whose quality of service does not fit ours: they get nothing, so it must be said."""

from __future__ import annotations

from typing import Any

from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import qos_policy_name_from_kind


def subscription_events(node: Node, topic: str) -> SubscriptionEventCallbacks:
    """Warn of publishers that offer less than is asked for."""

    def incompatible(event: Any) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        node.get_logger().warning(
            f"{topic}: a publisher offers an incompatible QoS ({policy}), so nothing comes from it; "
            f"set qos_overrides.{topic}.subscription.{policy.lower()} to what it offers"
        )

    return SubscriptionEventCallbacks(incompatible_qos=incompatible)


def publisher_events(node: Node, topic: str) -> PublisherEventCallbacks:
    """Warn of subscribers that ask for more than is offered."""
    topic = node.resolve_topic_name(topic)

    def incompatible(event: Any) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        node.get_logger().warning(
            f"{topic}: a subscriber asks for an incompatible QoS ({policy}), so nothing reaches it; "
            f"set qos_overrides.{topic}.publisher.{policy.lower()} to what it asks for"
        )

    return PublisherEventCallbacks(incompatible_qos=incompatible)
