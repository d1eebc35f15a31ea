"""The launch files, the parameter file and the RViz file: they fit the node and its table of parameters."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml
from graph import Graph
from launch_files import ROOT, PackageNotFoundError, declared, launched, load_launch_file, stand_in
from smplerx_ros.msg import PersonArray

from smplerx_ros.config.table import PARAMETERS, ROS_PARAMETERS, validate
from smplerx_ros.errors import ConfigError
from smplerx_ros.ros.conversions.markers import NAMESPACES
from smplerx_ros.tools.player import FRAME_ID
from smplerx_ros.visualization.web.options import VIEWER_PARAMETERS

TABLE = (*PARAMETERS, *ROS_PARAMETERS)
ARGUMENTS = {parameter.name for parameter in TABLE} | {
    *("image", "camera_info", "depth", "detections", "namespace", "params_file", "fastdds_profile", "fixed_frame"),
    *("use_sim_time", "respawn", "rviz", "viewer", "viewer_host", "viewer_port"),
}
MESSAGES = {"MarkerArray": "visualization_msgs/msg/MarkerArray", "Image": "sensor_msgs/msg/Image"}  # by RViz's displays
LAUNCH_S = 120.0
HAS_LAUNCH = find_spec("launch") is not None and find_spec("launch_ros") is not None


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    stand_in(monkeypatch)
    return load_launch_file


@pytest.fixture
def launch_file(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("estimate")


def test_arguments_are_described(launch_file: ModuleType) -> None:
    arguments = declared(launch_file)
    assert set(arguments) == ARGUMENTS
    assert len(arguments) == len(launch_file.generate_launch_description().args[0]) - 2  # no name twice
    assert all(argument.description.endswith((".", "(needs viser).")) for argument in arguments.values())


def test_the_node_is_the_one_that_cmake_installs(launch_file: ModuleType) -> None:
    (node,) = launched(launch_file)
    assert (node.package, node.executable, node.name) == ("smplerx_ros", "estimator", "smplerx")
    assert dict(node.remappings) == {
        "image": "/camera/image_raw",
        "image/compressed": "/camera/image_raw/compressed",
        "camera_info": "/camera/camera_info",
        "depth": "/camera/depth/image_raw",
        "detections": "/camera/detections",
    }
    assert not node.respawn


@pytest.mark.parametrize("executable", ["estimator", "player", "smplerx", "viewer"])
def test_executables_are_installed(executable: str) -> None:
    assert f"scripts/{executable}" in (ROOT / "CMakeLists.txt").read_text()
    assert (ROOT / "scripts" / executable).stat().st_mode & 0o111


def test_empty_arguments_leave_the_parameter_file_alone(launch_file: ModuleType) -> None:
    (node,) = launched(launch_file)
    file, values = node.parameters
    assert file == str(ROOT / "config" / "estimate.yaml")
    assert values == {"use_sim_time": False}


def test_given_arguments_override_in_the_parameter_s_type(launch_file: ModuleType) -> None:
    given = {"backbone": "h32*", "weights": "32", "autostart": "false", "use_sim_time": "true", "person_height": "2"}
    (node,) = launched(launch_file, **given)
    expected = {"backbone": "h32*", "weights": "32", "autostart": False, "use_sim_time": True, "person_height": 2.0}
    assert node.parameters[1] == expected
    assert type(node.parameters[1]["person_height"]) is float


@pytest.mark.parametrize("empty", ["[]", "['']"])
def test_no_cameras_are_what_parameters_have_for_an_empty_list(launch_file: ModuleType, empty: str) -> None:
    (node,) = launched(launch_file, cameras=empty)
    assert node.parameters[1]["cameras"] == [""]
    assert "image" in dict(node.remappings)


@pytest.mark.parametrize(("name", "value"), [("cameras", "[front"), ("cameras", "3"), ("depth.enabled", "maybe")])
def test_arguments_that_cannot_be_used_are_named(launch_file: ModuleType, name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        launched(launch_file, **{name: value})


@pytest.mark.parametrize("text", ["true", "True"])
def test_switches_as_yaml_and_python_write_them(launch_file: ModuleType, text: str) -> None:
    estimator, viewer = launched(launch_file, **{"depth.enabled": text, "viewer": text, "use_sim_time": text})
    assert estimator.parameters[1] == {"depth.enabled": True, "use_sim_time": True}
    assert viewer.parameters[1]["use_sim_time"] is True


def test_arguments_that_look_like_ours_and_are_not_are_logged(launch_file: ModuleType) -> None:
    """`ros2 launch` takes any; those of a launch file that includes this one are none of our business."""
    entities = launch_file.generate_launch_description().args[0]
    (unknown,) = [entity for entity in entities if getattr(entity, "function", None) is launch_file._unknown]
    argv = [
        "use_depth:=true",
        "max_peple:=3",
        "depth.enabled:=true",
        "robot:=turtle",
        "video:=a.mp4",
        "--noninteractive",
    ]
    messages = [action.msg for action in unknown.function(SimpleNamespace(argv=argv), **unknown.kwargs)]
    assert messages == [
        "estimate.launch.py has no argument 'use_depth' (did you mean 'depth.enabled' or 'depth.sync_tolerance'?)",
        "estimate.launch.py has no argument 'max_peple' (did you mean 'max_people'?)",
    ]


def test_several_cameras(launch_file: ModuleType) -> None:
    given = {"cameras": "[front, left]", "image": "/{camera}/color", "camera_info": "/{camera}/info", "viewer": "true"}
    estimator, front, left = launched(launch_file, **given)
    assert tuple(estimator.parameters[1]["cameras"]) == ("front", "left")
    remappings = dict(estimator.remappings)
    assert remappings["front/image"] == "/front/color"
    assert remappings["left/image/compressed"] == "/left/color/compressed"
    assert remappings["left/camera_info"] == "/left/info"
    assert [node.name for node in (front, left)] == ["viewer_front", "viewer_left"]
    assert dict(left.remappings)["image"] == "/left/color"
    assert [node.parameters[1]["port"] for node in (front, left)] == [8090, 8091]


def test_the_viewer_has_what_it_shares_with_the_node(launch_file: ModuleType) -> None:
    _, viewer = launched(launch_file, viewer="true", body_model="/x/SMPLX_NEUTRAL.npz", viewer_host="0.0.0.0")
    file, values = viewer.parameters
    assert file == str(ROOT / "config" / "estimate.yaml")
    assert values["body_model"] == "/x/SMPLX_NEUTRAL.npz"
    assert values["host"] == "0.0.0.0"
    assert set(values) - {"use_sim_time"} <= {parameter.name for parameter in VIEWER_PARAMETERS}


def test_rviz_gets_the_topics_in_use_and_meshes(launch_file: ModuleType) -> None:
    estimator, rviz = launched(launch_file, rviz="true", cameras="[front, left]", namespace="robot", fixed_frame="map")
    assert estimator.parameters[1]["markers.mesh"] is True
    assert rviz.arguments[:2] == ["-d", str(ROOT / "config" / "smplerx.rviz")]
    assert rviz.arguments[2:] == ["-f", "map"]
    assert rviz.namespace == "robot"  # relative names go below it
    topics = {"/smplerx/markers": "smplerx/markers", "/smplerx/overlay": "smplerx/front/overlay"}
    assert dict(rviz.remappings) == topics | {"/camera/image_raw": "/front/image_raw"}
    assert set(dict(rviz.remappings)) == set(_rviz_topics())
    estimator, _ = launched(launch_file, rviz="true", **{"markers.mesh": "false"})
    assert estimator.parameters[1]["markers.mesh"] is False


def test_without_rviz_nothing_is_started(launch_file: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def missing(package: str) -> str:
        asked.append(package)
        raise PackageNotFoundError(package)

    monkeypatch.setattr(launch_file, "get_package_prefix", missing)
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    with pytest.raises(ConfigError, match=r"^rviz:=true needs rviz2, .* sudo apt install ros-jazzy-rviz2") as error:
        launched(launch_file, rviz="True")
    assert "\n" not in str(error.value)
    assert len(launched(launch_file)) == 1
    assert asked == ["rviz2"]


def test_a_single_camera_needs_no_brackets(launch_file: ModuleType) -> None:
    (node,) = launched(launch_file, cameras="front")
    assert tuple(node.parameters[1]["cameras"]) == ("front",)
    assert dict(node.remappings)["front/image"] == "/front/image_raw"


def test_the_fast_dds_profile_leaves_the_user_s_alone(launch_file: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    (node,) = launched(launch_file)
    assert set(node.additional_env.values()) == {str(ROOT / "config" / "fastdds.xml")}
    (node,) = launched(launch_file, fastdds_profile="")
    assert node.additional_env == {}
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "mine.xml")
    (node,) = launched(launch_file)
    assert node.additional_env == {}


def test_choices_are_the_table_s(launch_file: ModuleType) -> None:
    arguments = declared(launch_file)
    for parameter in TABLE:
        if parameter.choices and parameter.name in arguments:
            assert arguments[parameter.name].choices == ["", *parameter.choices]


def test_the_demo_plays_into_the_estimator(load: Callable[[str], ModuleType]) -> None:
    *arguments, include, player = load("demo").generate_launch_description().args[0]
    assert [argument.args[0] for argument in arguments] == ["video", "loops"]
    assert Path(arguments[0].default_value).is_file()
    assert dict(include.launch_arguments) == dict(player.remappings)
    assert set(dict(player.remappings)) == {"image", "camera_info"} <= ARGUMENTS
    assert player.executable == "player"


def test_parameter_file_holds_every_parameter_at_its_default() -> None:
    (selector,) = yaml.safe_load((ROOT / "config" / "estimate.yaml").read_text()).values()
    values = selector["ros__parameters"]
    assert list(values) == [parameter.name for parameter in TABLE]
    assert validate(values, TABLE) == {parameter.name: parameter.default for parameter in TABLE}


def _displays() -> list[dict[str, Any]]:
    manager = yaml.safe_load((ROOT / "config" / "smplerx.rviz").read_text())["Visualization Manager"]
    assert manager["Global Options"]["Fixed Frame"] == FRAME_ID
    return [{**display, "Class": display["Class"].split("/")[1]} for display in manager["Displays"]]


def _rviz_topics() -> dict[str, str]:
    """Message types by topic."""
    return {display["Topic"]["Value"]: MESSAGES[display["Class"]] for display in _displays() if "Topic" in display}


def test_rviz_shows_everything_out_of_the_box() -> None:
    displays = _displays()
    assert sorted(display["Class"] for display in displays) == ["Grid", "Image", "Image", "MarkerArray", "TF"]
    assert all(display["Enabled"] for display in displays)
    (markers,) = [display for display in displays if display["Class"] == "MarkerArray"]
    assert markers["Namespaces"] == dict.fromkeys(NAMESPACES, True)


def test_rviz_s_topics_are_the_running_node_s(start_node: Callable[..., Any], graph: Graph) -> None:
    named = _rviz_topics()
    assert named.pop("/camera/image_raw") == MESSAGES["Image"]  # the camera's, as the launch file calls it
    start_node()

    def published() -> dict[str, list[str]] | None:
        if "smplerx" not in graph.node.get_node_names():
            return None
        by_topic = dict(graph.node.get_publisher_names_and_types_by_node("smplerx", "/"))
        return by_topic if set(named) <= set(by_topic) else None

    found = graph.spin_until(published)
    assert {topic: found[topic] for topic in named} == {topic: [kind] for topic, kind in named.items()}


@pytest.mark.skipif(not HAS_LAUNCH, reason="ros2 launch comes with a ROS installation, not with the wheels")
@pytest.mark.parametrize("name", ["estimate", "demo"])
def test_with_the_real_launch(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    import launch

    module = load_launch_file(name)
    monkeypatch.setattr(module, "get_package_prefix", lambda package: str(ROOT), raising=False)  # RViz may be missing
    description = module.generate_launch_description()
    arguments = {argument.name: argument for argument in description.get_launch_arguments()}
    assert set(arguments) == (ARGUMENTS if name == "estimate" else ARGUMENTS | {"video", "loops"})
    context = launch.LaunchContext()
    for argument in arguments.values():
        argument.execute(context)
    context.launch_configurations.update({"cameras": "[front, left]", "viewer": "true", "rviz": "true"})
    if name == "estimate":
        opaque = [entity for entity in description.entities if isinstance(entity, launch.actions.OpaqueFunction)]
        assert opaque[0].execute(context) == []
        nodes = opaque[1].execute(context)
        assert [node.node_executable for node in nodes] == ["estimator", "viewer", "viewer", "rviz2"]


@pytest.mark.skipif(find_spec("ros2launch") is None, reason="ros2 launch comes with a ROS installation")
def test_the_demo_launched_for_real(graph: Graph) -> None:
    people = graph.listen(PersonArray, "/robot/smplerx/people")
    command = [sys.executable, "-c", "from ros2cli.cli import main; main()", "launch"]
    process = subprocess.Popen(
        [*command, str(ROOT / "launch" / "demo.launch.py"), "namespace:=robot"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        graph.spin_until(lambda: any(message.people for message in people), LAUNCH_S)
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=LAUNCH_S)
    assert process.returncode == 0, output
    assert output.count("process has finished cleanly") == 2, output
