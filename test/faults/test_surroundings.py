"""Faults 12, 13 and 15 of docs/reference/faults.md: clocks, cameras that never come, qualities of service."""

from __future__ import annotations

import sys
from pathlib import Path

from builtin_interfaces.msg import Time
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from scene import Scene
from sensor_msgs.msg import Image


def test_12_simulated_time(tmp_path: Path) -> None:
    """Without a clock images are handled all the same; a clock that jumps back makes people new."""
    scene = Scene(tmp_path, "use_sim_time:=true")
    try:
        scene.graph.connect()
        scene.good()
        clock = scene.graph.node.create_publisher(Clock, "/clock", 10)

        def reports_time(seconds: int) -> bool:
            clock.publish(Clock(clock=Time(sec=seconds)))
            return scene.graph.next_diagnostic()[0] == seconds * 1_000_000_000

        scene.graph.spin_until(lambda: reports_time(2000))
        earlier = scene.good().people[0].id
        assert scene.good().people[0].id == earlier
        scene.graph.spin_until(lambda: reports_time(1000))
        assert scene.good().people[0].id != earlier  # the images' own stamps went on
    finally:
        scene.close()


def test_15_a_publisher_of_another_quality(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "qos_overrides./image.subscription.reliability:=reliable")
    try:
        scene.graph.connect()
        unreliable = scene.graph.node.create_publisher(Image, "image", qos_profile_sensor_data)
        scene.graph.spin_until(lambda: "incompatible QoS (RELIABILITY)" in scene.node.log)
        assert "set qos_overrides./image.subscription.reliability to what it offers" in scene.node.log
        unreliable.publish(scene.graph.image())
        scene.good()  # the reliable camera
    finally:
        scene.close()


def test_13_a_camera_that_never_comes(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    try:
        scene.graph.diagnostic(lambda level, text, _: level == 1 and text.startswith("no images on /image for"))
        scene.good()
    finally:
        scene.close()


def test_21_no_driver(tmp_path: Path) -> None:
    """A GPU is asked for where there is none: said once, and the CPU does the work."""
    scene = Scene(tmp_path, "device:=cuda", command=(sys.executable, "-m", "smplerx_ros.ros.node.main"))
    try:
        scene.graph.connect()
        scene.answer(scene.graph.image)
        scene.graph.diagnostic(lambda _, __, values: "CPUExecutionProvider" in values.get("runtime", ""))
        assert "CUDAExecutionProvider" in scene.node.log
    finally:
        scene.close()
