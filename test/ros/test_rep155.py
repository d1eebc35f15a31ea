"""REP-155 on the graph: topics come and go with people, and nothing is made that nobody asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from graph import Graph
from hri_msgs.msg import FacialLandmarks, IdsList, IdsMatch, NormalizedRegionOfInterest2D, Skeleton2D
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rep155_people import BODY, PERIOD_S, Provider, somebody
from sensor_msgs.msg import CompressedImage, Image, JointState
from smplerx_ros.msg import PersonArray
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage
from tf_chain import chain
from vision_msgs.msg import Detection2DArray
from visualization_msgs.msg import MarkerArray

from smplerx_ros.body.placement import Placement
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.errors import ConfigError, InputError
from smplerx_ros.ros import humans as humans_module
from smplerx_ros.ros.humans import provider as provider_module
from smplerx_ros.ros.output import output as output_module

LATCHED = QoSProfile(depth=5, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture
def provide(graph: Graph) -> Iterator[Any]:
    """Start providers: `provide(parameter=value, ...)`."""
    started: list[Provider] = []

    def start(**options: Any) -> Provider:
        started.append(Provider(graph, **options))
        return started[-1]

    yield start
    for provider in started:
        provider.destroy()


def listen(graph: Graph, kind: type[Any], topic: str, qos: QoSProfile | None = None) -> list[Any]:
    arrived: list[Any] = []
    graph.node.create_subscription(kind, topic, arrived.append, qos or QoSProfile(depth=50))
    return arrived


def humans(graph: Graph) -> set[str]:
    return {name for name, _ in graph.node.get_topic_names_and_types() if name.startswith("/humans/")}


def until(graph: Graph, provider: Provider, people: tuple[Any, ...], reached: Any) -> Any:
    """Send frames of `people` until `reached()`."""

    def sent() -> Any:
        provider.send(*people)
        return reached()

    return graph.spin_until(sent)


def test_topics_come_and_go_with_people(graph: Graph, provide: Any) -> None:
    provider = provide()
    lists = listen(graph, IdsList, "/humans/bodies/tracked")
    p1, p2 = somebody("p1"), somebody("p2", 1)
    until(graph, provider, (p1,), lambda: lists and lists[-1].ids == ["p1"])
    names = {"roi", "cropped", "skeleton2d", "joint_states", "urdf"}
    expected = {f"/humans/bodies/p1/{name}" for name in names}
    expected |= {f"/humans/faces/fp1/{name}" for name in ("roi", "cropped", "landmarks")}
    graph.spin_until(lambda: expected <= humans(graph))
    until(graph, provider, (p1, p2), lambda: lists[-1].ids == ["p1", "p2"])
    until(graph, provider, (p2,), lambda: lists[-1].ids == ["p2"])
    graph.spin_until(lambda: not any("/p1/" in topic or "/fp1/" in topic for topic in humans(graph)))
    until(graph, provider, (), lambda: lists[-1].ids == [])
    assert lists[-1].header.frame_id == "optical"
    graph.spin_until(lambda: not any("/p2/" in topic for topic in humans(graph)))


def test_a_miss_of_a_frame_changes_nothing(graph: Graph, provide: Any) -> None:
    provider = provide()
    lists = listen(graph, IdsList, "/humans/bodies/tracked")
    p1 = somebody("p1")
    until(graph, provider, (p1,), lambda: lists)
    provider.send()
    provider.send(p1)
    header = provider.send()
    graph.spin_until(lambda: lists[-1].header.stamp == header.stamp)
    assert all(message.ids == ["p1"] for message in lists)


def test_messages_have_the_image_s_stamp_and_what_they_should_hold(graph: Graph, provide: Any) -> None:
    provider = provide()
    p1 = somebody("p1")
    provider.send(p1)
    base = "/humans/bodies/p1"
    rois = listen(graph, NormalizedRegionOfInterest2D, f"{base}/roi")
    skeletons = listen(graph, Skeleton2D, f"{base}/skeleton2d")
    states = listen(graph, JointState, f"{base}/joint_states")
    crops = listen(graph, Image, f"{base}/cropped")
    faces = listen(graph, Image, "/humans/faces/fp1/cropped")
    landmarks = listen(graph, FacialLandmarks, "/humans/faces/fp1/landmarks")
    matches = listen(graph, IdsMatch, "/humans/candidate_matches")
    everything = (rois, skeletons, states, crops, faces, landmarks)
    until(graph, provider, (p1,), lambda: all(everything) and matches)
    header = provider.send(p1)
    graph.spin_until(lambda: all(messages[-1].header == header for messages in everything))
    wrist = (p1.joints_image[JOINT_INDEX["left_wrist"]] + 0.5) / (640, 480)
    point = skeletons[-1].skeleton[Skeleton2D.LEFT_WRIST]
    assert (point.x, point.y) == pytest.approx(np.clip(wrist, 0, 1), abs=1e-5)
    assert rois[-1].xmin == pytest.approx(max(p1.box.x0, 0) / 640, abs=1e-6)
    assert len(states[-1].name) == len(states[-1].position) == 20
    assert all(name.endswith("_p1") for name in states[-1].name)
    assert (faces[-1].width, faces[-1].height, faces[-1].encoding) == (128, 128, "rgb8")
    assert crops[-1].height > 100
    assert set(crops[-1].data) == {90}
    assert (landmarks[-1].width, landmarks[-1].height) == (640, 480)
    match = matches[-1]
    assert (match.id1, match.id1_type, match.id2, match.id2_type) == ("fp1", IdsMatch.FACE, "p1", IdsMatch.BODY)


def test_a_face_that_is_gone_belongs_to_nobody(graph: Graph, provide: Any) -> None:
    provider = provide()
    matches = listen(graph, IdsMatch, "/humans/candidate_matches")
    p1 = somebody("p1")
    until(graph, provider, (p1,), lambda: matches and matches[-1].confidence == 1.0)
    until(graph, provider, (), lambda: matches[-1].confidence == 0.0)
    assert (matches[-1].id1, matches[-1].id2) == ("fp1", "p1")


def test_who_comes_late_gets_urdf_and_list(graph: Graph, provide: Any) -> None:
    provider = provide()
    provider.send(somebody("p1"))
    urdfs = listen(graph, String, "/humans/bodies/p1/urdf", LATCHED)
    lists = listen(graph, IdsList, "/humans/bodies/tracked", LATCHED)
    graph.spin_until(lambda: urdfs and lists)
    assert 'link name="l_wrist_p1"' in urdfs[-1].data
    assert lists[-1].ids == ["p1"]


def test_publishers_are_reliable(graph: Graph, provide: Any) -> None:
    provider = provide()
    provider.send(somebody("p1"))
    graph.spin_until(lambda: "/humans/bodies/p1/urdf" in humans(graph))
    for topic in humans(graph):
        for info in graph.node.get_publishers_info_by_topic(topic):
            assert info.qos_profile.reliability == ReliabilityPolicy.RELIABLE, topic


def test_tf_has_the_model_where_smplx_has_its_joints(graph: Graph, provide: Any) -> None:
    provider = provide(tf__rep155_links=True)
    tf = listen(graph, TFMessage, "/tf")
    p1 = somebody("p1", 4)
    until(graph, provider, (p1,), lambda: tf)
    assert len({(t.header.stamp.sec, t.header.stamp.nanosec) for t in tf[-1].transforms}) == 1
    positions, rotations = chain(tf[-1].transforms, "optical")
    for link, joint in (("l_wrist", "left_wrist"), ("r_elbow", "right_elbow"), ("l_ankle", "left_ankle")):
        distance = np.linalg.norm(positions[f"{link}_p1"] - positions[f"smplx_0/{joint}"])
        assert distance < 0.002, link
    np.testing.assert_allclose(positions["gaze_fp1"], positions["face_fp1"])
    np.testing.assert_allclose(rotations["head_p1"], rotations["face_fp1"], atol=1e-3)
    np.testing.assert_allclose(positions["body_p1"], p1.joints[[1, 2]].mean(axis=0), atol=1e-5)


@pytest.mark.parametrize(
    ("switch", "gone", "left"),
    [
        ({"tf__body": False}, "smplx_0/left_wrist", "smplx_0/left_index1"),
        ({"tf__hands": False}, "smplx_0/left_index1", "smplx_0/left_wrist"),
        ({"tf__face": False}, "smplx_0/jaw", "smplx_0/head"),
        ({"tf__rep155": False}, "body_p1", "smplx_0/pelvis"),
        ({"rep155__enabled": False}, "body_p1", "smplx_0/pelvis"),
    ],
)
def test_tf_is_switched_by_groups(graph: Graph, provide: Any, switch: dict[str, bool], gone: str, left: str) -> None:
    provider = provide(**switch)
    tf = listen(graph, TFMessage, "/tf")
    until(graph, provider, (somebody("p1"),), lambda: tf)
    children = {t.child_frame_id for t in tf[-1].transforms}
    assert gone not in children
    assert left in children
    parents = {t.header.frame_id for t in tf[-1].transforms}
    assert parents <= children | {"optical"}


@pytest.mark.parametrize(("links", "frames"), [(False, 3), (True, 3 + 26)])
def test_a_visitor_costs_tf_listeners_the_frames_that_carry_the_id(
    graph: Graph, provide: Any, links: bool, frames: int
) -> None:
    provider = provide(tf__rep155_links=True) if links else provide()
    tf = listen(graph, TFMessage, "/tf")
    until(graph, provider, (somebody("p1"),), lambda: tf)
    named = [transform.child_frame_id for transform in tf[-1].transforms]
    assert sum(name.endswith("p1") for name in named) == frames
    assert sum(name.startswith("smplx_0/") for name in named) == 55 == len(named) - frames


def test_cameras_share_the_list(graph: Graph, provide: Any) -> None:
    provider = provide(cameras=("left", "right"))
    lists = listen(graph, IdsList, "/humans/bodies/tracked")
    p1, p2 = somebody("p1"), somebody("p2", 1)

    def sent() -> Any:
        provider.send(p1, camera="left")
        provider.send(p2, camera="right")
        return lists and sorted(lists[-1].ids) == ["p1", "p2"]

    graph.spin_until(sent)
    for _ in range(10):
        provider.send(p1, camera="left")
        header = provider.send(camera="right")
    graph.spin_until(lambda: lists[-1].header.stamp == header.stamp)
    assert lists[-1].ids == ["p1"]


def test_when_the_images_stop_nobody_is_tracked(graph: Graph, provide: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_module, "SILENCE_S", 0.2)
    provider = provide()
    lists = listen(graph, IdsList, "/humans/bodies/tracked")
    until(graph, provider, (somebody("p1"),), lambda: lists and lists[-1].ids)
    graph._executor.add_node(provider.node)
    graph.spin_until(lambda: not lists[-1].ids)
    graph._executor.remove_node(provider.node)
    graph.spin_until(lambda: not any("/p1/" in topic for topic in humans(graph)))


def test_deactivation_takes_everybody_off_the_list(graph: Graph, provide: Any) -> None:
    provider = provide()
    lists = listen(graph, IdsList, "/humans/faces/tracked")
    until(graph, provider, (somebody("p1"),), lambda: lists and lists[-1].ids == ["fp1"])
    provider.output.clear()
    graph.spin_until(lambda: not lists[-1].ids)


def remembered(provider: Provider) -> set[str]:
    """Whose measures REP-155's kinematic model keeps."""
    return set(provider.output._rep155._tracker._memory)


def test_nothing_is_remembered_of_those_who_were_cleared(graph: Graph, provide: Any) -> None:
    """They get other ids when they come back: whatever is kept is kept for ever."""
    provider = provide()
    for k in range(200):
        provider.send(somebody(f"p{k}"))
        provider.output.clear()
    assert remembered(provider) == set()


def test_nothing_is_remembered_of_those_who_left_or_were_there_when_the_images_stopped(
    graph: Graph, provide: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_module, "SILENCE_S", 0.2)
    provider = provide()
    for k in range(30):
        provider.send(somebody(f"p{k}"))
    assert len(remembered(provider)) <= 7  # of half a second
    graph._executor.add_node(provider.node)
    graph.spin_until(lambda: not remembered(provider))
    graph._executor.remove_node(provider.node)


def test_crops_can_be_forbidden(graph: Graph, provide: Any) -> None:
    provider = provide(rep155__cropped=False)
    p1 = somebody("p1")
    provider.send(p1)
    crops = listen(graph, Image, "/humans/bodies/p1/cropped")
    rois = listen(graph, NormalizedRegionOfInterest2D, "/humans/bodies/p1/roi")
    until(graph, provider, (p1,), lambda: len(rois) > 3)
    assert crops == []


def test_nobody_subscribed_means_nothing_computed(provide: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def computed(*_: Any, **__: Any) -> Any:
        raise AssertionError("computed, though nobody listens")

    provider = provide(markers__mesh=True)
    monkeypatch.setattr(output_module, "Scene", computed)
    monkeypatch.setattr(output_module.DrawingClient, "show", computed)
    monkeypatch.setattr(provider_module, "crop", computed)
    monkeypatch.setattr(provider_module, "fitted_crop", computed)
    monkeypatch.setattr(provider_module, "keypoints", computed)
    monkeypatch.setattr(provider_module, "normalized_points", computed)
    monkeypatch.setattr(type(BODY), "vertices", computed)
    monkeypatch.setattr(type(BODY), "extra_joints", computed)
    monkeypatch.setattr("smplerx_ros.ros.conversions.to_detection_array.detection_array", computed)
    for _ in range(3):
        provider.send(somebody("p1"), somebody("p2", 1))


@pytest.mark.parametrize(
    ("kind", "topic"),
    [
        (Image, "/provider/overlay"),
        (CompressedImage, "/provider/overlay/compressed"),
        (MarkerArray, "/provider/markers"),
        (Image, "/humans/bodies/p1/cropped"),
        (Image, "/humans/faces/fp1/cropped"),
        (Skeleton2D, "/humans/bodies/p1/skeleton2d"),
        (FacialLandmarks, "/humans/faces/fp1/landmarks"),
        (Detection2DArray, "/provider/detections"),
    ],
)
def test_what_is_asked_for_comes(graph: Graph, provide: Any, kind: type[Any], topic: str) -> None:
    provider = provide()
    p1 = somebody("p1")
    provider.send(p1)
    arrived = listen(graph, kind, topic)
    until(graph, provider, (p1,), lambda: arrived)


def test_detections_are_boxes_with_ids_and_the_image_s_header(graph: Graph, provide: Any) -> None:
    provider = provide()
    arrays = listen(graph, Detection2DArray, "/provider/detections")
    p1 = somebody("p1")
    until(graph, provider, (p1,), lambda: arrays)
    header = provider.send(p1)
    graph.spin_until(lambda: arrays[-1].header == header)
    (detection,) = arrays[-1].detections
    assert (detection.id, detection.header) == ("p1", header)
    assert detection.results[0].hypothesis.class_id == "person"
    assert detection.results[0].hypothesis.score == pytest.approx(0.9)
    box = p1.box
    x0, x1 = max(box.x0, 0), min(box.x1, 640)
    assert detection.bbox.center.position.x == pytest.approx((x0 + x1) / 2)
    assert detection.bbox.size_x == pytest.approx(x1 - x0)
    until(graph, provider, (), lambda: arrays[-1].detections == [])


def test_without_hri_msgs_a_line_says_so_and_nothing_breaks(
    graph: Graph, provide: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(humans_module, "find_spec", lambda name: None if name == "hri_msgs" else find_spec(name))
    people = listen(graph, PersonArray, "/provider/people")
    provider = provide()
    until(graph, provider, (somebody("p1"),), lambda: people)
    assert humans(graph) == set()


class FakeTargetFrame:
    """The camera is 1 m above the origin of `map` and looks along x; or nobody knows."""

    def __init__(self, node: Any, name: str) -> None:
        self.name = name
        self.known = True

    def placement(self, header: Any) -> Placement:
        if not self.known:
            raise InputError("target_frame 'map': no transform from 'optical'")
        return Placement(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([0.0, 0.0, 1.0]))

    def destroy(self) -> None:
        pass


def test_a_target_frame_moves_messages_and_markers_but_no_tf(
    graph: Graph, provide: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_module, "TargetFrame", FakeTargetFrame)
    provider = provide(target_frame="map")
    people = listen(graph, PersonArray, "/provider/people")
    markers = listen(graph, MarkerArray, "/provider/markers")
    tf = listen(graph, TFMessage, "/tf")
    p1 = somebody("p1")
    until(graph, provider, (p1,), lambda: people and markers and tf)
    assert people[-1].header.frame_id == markers[-1].markers[0].header.frame_id == "map"
    assert people[-1].camera_info.header.frame_id == "optical"  # pixels stay the camera's
    pelvis = people[-1].people[0].pose.pose.position
    x, y, z = p1.joints[0]
    assert (pelvis.x, pelvis.y, pelvis.z) == pytest.approx((z, -x, 1 - y), abs=1e-5)
    joint, optical = people[-1].people[0].joints[0], p1.joints[0]
    assert (joint.x, joint.y, joint.z) == pytest.approx((optical[2], -optical[0], 1 - optical[1]), abs=1e-5)
    label = next(marker for marker in markers[-1].markers if marker.ns == "label")
    head = people[-1].people[0].joints[JOINT_INDEX["head"]]
    assert label.pose.position.z == pytest.approx(head.z + 0.25, abs=1e-5)
    roots = {t.header.frame_id for t in tf[-1].transforms} - {t.child_frame_id for t in tf[-1].transforms}
    assert roots == {"optical"}


def test_velocities_in_a_target_frame_are_not_those_against_a_camera_that_moves(
    graph: Graph, provide: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A robot drives at 1 m/s towards somebody who stands: the camera sees them come at 1 m/s."""

    class Driving(FakeTargetFrame):
        def placement(self, header: Any) -> Placement:
            seconds = header.stamp.sec % 10**6 + header.stamp.nanosec * 1e-9
            return Placement(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([seconds, 0.0, 1.0]))

    monkeypatch.setattr(output_module, "TargetFrame", Driving)
    provider = provide(target_frame="map")
    people = listen(graph, PersonArray, "/provider/people")
    p1, sent = somebody("p1"), 0

    def came() -> Any:
        nonlocal sent
        towards = np.array([0.0, 0.0, -PERIOD_S * sent])
        against = np.array([0.0, 0.0, -1.0])
        sent += 1
        joints = (p1.joints + towards).astype(np.float32)
        velocities = dict.fromkeys(("root_velocity", "left_wrist_velocity", "right_wrist_velocity"), against)
        provider.send(replace(p1, joints=joints, **velocities))
        return len(people) > 3

    graph.spin_until(came)
    assert all(message.camera_info.header.stamp == message.header.stamp for message in people)
    for name in ("root_velocity", "left_wrist_velocity", "right_wrist_velocity"):
        velocity = getattr(people[-1].people[0], name)
        assert (velocity.x, velocity.y, velocity.z) == pytest.approx((0, 0, 0), abs=1e-3)


def test_without_its_transform_people_are_dropped_and_the_rest_goes_out(
    graph: Graph, provide: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_module, "TargetFrame", FakeTargetFrame)
    provider = provide(target_frame="map")
    provider.output._target.known = False
    people = listen(graph, PersonArray, "/provider/people")
    tf = listen(graph, TFMessage, "/tf")
    lists = listen(graph, IdsList, "/humans/bodies/tracked")

    def sent() -> Any:
        with pytest.raises(InputError, match="no transform"):
            provider.send(somebody("p1"))
        return tf and lists

    graph.spin_until(sent)
    assert people == []


@pytest.mark.skipif(find_spec("tf2_ros") is not None, reason="tf2_ros is installed")
def test_a_target_frame_needs_tf2_ros(provide: Any) -> None:
    with pytest.raises(ConfigError, match="tf2_ros"):
        provide(target_frame="map")
