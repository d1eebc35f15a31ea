"""The launch file, the parameter file and the RViz file: they fit the node and its table of parameters."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from smplerx_ros.config import PARAMETERS, ROS_PARAMETERS, validate

ROOT = Path(__file__).resolve().parents[2]
LAUNCH_FILE = ROOT / "launch" / "estimate.launch.py"
TABLE = (*PARAMETERS, *ROS_PARAMETERS)
ARGUMENTS = sorted(
    ["backbone", "weights", "body_model", "runtime", "device", "autostart", "image", "camera_info", "depth"]
    + ["use_depth"]
    + ["params_file", "namespace", "use_sim_time", "rviz"]
)


class Recorded(SimpleNamespace):
    """Stands for any action: keeps what it was made with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(args=args, **kwargs)


class LaunchConfiguration(Recorded):
    def perform(self, context: dict[str, str]) -> str:
        return context[self.args[0]]


@pytest.fixture
def launch_file(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The launch file over stand-ins for `launch`, which comes with a ROS installation only."""
    for name, members in {
        "launch": {"LaunchContext": dict, "LaunchDescription": Recorded},
        "launch.actions": {"DeclareLaunchArgument": Recorded, "OpaqueFunction": Recorded},
        "launch.conditions": {"IfCondition": Recorded},
        "launch.substitutions": {"LaunchConfiguration": LaunchConfiguration},
        "launch_ros": {},
        "launch_ros.actions": {"Node": Recorded},
        "ament_index_python": {},
        "ament_index_python.packages": {"get_package_share_directory": lambda package: str(ROOT)},
    }.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    return _load()


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("estimate_launch", LAUNCH_FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _declared(module: ModuleType) -> dict[str, Recorded]:
    entities = module.generate_launch_description().args[0]
    return {entity.args[0]: entity for entity in entities if hasattr(entity, "default_value")}


def _node(module: ModuleType, **given: str) -> Recorded:
    context = {name: argument.default_value for name, argument in _declared(module).items()} | given
    (node,) = module._estimator(context)
    return node


def test_arguments_are_described(launch_file: ModuleType) -> None:
    declared = _declared(launch_file)
    assert sorted(declared) == ARGUMENTS
    assert all(argument.description.endswith(".") for argument in declared.values())


def test_the_node_is_the_one_that_cmake_installs(launch_file: ModuleType) -> None:
    node = _node(launch_file)
    assert (node.package, node.executable, node.name) == ("smplerx_ros", "estimator", "smplerx")
    assert f"scripts/{node.executable}" in (ROOT / "CMakeLists.txt").read_text()
    assert (ROOT / "scripts" / node.executable).stat().st_mode & 0o111
    assert [(name, topic.args[0]) for name, topic in node.remappings] == [
        (name, name) for name in ("image", "camera_info", "depth")
    ]


def test_empty_arguments_leave_the_parameter_file_alone(launch_file: ModuleType) -> None:
    file, values = _node(launch_file).parameters
    assert file.args[0] == "params_file"
    assert values == {"use_sim_time": False}


def test_given_arguments_override_in_the_parameter_s_type(launch_file: ModuleType) -> None:
    _, values = _node(launch_file, backbone="h32*", weights="32", autostart="false", use_sim_time="true").parameters
    assert values == {"backbone": "h32*", "weights": "32", "autostart": False, "use_sim_time": True}


def test_choices_are_the_table_s(launch_file: ModuleType) -> None:
    declared = _declared(launch_file)
    for parameter in TABLE:
        if parameter.choices and parameter.name in declared:
            assert declared[parameter.name].choices == ["", *parameter.choices]


def test_parameter_file_holds_every_parameter_at_its_default() -> None:
    (selector,) = yaml.safe_load((ROOT / "config" / "estimate.yaml").read_text()).values()
    values = selector["ros__parameters"]
    assert list(values) == [parameter.name for parameter in TABLE]
    assert validate(values, TABLE) == {parameter.name: parameter.default for parameter in TABLE}


def test_rviz_shows_what_the_node_publishes() -> None:
    displays = yaml.safe_load((ROOT / "config" / "smplerx.rviz").read_text())["Visualization Manager"]["Displays"]
    topics = {display["Topic"]["Value"]: display["Class"].split("/")[1] for display in displays if "Topic" in display}
    assert topics == {"/smplerx/markers": "MarkerArray", "/smplerx/overlay": "Image", "image": "Image"}


def test_with_the_real_launch() -> None:
    launch = pytest.importorskip("launch", reason="comes with a ROS installation, not with the wheels")
    pytest.importorskip("launch_ros")
    description = _load().generate_launch_description()
    arguments = {argument.name: argument for argument in description.get_launch_arguments()}
    assert sorted(arguments) == ARGUMENTS
    context = launch.LaunchContext()
    for argument in arguments.values():
        argument.execute(context)
    context.launch_configurations["device"] = "cpu"
    (opaque,) = [entity for entity in description.entities if isinstance(entity, launch.actions.OpaqueFunction)]
    (node,) = opaque.execute(context)
    assert node.node_executable == "estimator"
