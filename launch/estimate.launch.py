"""Start the estimator on a camera: ros2 launch smplerx_ros estimate.launch.py image:=/camera/image_raw.

An argument left empty leaves the parameter file's value alone.
"""

from __future__ import annotations

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

PACKAGE = "smplerx_ros"
BOOLEANS = ["true", "false"]

# Launch argument = parameter of the node: default (empty: as in the parameter file), choices, description.
PARAMETERS: dict[str, tuple[str, list[str] | None, str]] = {
    "backbone": ("", None, "What estimates the people: 'lite' needs no weights."),
    "weights": ("", None, "Converted weights of the backbone (a bundle)."),
    "body_model": ("", None, "SMPL-X body model, SMPLX_*.npz; without one the embedded stand-in body."),
    "device": ("", ["", "auto", "cpu", "cuda"], "Where the networks run."),
    "runtime": ("", ["", "auto", "onnx", "torch"], "What runs the networks."),
    "autostart": ("", ["", *BOOLEANS], "Configure and activate the node at once."),
    "use_sim_time": ("false", BOOLEANS, "Take the time from /clock (bags, simulators)."),
}
TOPICS = {
    "image": ("/camera/image_raw", "Images (sensor_msgs/Image)."),
    "camera_info": ("/camera/camera_info", "Their calibration (sensor_msgs/CameraInfo)."),
    "depth": ("/camera/depth/image_raw", "Depth registered to the images (sensor_msgs/Image)."),
}


def generate_launch_description() -> LaunchDescription:
    """Arguments, the estimator and, if asked for, RViz."""
    share = Path(get_package_share_directory(PACKAGE))
    arguments = [
        DeclareLaunchArgument(name, default_value=default, choices=choices, description=description)
        for name, (default, choices, description) in PARAMETERS.items()
    ]
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


def _estimator(context: LaunchContext) -> list[Node]:
    given = {name: LaunchConfiguration(name).perform(context) for name in PARAMETERS}
    values = {name: _typed(name, text) for name, text in given.items() if text}
    return [
        Node(
            package=PACKAGE,
            executable="estimator",
            name="smplerx",
            namespace=LaunchConfiguration("namespace"),
            output="screen",
            parameters=[LaunchConfiguration("params_file"), values],
            remappings=[(name, LaunchConfiguration(name)) for name in TOPICS],
        )
    ]


def _typed(name: str, text: str) -> bool | str:
    """Booleans as such; all else stays text, so that a backbone named like a number is not read as one."""
    return text == "true" if set(BOOLEANS) <= set(PARAMETERS[name][1] or ()) else text
