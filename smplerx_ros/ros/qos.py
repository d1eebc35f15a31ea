"""What to do about peers whose quality of service does not fit ours: they get nothing, so it must be said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.duration import Duration
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import qos_policy_name_from_kind

DELIVERY_S = 0.2  # for readers to have the last messages, before their writer may go


def subscription_events(node: Node, topic: str) -> SubscriptionEventCallbacks:
    """Warn of publishers that offer less than is asked for."""
    text = (
        f"{topic}: a publisher offers an incompatible QoS ({{policy}}), so nothing comes from it; "
        f"set qos_overrides.{topic}.subscription.{{parameter}} to what it offers"
    )
    return SubscriptionEventCallbacks(incompatible_qos=_warning(node, text))


def publisher_events(node: Node, topic: str) -> PublisherEventCallbacks:
    """Warn of subscribers that ask for more than is offered."""
    topic = node.resolve_topic_name(topic)
    text = (
        f"{topic}: a subscriber asks for an incompatible QoS ({{policy}}), so nothing reaches it; "
        f"set qos_overrides.{topic}.publisher.{{parameter}} to what it asks for"
    )
    return PublisherEventCallbacks(incompatible_qos=_warning(node, text))


def delivered(*publishers: Publisher) -> None:
    """Wait a moment until all reliable readers have what was published: a writer that goes takes the rest along."""
    for publisher in publishers:
        publisher.wait_for_all_acked(Duration(seconds=DELIVERY_S))


def _warning(node: Node, text: str) -> Callable[[Any], None]:
    """What logs `text` with the name of the policy that does not fit."""

    def incompatible(event: Any) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        node.get_logger().warning(text.format(policy=policy, parameter=policy.lower()))

    return incompatible
