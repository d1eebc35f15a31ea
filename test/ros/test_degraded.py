"""The node where something is missing or broken for longer: it says so, does what can be done, and recovers."""

from __future__ import annotations

from typing import Any

from graph import HEIGHT, WIDTH, Graph
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from smplerx_ros.msg import PersonArray


def test_without_camera_info_the_field_of_view_is_assumed_after_a_while(graph: Graph, start_node: Any) -> None:
    node = start_node("camera_info_timeout:=0.5")
    graph.connect()

    def answered() -> bool:
        graph.images.publish(graph.image())
        return bool(graph.people)

    graph.spin_until(answered)
    assert graph.people[0].camera_source == graph.people[0].CAMERA_SOURCE_DEFAULT_FOV
    assert "waiting up to 0.5 s" in node.log
    graph.people.clear()
    graph.spin_until(lambda: answered() and len(graph.people) > 10)
    assert node.log.count("default_fov") == 1
    graph.diagnostic(lambda level, message, values: level == 1 and "camera_info" in message)
    assert graph.estimate().people  # with camera_info
    assert graph.estimate().camera_source == graph.people[0].CAMERA_SOURCE_CAMERA_INFO


def test_an_uncalibrated_camera_counts_as_none(graph: Graph, start_node: Any) -> None:
    node = start_node("camera_info_timeout:=0.2")
    graph.connect()

    def answered() -> bool:
        graph.infos.publish(CameraInfo(width=WIDTH, height=HEIGHT))
        graph.images.publish(graph.image())
        return bool(graph.people)

    graph.spin_until(answered)
    assert graph.people[0].camera_source == graph.people[0].CAMERA_SOURCE_DEFAULT_FOV
    assert "/camera_info: 160x120, using k" in node.log


def test_exceptions_of_the_estimator_are_survived_and_told(graph: Graph, start_node: Any) -> None:
    node = start_node("weights:=raise", "camera_info_timeout:=0.0")
    graph.connect()

    def told() -> bool:
        graph.images.publish(graph.image())
        return "the network said no" in node.log

    graph.spin_until(told)
    graph.images.publish(graph.image())
    graph.diagnostic(lambda level, message, values: level == 2 and "exception" in message)
    assert node.alive()
    assert graph.state() == "active"


def test_a_person_that_is_not_finite_does_not_harm_the_others(graph: Graph, start_node: Any) -> None:
    node = start_node("weights:=not_finite")
    graph.connect()
    people = graph.estimate()
    assert [person.id for person in people.people] == ["p1"]
    assert "person broken dropped" in node.log


def test_incompatible_quality_of_service_is_told(graph: Graph, start_node: Any) -> None:
    node = start_node("qos_overrides./image.subscription.reliability:=reliable")
    graph.node.create_publisher(Image, "image", qos_profile_sensor_data)
    graph.spin_until(lambda: "incompatible QoS (RELIABILITY)" in node.log)
    assert "set qos_overrides./image.subscription.reliability" in node.log
    assert node.alive()


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
