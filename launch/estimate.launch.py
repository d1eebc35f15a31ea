"""Start the estimator on one or several cameras: ros2 launch smplerx_ros estimate.launch.py image:=/camera/image_raw.

Each parameter of the node is an argument of the same name; if empty, the value of the parameter file applies.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from smplerx_ros.config.parameter import Parameter, Value, suggestion
from smplerx_ros.config.table import PARAMETERS, ROS_PARAMETERS
from smplerx_ros.errors import ConfigError
from smplerx_ros.visualization.web.options import VIEWER_PARAMETERS

BOOLEANS = ["true", "false", "True", "False"]  # as YAML and Python write them
RESPAWN_DELAY_S = 2.0
PACKAGE, NODE = "smplerx_ros", "smplerx"
PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")  # Fast DDS 3, and before
NODE_PARAMETERS = (*PARAMETERS, *ROS_PARAMETERS)
VIEWER_ARGUMENTS = ("host", "port")
FOR_VIEWER_TOO = ("body_model", "image_transport", "use_sim_time")
Text = Callable[[str], str]  # returns the value of an argument
CAMERA = "{camera}"
TOPICS = {
    "image": (f"/{CAMERA}/image_raw", "Topic of the images."),
    "camera_info": (f"/{CAMERA}/camera_info", "Topic of their calibration."),
    "depth": (f"/{CAMERA}/depth/image_raw", "Topic of depth images registered to the images; see depth.enabled."),
    "detections": (f"/{CAMERA}/detections", "Topic of your own detector; see detector."),
}
IN_TOPICS = f"{CAMERA} stands for each name in cameras, or for 'camera' where there is one."
SWITCHES = {
    "use_sim_time": "Take the time from /clock.",
    "respawn": "Restart the node if it ends by itself.",
    "rviz": "Start RViz as well, with meshes.",
    "viewer": "Start the web viewer as well (needs viser).",
}


def generate_launch_description() -> LaunchDescription:
    """Arguments, the estimator and, on request, RViz and the web viewer."""
    config = _config()
    others = {
        **{name: (topic, f"{text} {IN_TOPICS}") for name, (topic, text) in TOPICS.items()},
        "namespace": ("", "Namespace of the nodes."),
        "params_file": (str(config / "estimate.yaml"), "File with the node's parameters."),
        "fastdds_profile": (
            str(config / "fastdds.xml"),
            "Fast DDS profile with shared memory for images; one set in the environment takes precedence. Empty: none.",
        ),
        "fixed_frame": (
            "camera_optical_frame",
            "Fixed frame of RViz: the camera's optical frame, or another frame in TF.",
        ),
    }
    arguments = [_argument(parameter) for parameter in NODE_PARAMETERS]
    arguments += [DeclareLaunchArgument(name, default_value=v, description=text) for name, (v, text) in others.items()]
    arguments += [
        DeclareLaunchArgument(name, default_value="false", choices=BOOLEANS, description=text)
        for name, text in SWITCHES.items()
    ]
    arguments += [
        DeclareLaunchArgument(f"viewer_{p.name}", default_value=str(p.default), description=p.description)
        for p in VIEWER_PARAMETERS
        if p.name in VIEWER_ARGUMENTS
    ]
    names = [argument.name for argument in arguments]
    return LaunchDescription(
        [*arguments, OpaqueFunction(function=_unknown, kwargs={"names": names}), OpaqueFunction(function=_nodes)]
    )


def _config() -> Path:
    return Path(get_package_share_directory(PACKAGE)) / "config"


def _argument(parameter: Parameter) -> DeclareLaunchArgument:
    allowed = BOOLEANS if parameter.type is bool else list(parameter.choices)
    return DeclareLaunchArgument(
        parameter.name,
        default_value="",
        choices=["", *allowed] if allowed else None,
        description=f"{parameter.description} Not given: as in params_file.",
    )


def _unknown(context: LaunchContext, names: list[str]) -> list[LogInfo]:
    """Hints on misspelled arguments, which `ros2 launch` accepts silently.

    Arguments unlike any of ours may belong to a launch file that includes this one.
    """
    given = [argument.partition(":=")[0] for argument in context.argv if ":=" in argument]
    hints = {name: suggestion(name, names) for name in given if name not in names}
    return [LogInfo(msg=f"estimate.launch.py has no argument {name!r}{hint}") for name, hint in hints.items() if hint]


def _nodes(context: LaunchContext) -> list[Node]:
    """The nodes to start, once the arguments are known."""

    def text(name: str) -> str:
        return str(LaunchConfiguration(name).perform(context))

    if _on(text("rviz")):
        _require_rviz()
    values = {p.name: _typed(p, text(p.name)) for p in NODE_PARAMETERS if text(p.name)}
    values["use_sim_time"] = _on(text("use_sim_time"))
    if _on(text("rviz")):
        values.setdefault("markers.mesh", True)
    topics = {
        camera: {name: text(name).replace(CAMERA, camera or "camera") for name in TOPICS}
        for camera in values.get("cameras") or ("",)
    }
    nodes = [_estimator(text, values, topics)]
    if _on(text("viewer")):
        nodes += [_viewer(text, values, camera, number, topics[camera]) for number, camera in enumerate(topics)]
    if _on(text("rviz")):
        nodes.append(_rviz(text, values, next(iter(topics.items()))))
    return nodes


def _require_rviz() -> None:
    """Raise before anything starts: launch leaves running what it started before a node that it cannot find."""
    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError as error:
        distribution = os.environ.get("ROS_DISTRO", "<distribution>")
        raise ConfigError(
            f"rviz:=true needs rviz2, which is not installed: sudo apt install ros-{distribution}-rviz2, or look at "
            "the people in a browser with viewer:=true"
        ) from error


def _estimator(text: Text, values: dict[str, Value], topics: dict[str, dict[str, str]]) -> Node:
    profile = text("fastdds_profile")
    given = any(name in os.environ for name in PROFILE_VARIABLES)
    return Node(
        package=PACKAGE,
        executable="estimator",
        name=NODE,
        namespace=text("namespace"),
        output="screen",
        # launch_ros has no empty lists: a list with an empty string stands for one.
        parameters=[text("params_file"), {name: [""] if value == () else value for name, value in values.items()}],
        remappings=[pair for camera, of in topics.items() for pair in _remappings(of, camera)],
        additional_env={} if given or not profile else dict.fromkeys(PROFILE_VARIABLES, profile),
        respawn=_on(text("respawn")),
        respawn_delay=RESPAWN_DELAY_S,
    )


def _viewer(text: Text, values: dict[str, Value], camera: str, number: int, topics: dict[str, str]) -> Node:
    """One web viewer per camera, on consecutive ports."""
    shared = {name: values[name] for name in FOR_VIEWER_TOO if name in values}
    own: dict[str, Value] = {"host": text("viewer_host"), "port": int(text("viewer_port")) + number}
    return Node(
        package=PACKAGE,
        executable="viewer",
        name="_".join(filter(None, ("viewer", camera.replace("/", "_")))),
        namespace=text("namespace"),
        output="screen",
        # The parameter file may set body_model and image_transport for both.
        parameters=[text("params_file"), shared | own],
        remappings=_remappings(topics),
    )


def _rviz(text: Text, values: dict[str, Value], camera: tuple[str, dict[str, str]]) -> Node:
    """RViz for the first camera; the topics in its configuration are remapped to those of the node."""
    name, topics = camera
    overlay = "/".join(filter(None, (NODE, name, "overlay")))
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=text("namespace"),
        arguments=["-d", str(_config() / "smplerx.rviz"), "-f", text("fixed_frame")],
        parameters=[{"use_sim_time": values["use_sim_time"]}],
        remappings=[
            (f"/{NODE}/markers", f"{NODE}/markers"),
            (f"/{NODE}/overlay", overlay),
            ("/camera/image_raw", topics["image"]),
        ],
    )


def _remappings(topics: dict[str, str], camera: str = "") -> list[tuple[str, str]]:
    """Remappings of a node's input topics, prefixed with the camera's name if there are several."""
    prefix = f"{camera}/" if camera else ""
    compressed = (f"{prefix}image/compressed", f"{topics['image']}/compressed")
    return [*((f"{prefix}{name}", topic) for name, topic in topics.items()), compressed]


def _on(text: str) -> bool:
    return text in ("true", "True")


def _typed(parameter: Parameter, text: str) -> Value:
    """The value in the parameter's type, so that a string that looks like a number stays a string.

    A string stands for a list of one, as in `cameras:=front`.
    """
    try:
        value = text if parameter.type is str else yaml.safe_load(text)
        return parameter.check([value] if parameter.type is tuple and isinstance(value, str) else value)
    except yaml.YAMLError as error:
        raise ConfigError(f"argument {parameter.name!r}: {text!r} is not YAML: use {parameter.allowed}") from error
