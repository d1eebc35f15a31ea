"""Play a video through the estimator: ros2 launch smplerx_ros demo.launch.py viewer:=true (or rviz:=true).

Without arguments it loops the embedded clip. The arguments of estimate.launch.py are accepted as well.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription

TOPICS = {"image": "/demo/image_raw", "camera_info": "/demo/camera_info"}
CLIP = files("smplerx_ros") / "assets" / "demo_walk.mp4"


def generate_launch_description() -> LaunchDescription:
    """The player, and estimate.launch.py on its topics."""
    share = Path(get_package_share_directory("smplerx_ros"))
    estimate = PythonLaunchDescriptionSource(str(share / "launch" / "estimate.launch.py"))
    player = Node(
        package="smplerx_ros",
        executable="player",
        output="screen",
        arguments=[LaunchConfiguration("video"), "--loops", LaunchConfiguration("loops")],
        remappings=list(TOPICS.items()),
        additional_env={"FASTRTPS_DEFAULT_PROFILES_FILE": str(share / "config" / "fastdds.xml")},
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("video", default_value=str(CLIP), description="The video to play."),
            DeclareLaunchArgument("loops", default_value="0", description="How often to play it; 0: until stopped."),
            IncludeLaunchDescription(estimate, launch_arguments=TOPICS.items()),
            player,
        ]
    )
