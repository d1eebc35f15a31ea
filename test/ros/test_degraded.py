"""The node where something is missing or broken for longer: it says so, does what can be done, and recovers."""

from __future__ import annotations

from typing import Any

from graph import Graph
from rclpy.qos import QoSDurabilityPolicy, QoSProfile
from smplerx_ros.msg import PersonArray


def test_a_subscriber_who_asks_for_too_much_is_told(graph: Graph, start_node: Any) -> None:
    node = start_node()
    qos = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
    graph.node.create_subscription(PersonArray, "/smplerx/people", lambda message: None, qos)
    graph.spin_until(lambda: "/smplerx/people: a subscriber asks for an incompatible QoS (DURABILITY)" in node.log)
    assert "set qos_overrides./smplerx/people.publisher.durability" in node.log
    assert node.alive()


def test_images_that_come_too_late_are_left_out(graph: Graph, start_node: Any) -> None:
    node = start_node("image_max_age:=60.0", "camera_info_timeout:=0.0")
    graph.connect()

    def told() -> bool:
        graph.images.publish(graph.image())  # stamps of 1970
        return "image_max_age is exceeded" in node.log

    graph.spin_until(told)
    assert not graph.people

    def answered() -> bool:
        image = graph.image()
        image.header.stamp = graph.node.get_clock().now().to_msg()
        graph.images.publish(image)
        return bool(graph.people)

    graph.spin_until(answered)
    graph.diagnostic(lambda level, message, values: "dropped: too_old" in values)
