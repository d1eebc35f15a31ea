"""Parameters as users write them: in a file, on the command line, with `ros2 param set`; taken, or refused by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from launch_files import load_launch_file, stand_in
from node_object import Noted, own_context
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter, get_parameter_value

from smplerx_ros.config.table import PARAMETERS, ROS_PARAMETERS
from smplerx_ros.errors import ConfigError
from smplerx_ros.ros.node.node import SmplerxNode

TABLE = {parameter.name: parameter for parameter in (*PARAMETERS, *ROS_PARAMETERS)}
# Name, YAML, and what the node makes of it.
USABLE = [
    ("detection.class", "0", "0"),
    ("detection.class", '"0"', "0"),
    ("detection.topic_class", "1", "1"),
    ("person_height", "2", 2.0),
    ("detection.threshold", "1", 1.0),
    ("cameras", "[]", ()),
    ("cameras", '[""]', ()),
    ("cameras", "[front]", ("front",)),
    ("cameras", "front", ("front",)),
    ("latency.fallback_weights", "[]", ()),
    ("tf.enabled", "False", False),
    ("weights", '"32"', "32"),
]
# Name, YAML, and what the error says besides the name.
UNUSABLE = [
    ("tf.enabled", '"true"', "'true' is not a boolean; use true | false, without quotes"),
    ("tf.enabled", "1", "1 is not a boolean; use true | false"),
    ("threads", '"4"', "'4' is not an integer; use 1 to 256, or 0 = the runtime's choice, without quotes"),
    ("threads", "4.0", "4.0 is not an integer"),
    ("threads", "[]", "[] is not an integer"),
    ("person_height", '"1.8"', "'1.8' is not a finite number; use 0.5 to 2.5, or 0 = unknown, without quotes"),
    ("person_height", ".nan", "nan is not a finite number"),
    ("detection.class", "2.5", "2.5 is not a string; use a string, in quotes where YAML reads a number or a boolean"),
    ("weights", "32", "32 is not a string; use a string, in quotes where YAML reads a number or a boolean"),
    ("detector", "no", "False is not a string; use builtin | onnx | topic | full_frame, in quotes"),
    ("cameras", "[1, 2]", "[1, 2] is not a list of strings"),
    ("cameras", "3", "3 is not a list of strings"),
]
START = {
    "file": lambda name, text: f"/**:\n  ros__parameters:\n    {name}: {text}\n",
    "file, below the node's name": lambda name, text: f"smplerx:\n  ros__parameters:\n    {name}: {text}\n",
    "file, nested": lambda name, text: "/**:\n  ros__parameters:\n" + _nested(name, text),
    "command line": None,
}


def _nested(name: str, text: str) -> str:
    *groups, last = name.split(".")
    lines = [f"{'  ' * (2 + depth)}{key}:\n" for depth, key in enumerate(groups)]
    return "".join([*lines, f"{'  ' * (2 + len(groups))}{last}: {text}\n"])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., SmplerxNode]]:
    """Makes unconfigured nodes, with a parameter that is written one way or another."""
    nodes: list[SmplerxNode] = []
    with own_context(nodes) as context:

        def make(name: str = "autostart", text: str = "false", way: str = "command line") -> SmplerxNode:
            arguments = ["--ros-args", "-p", "autostart:=false"]
            content = START[way]
            if content is None:
                arguments += ["-p", f"{name}:={text}"]
            else:
                file = tmp_path / "parameters.yaml"
                file.write_text(content(name, text))
                arguments += ["--params-file", str(file)]
            nodes.append(
                SmplerxNode(estimator_factory=Noted, context=context, cli_args=arguments, use_global_arguments=False)
            )
            return nodes[-1]

        yield make


def set_as_ros2_param_does(node: SmplerxNode, name: str, text: str) -> SetParametersResult:
    """What the service does with what `ros2 param set` sends."""
    message = ParameterMessage(name=name, value=get_parameter_value(text))
    return node.set_parameters_atomically([Parameter.from_parameter_msg(message)])


@pytest.mark.parametrize("way", START)
@pytest.mark.parametrize(("name", "text", "value"), USABLE)
def test_what_can_be_meant_is_taken_at_the_start(start: Any, way: str, name: str, text: str, value: Any) -> None:
    node = start(name, text, way)
    assert node._config[name] == value
    assert node.describe_parameter(name).type == _declared_type(start(), name)


@pytest.mark.parametrize(("name", "text", "value"), USABLE)
def test_what_can_be_meant_is_taken_later(start: Any, name: str, text: str, value: Any) -> None:
    node = start()
    result = set_as_ros2_param_does(node, name, text)
    assert (result.successful, result.reason) == (True, "")
    assert node._config[name] == value
    assert node.describe_parameter(name).type == _declared_type(start(), name)


def _declared_type(node: SmplerxNode, name: str) -> int:
    return int(node.describe_parameter(name).type)


@pytest.mark.parametrize("way", START)
@pytest.mark.parametrize(("name", "text", "reason"), UNUSABLE)
def test_what_cannot_be_meant_is_refused_by_name_at_the_start(
    start: Any, way: str, name: str, text: str, reason: str
) -> None:
    with pytest.raises(ConfigError) as error:
        start(name, text, way)
    assert f"parameter {name!r}: {reason}" in str(error.value)


@pytest.mark.parametrize(("name", "text", "reason"), UNUSABLE)
def test_what_cannot_be_meant_is_refused_by_name_later(start: Any, name: str, text: str, reason: str) -> None:
    node = start()
    result = set_as_ros2_param_does(node, name, text)
    assert not result.successful
    assert f"parameter {name!r}: {reason}" in result.reason
    assert node._config[name] == TABLE[name].default
    assert node.describe_parameter(name).type == _declared_type(start(), name)


@pytest.mark.parametrize(("name", "text", "reason"), [case for case in UNUSABLE if TABLE[case[0]].type is not str])
def test_what_cannot_be_meant_is_refused_by_name_in_a_launch_file(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, reason: str
) -> None:
    stand_in(monkeypatch)
    with pytest.raises(ConfigError, match=name):
        load_launch_file("estimate")._typed(TABLE[name], text)


@pytest.mark.parametrize(("old", "new"), [("use_depth", "depth.enabled"), ("rep155", "rep155.enabled")])
def test_an_unknown_name_cannot_be_set_and_hears_which_may_be_meant(start: Any, old: str, new: str) -> None:
    result = set_as_ros2_param_does(start(), old, "true")
    assert not result.successful
    assert f"unknown parameter {old!r} (did you mean {new!r}" in result.reason


def test_an_unknown_name_at_the_start_is_logged_once(start_node: Any, tmp_path: Path) -> None:
    file = tmp_path / "old.yaml"
    old = {"use_depth": True, "smoothing": False, "tf": {"prefixx": "x"}}
    file.write_text(yaml.safe_dump({"smplerx": {"ros__parameters": old}, "other": {"ros__parameters": {"colour": 1}}}))
    node = start_node("transport:=compressed", params_files=(file,))
    node.wait_for_log("active: /image and /camera_info")
    for name, new in (
        ("use_depth", "depth.enabled"),
        ("smoothing", "smoothing.enabled"),
        ("tf.prefixx", "tf.prefix"),
        ("transport", "image_transport"),
    ):
        assert node.log.count(f"unknown parameter {name!r} (did you mean {new!r}") == 1, node.log
    assert "colour" not in node.log


def test_parameters_of_rclpy_can_be_set(start: Any) -> None:
    node = start()
    assert set_as_ros2_param_does(node, "use_sim_time", "true").successful


def test_what_a_node_is_set_to_may_be_set_again(start: Any) -> None:
    """As `ros2 param load` does with what `ros2 param dump` wrote; and only what is not live is refused otherwise."""
    node = start()
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    for parameter in TABLE.values():
        assert node.set_parameters_atomically([node.get_parameter(parameter.name)]).successful, parameter.name
        result = node.set_parameters_atomically([Parameter(parameter.name, value=_another(node, parameter.name))])
        assert result.successful == parameter.live, parameter.name
        assert parameter.live or f"{parameter.name!r} is read when the node is configured" in result.reason


def test_a_dump_loads_again(start: Any, tmp_path: Path) -> None:
    """As `ros2 param dump` writes it: everything that is declared, the QoS of the topics and rclpy's parameters too."""
    node = start("threads", "3")
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    present = [node.get_parameter(name) for name in node._parameters]
    assert {"use_sim_time", "qos_overrides./tf.publisher.depth"} <= {parameter.name for parameter in present}
    result = node.set_parameters_atomically(present)
    assert (result.successful, result.reason) == (True, "")
    file = tmp_path / "dump.yaml"
    dumped = {parameter.name: parameter.value for parameter in present}
    file.write_text(yaml.safe_dump({"/smplerx": {"ros__parameters": dumped}}))
    arguments = ["--ros-args", "--params-file", str(file)]
    again = SmplerxNode(estimator_factory=Noted, context=node.context, cli_args=arguments, use_global_arguments=False)
    try:
        assert again.trigger_configure() == TransitionCallbackReturn.SUCCESS, again._failure
        assert {name: again.get_parameter(name).value for name in dumped} == dumped
    finally:
        again.stop()
        again.destroy_node()


def test_read_only_parameters_keep_their_value(start: Any) -> None:
    node = start()
    name = "qos_overrides./diagnostics.publisher.depth"
    present = node.get_parameter(name).value
    result = set_as_ros2_param_does(node, name, str(present + 1))
    assert (result.successful, node.get_parameter(name).value) == (False, present)
    assert name in result.reason


@pytest.mark.parametrize("text", ["maybe", "1"])
def test_a_parameter_of_rclpy_that_cannot_be_used_is_one_line(start_node: Any, text: str) -> None:
    node = start_node(f"use_sim_time:={text}")
    assert node.wait() == 1
    (line,) = node.log.splitlines()
    assert "FATAL" in line
    assert "use_sim_time" in line


def _another(node: SmplerxNode, name: str) -> Any:
    """A value that it may have, but has not."""
    parameter = TABLE[name]
    if parameter.type is bool:
        return not node._config[name]
    if parameter.type is tuple:
        return ["another"]
    if parameter.type is str:
        return next(choice for choice in parameter.choices or ("another",) if choice != node._config[name])
    assert parameter.range is not None
    return next(parameter.type(end) for end in parameter.range if end != node._config[name])
