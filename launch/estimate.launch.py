"""Start the estimator on a camera: ros2 launch smplerx_ros estimate.launch.py image:=/camera/image_raw.

An argument left empty leaves the parameter file's value alone.
"""

from __future__ import annotations

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from smplerx_ros.config import PARAMETERS, ROS_PARAMETERS, Parameter, Value

BOOLEANS = ["true", "false"]
# Parameters of the node.
ARGUMENTS = ("backbone", "weights", "body_model", "runtime", "device", "use_depth", "autostart")
TOPICS = {
    "image": ("/camera/image_raw", "Topic of the images."),
    "camera_info": ("/camera/camera_info", "Topic of their calibration."),
    "depth": ("/camera/depth/image_raw", "Topic of depth images registered to the images; see use_depth."),
}


def generate_launch_description() -> LaunchDescription:
    """Arguments, the estimator and, if asked for, RViz."""
    share = Path(get_package_share_directory("smplerx_ros"))
    arguments = [_argument(parameter) for parameter in _parameters()]
    arguments += [
        DeclareLaunchArgument(name, default_value=topic, description=description)
        for name, (topic, description) in TOPICS.items()
    ]
    arguments += [
        DeclareLaunchArgument(
            "params_file",
            default_value=str(share / "config" / "estimate.yaml"),
            description="File with the node's parameters.",
        ),
        DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node."),
        DeclareLaunchArgument(
            "use_sim_time", default_value="false", choices=BOOLEANS, description="Take the time from /clock."
        ),
        DeclareLaunchArgument("rviz", default_value="false", choices=BOOLEANS, description="Start RViz as well."),
    ]
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["-d", str(share / "config" / "smplerx.rviz")],
        parameters=[{"use_sim_time": LaunchConfiguration("use_sim_time")}],
        remappings=[("image", LaunchConfiguration("image"))],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return LaunchDescription([*arguments, OpaqueFunction(function=_estimator), rviz])


def _parameters() -> list[Parameter]:
    return [parameter for parameter in (*PARAMETERS, *ROS_PARAMETERS) if parameter.name in ARGUMENTS]


def _argument(parameter: Parameter) -> DeclareLaunchArgument:
    allowed = BOOLEANS if parameter.type is bool else list(parameter.choices)
    return DeclareLaunchArgument(
        parameter.name,
        default_value="",
        choices=["", *allowed] if allowed else None,
        description=f"{parameter.description} Not given: as in params_file.",
    )


def _estimator(context: LaunchContext) -> list[Node]:
    """The node, once the arguments are known: those given override the parameter file."""
    given = {parameter: LaunchConfiguration(parameter.name).perform(context) for parameter in _parameters()}
    values: dict[str, Value] = {parameter.name: _typed(parameter, text) for parameter, text in given.items() if text}
    values["use_sim_time"] = LaunchConfiguration("use_sim_time").perform(context) == "true"
    return [
        Node(
            package="smplerx_ros",
            executable="estimator",
            name="smplerx",
            namespace=LaunchConfiguration("namespace"),
            output="screen",
            parameters=[LaunchConfiguration("params_file"), values],
            remappings=[(name, LaunchConfiguration(name)) for name in TOPICS],
        )
    ]


def _typed(parameter: Parameter, text: str) -> Value:
    """Of the parameter's own type, so that a text that looks like a number stays a text."""
    return text == "true" if parameter.type is bool else parameter.check(text)
