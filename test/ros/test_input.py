"""A camera's topics: taken up and left as often as one likes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from smplerx_ros.ros.input.camera_input import CameraInput, InputOptions
from smplerx_ros.ros.statistics import Statistics


@pytest.fixture
def node() -> Iterator[Node]:
    context = Context()
    rclpy.init(context=context)
    made = rclpy.create_node("test_input", context=context)
    yield made
    made.destroy_node()
    rclpy.shutdown(context=context)


def image_of(frame_id: str) -> Image:
    made = Image(width=4, height=3, step=12, encoding="rgb8", data=bytes(36))
    made.header.frame_id = frame_id
    return made


@pytest.mark.parametrize(
    ("of_info", "p3", "logged"),
    [("left", 0.0, []), ("/left", 0.0, []), ("", 0.0, []), ("right", 0.0, ["right", "left"]), ("left", -1.0, ["0.5"])],
)
def test_a_camera_info_of_another_frame_and_a_stereo_pairs_are_logged_once(
    node: Node, of_info: str, p3: float, logged: list[str]
) -> None:
    lines: list[str] = []
    taken = CameraInput(
        node, "", lambda _: None, Statistics(lambda: 0.0, lines.append), lambda: 0.0, InputOptions(rectified=True)
    )
    for _ in range(3):
        info = CameraInfo(width=4, height=3, p=[2.0, 0, 2, p3, 0, 2, 1, 0, 0, 0, 1, 0])
        info.header.frame_id = of_info
        taken._keep_info(info)
        frame = taken.frame(image_of("left"))
        assert frame.camera is not None
        assert frame.camera.centre[0] == -p3 / 2
    assert len(lines) == bool(logged)
    for line, word in zip(lines * len(logged), logged, strict=True):
        assert "/camera_info" in line
        assert word in line


def test_subscriptions_leave_nothing_in_the_node(node: Node) -> None:
    """rclpy's callback groups keep a reference to everything that was ever in them."""
    statistics = Statistics(lambda: 0.0, print)
    taken = CameraInput(node, "", lambda _: None, statistics, lambda: 0.0, InputOptions())
    held = []
    for _ in range(3):
        taken.start()
        assert taken.started
        taken.stop()
        held.append((len(node.default_callback_group.entities), len(list(node.waitables))))
    assert held[0] == held[2]
