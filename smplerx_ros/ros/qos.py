"""Quality of service: overrides by parameters, and warnings about incompatible peers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_policy_name_from_kind,
    qos_profile_sensor_data,
)
from rclpy.qos_overriding_options import QoSOverridingOptions

from smplerx_ros.config.parameter import shown
from smplerx_ros.errors import ConfigError
from smplerx_ros.ros.event_callbacks import PublisherEventCallbacks, SubscriptionEventCallbacks

PREFIX = "qos_overrides."
DELIVERY_S = 0.2  # for subscribers to receive the last messages before the publisher is destroyed
PUBLISHER, SUBSCRIPTION = "publisher", "subscription"
_LAST = "lifespan"  # of a publisher's messages: subscriptions have none
_CHOICES: dict[str, Any] = {
    "history": HistoryPolicy,
    "reliability": ReliabilityPolicy,
    "durability": DurabilityPolicy,
    "liveliness": LivelinessPolicy,
}
_DURATIONS = ("deadline", _LAST, "liveliness_lease_duration")  # in nanoseconds
_NUMBERS = ("depth", *_DURATIONS)
_LONGEST_NS = (1 << 63) - 1
_MOST_MESSAGES = (1 << 31) - 1  # rclpy takes a C int
_POLICIES = tuple(QoSPolicyKind[name.upper()] for name in (*_CHOICES, *_NUMBERS))


def sensor_qos(node: Node, topic: str, depth: int) -> QoSProfile:
    """A new sensor data profile with this depth; rclpy writes overrides into it.

    Overriding durability with transient local also sets reliable (unless reliability is overridden as well), because
    DDS delivers earlier messages to reliable subscriptions only.
    """
    qos: QoSProfile = copy.copy(qos_profile_sensor_data)
    qos.depth = depth
    if str(_override(node, f"{PREFIX}{topic}.{SUBSCRIPTION}.durability")).lower() == "transient_local":
        qos.reliability = ReliabilityPolicy.RELIABLE
    return qos


def overriding_options(node: Node, topic: str, entity: str) -> QoSOverridingOptions:
    """Options that allow overriding every policy of a topic's PUBLISHER or SUBSCRIPTION.

    Raises ConfigError for an invalid value.
    """
    for name in override_names(node, topic, entity):
        value = _override(node, name)
        if value is not None:
            _check(name, value)
    return QoSOverridingOptions(_POLICIES)


def override_names(node: Node, topic: str, entity: str) -> list[str]:
    """Names of the parameters that override a topic's policies."""
    prefix = f"{PREFIX}{node.resolve_topic_name(topic)}.{entity}."
    return [f"{prefix}{name}" for name in (*_CHOICES, *_NUMBERS) if (name, entity) != (_LAST, SUBSCRIPTION)]


def numbers_of(qos: QoSProfile) -> dict[str, int]:
    """A profile as numbers, to pass to another process: rmw's enumerators, and nanoseconds."""
    numbers = {name: int(getattr(qos, name).value) for name in _CHOICES}
    return numbers | {"depth": qos.depth} | {name: getattr(qos, name).nanoseconds for name in _DURATIONS}


def qos_of(numbers: Mapping[str, int]) -> QoSProfile:
    """The profile from the numbers of `numbers_of`."""
    choices = {name: kind(numbers[name]) for name, kind in _CHOICES.items()}
    durations = {name: Duration(nanoseconds=numbers[name]) for name in _DURATIONS}
    return QoSProfile(depth=numbers["depth"], **choices, **durations)


def warn_of_unknown_overrides(node: Node, known: Iterable[str]) -> None:
    """Warn of overrides that have no effect, being neither `known` nor declared by an endpoint."""
    names = sorted({*known, *(name for name in node._parameters if name.startswith(PREFIX))})
    for name in node._parameter_overrides:
        if name.startswith(PREFIX) and name not in names:
            close = get_close_matches(name.removeprefix(PREFIX), [other.removeprefix(PREFIX) for other in names], n=1)
            form = f"{PREFIX}<topic>.<{PUBLISHER} or {SUBSCRIPTION}>.<policy>"
            hint = f"did you mean '{PREFIX}{close[0]}'?" if close else f"its form is {form}"
            node.get_logger().warning(
                f"parameter {name!r} has no effect: the node has no such topic, direction or policy ({hint})"
            )


def subscription_events(node: Node, topic: str) -> SubscriptionEventCallbacks:
    """Callbacks that warn of publishers with an incompatible QoS."""
    text = (
        f"{topic}: a publisher offers an incompatible QoS ({{policy}}), so nothing comes from it; "
        f"set {PREFIX}{topic}.{SUBSCRIPTION}.{{parameter}} to what it offers"
    )
    return SubscriptionEventCallbacks(incompatible_qos=_warning(node, text))


def publisher_events(node: Node, topic: str) -> PublisherEventCallbacks:
    """Callbacks that warn of subscribers with an incompatible QoS."""
    topic = node.resolve_topic_name(topic)
    text = (
        f"{topic}: a subscriber asks for an incompatible QoS ({{policy}}), so nothing reaches it; "
        f"set {PREFIX}{topic}.{PUBLISHER}.{{parameter}} to what it asks for"
    )
    return PublisherEventCallbacks(incompatible_qos=_warning(node, text))


def describe_publishers(node: Node, topic: str) -> str:
    """Publishers of a topic: name, type and QoS of each; empty if there are none."""
    return ", ".join(
        f"{'/'.join(('', *filter(None, (*i.node_namespace.split('/'), i.node_name))))} ({i.topic_type}, "
        f"{i.qos_profile.reliability.name.lower()}, {i.qos_profile.durability.name.lower()})"
        for i in node.get_publishers_info_by_topic(topic)
    )


def delivered(*publishers: Publisher) -> None:
    """Wait briefly until reliable subscribers have all messages: a destroyed publisher drops unsent ones."""
    for publisher in publishers:
        publisher.wait_for_all_acked(Duration(seconds=DELIVERY_S))


def _override(node: Node, name: str) -> Any:
    given: Parameter | None = node._parameter_overrides.get(name)
    return None if given is None else given.value


def _check(name: str, value: object) -> None:
    policy = name.rpartition(".")[2]
    if policy in _NUMBERS:
        most = _MOST_MESSAGES if policy == "depth" else _LONGEST_NS
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
            return
        allowed = f"0 to {most} {'messages' if policy == 'depth' else 'nanoseconds'}"
    else:
        choices = [choice.name.lower() for choice in _CHOICES[policy] if choice.name != "UNKNOWN"]
        if isinstance(value, str) and value.lower() in choices:
            return
        allowed = " | ".join(dict.fromkeys(choices))
    raise ConfigError(f"parameter {name!r}: {shown(value)} cannot be used; use {allowed}")


def _warning(node: Node, text: str) -> Callable[[Any], None]:
    """A callback that logs `text` with the name of the incompatible policy."""

    def incompatible(event: Any) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        node.get_logger().warning(text.format(policy=policy, parameter=policy.lower()))

    return incompatible
