"""Every transition of the node as a process, with failures where they hurt, and its services and parameters."""

from __future__ import annotations

from typing import Any

import pytest
from graph import BLACK, Graph
from lifecycle_msgs.msg import Transition
from rcl_interfaces.srv import DescribeParameters
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger
from tf2_msgs.msg import TFMessage
from tf_chain import chain
from visualization_msgs.msg import Marker, MarkerArray

from smplerx_ros.config.table import PARAMETERS, ROS_PARAMETERS

CONFIGURE, CLEANUP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP
ACTIVATE, DEACTIVATE = Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE


def test_the_whole_walk_twice_and_a_clean_end(graph: Graph, start_node: Any) -> None:
    node = start_node("autostart:=false")
    assert graph.state() == "unconfigured"
    for _ in range(2):
        assert graph.transition(CONFIGURE)
        assert graph.state() == "inactive"
        assert not graph.node.count_subscribers("/image")
        assert graph.transition(ACTIVATE)
        graph.connect()
        assert graph.estimate().people
        assert graph.transition(DEACTIVATE)
        graph.spin_until(lambda: not graph.node.count_subscribers("/image"))
        assert graph.transition(ACTIVATE)
        graph.connect()
        assert graph.estimate().people
        assert graph.transition(DEACTIVATE)
        assert graph.transition(CLEANUP)
        assert graph.state() == "unconfigured"
        graph.spin_until(lambda: not graph.node.count_publishers("/smplerx/people"))
    assert graph.transition(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    assert graph.state() == "finalized"
    assert node.stop()[0] == 0
    assert "Traceback" not in node.log


def test_a_configure_that_fails_says_why_and_can_be_repeated(graph: Graph, start_node: Any) -> None:
    node = start_node("weights:=fail_to_load")
    node.wait_for_log("on_configure failed: ModelFileError: parameter weights: 'fail_to_load' is no file")
    assert graph.state() == "unconfigured"
    graph.diagnostic(lambda level, message, values: level == 2 and "fail_to_load" in message)
    assert not graph.transition(CONFIGURE)
    assert graph.set_parameter("weights", "").successful
    assert graph.transition(CONFIGURE)
    assert graph.transition(ACTIVATE)
    graph.connect()
    assert graph.estimate().people
    graph.diagnostic(lambda level, message, values: level == 0)


def test_an_activation_that_fails_ends_unconfigured(graph: Graph, start_node: Any) -> None:
    node = start_node("qos_overrides./image.subscription.reliability:=nonsense")
    node.wait_for_log("on_activate failed")
    assert graph.state() == "unconfigured"
    assert not graph.transition(ACTIVATE)
    assert node.alive()


@pytest.mark.parametrize(
    ("parameter", "fragments"),
    [
        ("backbone:=nonsense", ["backbone", "nonsense", "lite"]),
        ("person_height:=9.0", ["person_height", "9.0", "0.5 to 2.5"]),
        ("threads:=many", ["threads", "many"]),
        ("weights:=32", ["weights", "32", "in quotes where YAML reads a number"]),
        ("weights:=", ["the arguments after --ros-args cannot be used", "weights:="]),
        ("cameras:=[front", ["the arguments after --ros-args cannot be used", "cameras:=[front"]),
        ("cameras:=[1, 2]", ["cameras", "[1, 2]"]),
    ],
)
def test_parameters_that_cannot_be_used_end_the_start(start_node: Any, parameter: str, fragments: list[str]) -> None:
    node = start_node(parameter)
    assert node.wait() == 1
    for fragment in fragments:
        assert fragment in node.log
    assert "Traceback" not in node.log


def test_empty_lists_and_numbers_for_names_are_understood(graph: Graph, start_node: Any) -> None:
    node = start_node("cameras:=[]", "latency.fallback_weights:=[]", "detection.class:=0", "detection.topic_class:=1")
    node.wait_for_log("active: /image and /camera_info")
    graph.connect()
    assert graph.estimate().people
    assert graph.transition(DEACTIVATE)
    assert graph.transition(CLEANUP)
    assert graph.set_parameter("detection.class", 2).successful
    assert not graph.set_parameter("detection.class", 2.5).successful
    assert graph.transition(CONFIGURE)


def test_parameters_are_described_and_checked(graph: Graph, start_node: Any) -> None:
    node = start_node("bacbone:=lite", "default_fov:=70", "person_height:=0")
    graph.connect()
    assert "unknown parameter 'bacbone'" in node.log
    assert "did you mean 'backbone'" in node.log
    table = (*PARAMETERS, *ROS_PARAMETERS)
    request = DescribeParameters.Request(names=[parameter.name for parameter in table])
    descriptors = graph.call(DescribeParameters, "/smplerx/describe_parameters", request).descriptors
    for parameter, descriptor in zip(table, descriptors, strict=True):
        assert descriptor.description == parameter.description
        assert descriptor.additional_constraints == parameter.allowed
    late = graph.set_parameter("person_height", 1.8)
    assert not late.successful
    assert "deactivate and clean up first" in late.reason
    wrong = graph.set_parameter("default_fov", 700.0)
    assert not wrong.successful
    assert "default_fov" in wrong.reason
    assert graph.set_parameter("tf.enabled", False).successful
    assert not graph.set_parameter("tf.enabled", "yes").successful


def test_tf_and_message_agree_and_can_be_switched_off(graph: Graph, start_node: Any) -> None:
    start_node()
    tf = graph.listen(TFMessage, "/tf")
    graph.connect()
    people = graph.estimate()
    message = graph.spin_until(
        lambda: next((m for m in tf if m.transforms[0].header.stamp == people.header.stamp), None)
    )
    assert sum(t.child_frame_id.startswith("smplx_") for t in message.transforms) == 55
    positions, _ = chain(message.transforms, "test_camera")
    person = people.people[0]
    pelvis, wrist = person.joints[0], person.joints[person.JOINT_LEFT_WRIST]
    assert positions[f"{person.frame_prefix}pelvis"] == pytest.approx([pelvis.x, pelvis.y, pelvis.z], abs=1e-5)
    assert positions[f"{person.frame_prefix}left_wrist"] == pytest.approx([wrist.x, wrist.y, wrist.z], abs=1e-5)
    assert graph.set_parameter("tf.enabled", False).successful
    graph.estimate()
    tf.clear()
    graph.estimate()
    graph.next_diagnostic()
    assert tf == []


def test_overlay_and_markers_come_when_somebody_looks(graph: Graph, start_node: Any) -> None:
    start_node()
    graph.connect()
    graph.estimate()
    overlays = graph.listen(Image, "/smplerx/overlay")
    markers = graph.listen(MarkerArray, "/smplerx/markers")
    graph.spin_until(lambda: graph.estimate() and overlays and markers)
    assert (overlays[-1].width, overlays[-1].height, overlays[-1].encoding) == (160, 120, "rgb8")
    assert bytes(overlays[-1].data) != bytes([90]) * len(overlays[-1].data)
    assert {marker.action for marker in markers[-1].markers} == {Marker.ADD}

    def nobody() -> bool:
        graph.infos.publish(graph.info())
        graph.images.publish(graph.image(BLACK))
        return bool(graph.people) and not graph.people[-1].people

    graph.spin_until(nobody)
    gone = graph.spin_until(lambda: [m for array in markers for m in array.markers if m.action == Marker.DELETE])
    assert {marker.ns for marker in gone} >= {"bones", "joints", "label"}


def test_reset_and_enable(graph: Graph, start_node: Any) -> None:
    start_node()
    graph.connect()
    first = graph.estimate().people[0].id
    assert graph.call(Trigger, "/smplerx/reset", Trigger.Request()).success
    assert graph.estimate().people[0].id != first
    assert graph.call(SetBool, "/smplerx/enable", SetBool.Request(data=False)).success
    graph.spin_until(lambda: not graph.node.count_subscribers("/image"))
    graph.diagnostic(lambda level, message, values: message == "disabled by ~/enable")
    assert graph.call(SetBool, "/smplerx/enable", SetBool.Request(data=True)).success
    graph.connect()
    assert graph.estimate().people


def test_reset_of_an_inactive_node_says_so(graph: Graph, start_node: Any) -> None:
    start_node("autostart:=false")
    assert not graph.call(Trigger, "/smplerx/reset", Trigger.Request()).success
