"""The package uses only what rclpy has in Humble, the oldest distribution supported (ros2/rclpy, branch humble)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import smplerx_ros
from support.paths import ROOT

# What Humble's rclpy 3.3 has of the names that later distributions have, too.
NAMES = {
    "rclpy": set(),
    "rclpy.callback_groups": {"CallbackGroup", "MutuallyExclusiveCallbackGroup", "ReentrantCallbackGroup"},
    "rclpy.clock": {"Clock", "ClockChange", "ClockType", "JumpHandle", "JumpThreshold", "ROSClock", "TimeJump"},
    "rclpy.context": {"Context"},
    "rclpy.duration": {"Duration", "Infinite"},
    "rclpy.exceptions": {"InvalidParameterTypeException", "ParameterNotDeclaredException"},
    "rclpy.executors": {"Executor", "ExternalShutdownException", "MultiThreadedExecutor", "SingleThreadedExecutor"},
    "rclpy.impl.implementation_singleton": {"rclpy_implementation"},
    "rclpy.impl.rcutils_logger": {"RcutilsLogger"},
    "rclpy.lifecycle": {"LifecycleNode", "LifecycleState", "Node", "State", "TransitionCallbackReturn"},
    "rclpy.node": {"Node", "ParameterNotDeclaredException"},
    "rclpy.parameter": {"Parameter"},
    "rclpy.publisher": {"Publisher"},
    "rclpy.qos": {
        *("DurabilityPolicy", "HistoryPolicy", "LivelinessPolicy", "QoSPolicyKind", "QoSPresetProfiles", "QoSProfile"),
        *("ReliabilityPolicy", "qos_policy_name_from_kind", "qos_profile_parameters", "qos_profile_sensor_data"),
    },
    "rclpy.qos_event": {"PublisherEventCallbacks", "SubscriptionEventCallbacks"},
    "rclpy.qos_overriding_options": {"QoSOverridingOptions"},
    "rclpy.signals": {"SignalHandlerOptions"},
    "rclpy.subscription": {"Subscription"},
    "rclpy.time": {"Time"},
    "rclpy.timer": {"Timer"},
    "rclpy.utilities": {"get_default_context", "remove_ros_args"},
}
# Modules that choose between distributions, with what they import of later ones.
CHOICES = {"smplerx_ros/ros/event_callbacks.py": {"rclpy.event_handler"}}
KEYWORDS = {
    "create_publisher": {"callback_group", "event_callbacks", "qos_overriding_options", "publisher_class"},
    "create_subscription": {"callback_group", "event_callbacks", "qos_overriding_options", "raw"},
    "create_service": {"qos_profile", "callback_group"},
    "create_client": {"qos_profile", "callback_group"},
    "create_timer": {"callback_group", "clock"},
}
PACKAGE = Path(smplerx_ros.__file__).parent
FILES = {
    f"{folder.name}/{path.relative_to(folder).as_posix()}": path
    for folder in (PACKAGE, ROOT / "launch")
    for path in sorted(folder.rglob("*.py"))
}


def nodes(path: Path) -> Iterator[ast.AST]:
    yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", FILES)
def test_names_of_rclpy_are_humbles(name: str) -> None:
    later = CHOICES.get(name, set())
    for node in nodes(FILES[name]):
        if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".")[0] != "rclpy" or node.module in later:
            continue
        assert {alias.name for alias in node.names} <= NAMES.get(node.module or "", set()), node.module


@pytest.mark.parametrize("name", FILES)
def test_arguments_of_a_nodes_methods_are_humbles(name: str) -> None:
    for node in nodes(FILES[name]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in KEYWORDS:
            assert {word.arg for word in node.keywords if word.arg} <= KEYWORDS[node.func.attr], ast.unparse(node)


def test_each_choice_falls_back_to_humble() -> None:
    for name, later in CHOICES.items():
        handlers = [handler for node in nodes(FILES[name]) if isinstance(node, ast.Try) for handler in node.handlers]
        imports = [node for handler in handlers for node in ast.walk(handler) if isinstance(node, ast.ImportFrom)]
        modules = {node.module for node in imports}
        assert modules
        assert modules <= NAMES.keys() - later
