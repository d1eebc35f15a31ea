"""RViz's markers: one set a person, deleted when the person leaves, ids never used twice."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from fake_estimator import make_person, random_params
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from smplerx_ros.geometry.camera import Camera
from smplerx_ros.ros.conversions.markers import MarkerWriter
from smplerx_ros.types import Person
from smplerx_ros.visualization.decimation import DecimatedMesh
from support.bodies import standin

HEADER = Header(stamp=Time(sec=7, nanosec=5), frame_id="camera")
BODY = standin()
MESH = cache(partial(DecimatedMesh.of, BODY, 3000))


def somebody(person_id: str) -> Person:
    return make_person(BODY, Camera.from_fov(640, 480), random_params(0), person_id)


class Rviz:
    """What RViz would show after each message."""

    def __init__(self) -> None:
        self.shown: dict[tuple[str, int], Marker] = {}

    def take(self, written: bytes) -> None:
        message = deserialize_message(written, MarkerArray)
        assert len(serialize_message(message)) == len(written)  # not equal: rclpy's gaps hold what was there before
        keys = [(marker.ns, marker.id) for marker in message.markers]
        assert len(set(keys)) == len(keys)
        for marker, key in zip(message.markers, keys, strict=True):
            if marker.action == Marker.DELETE:
                self.shown.pop(key, None)
            else:
                self.shown[key] = marker


def test_bones_joints_and_label_are_where_the_person_is() -> None:
    person = somebody("p1")
    rviz = Rviz()
    rviz.take(MarkerWriter(MESH).update([person], HEADER, mesh=False))
    assert {namespace for namespace, _ in rviz.shown} == {"bones", "joints", "label"}
    markers = {namespace: marker for (namespace, _), marker in rviz.shown.items()}
    joints = [[p.x, p.y, p.z] for p in markers["joints"].points]
    np.testing.assert_allclose(joints, person.joints, atol=1e-6)
    assert len(markers["bones"].points) == len(markers["bones"].colors) == 2 * 54
    assert markers["label"].text == "p1"
    assert markers["label"].pose.position.y < person.joints[15, 1]  # above the head
    assert all(marker.pose.orientation.w == 1.0 and marker.header == HEADER for marker in rviz.shown.values())
    alphas = [color.a for color in markers["joints"].colors]
    assert alphas == sorted(alphas)  # the person's confidence grows with the joint's index
    assert alphas[0] < 0.3 < 0.99 < alphas[-1]


def test_the_mesh_is_the_bodys() -> None:
    person, rviz = somebody("p1"), Rviz()
    rviz.take(MarkerWriter(MESH).update([person], HEADER, mesh=True))
    (mesh,) = [marker for (namespace, _), marker in rviz.shown.items() if namespace == "mesh"]
    points = np.array([[p.x, p.y, p.z] for p in mesh.points])
    assert len(points) == 3 * 3000
    whole = BODY.vertices(person.params)[0]
    nearest = [np.abs(whole - point).max(axis=1).min() for point in points[::50]]
    assert max(nearest) < 1e-6
    assert mesh.color.a == 1.0


@pytest.mark.parametrize("name", ["p1", "p12", "p123", "p1234", "person_ü"])
def test_it_is_written_as_rclpy_writes_it(name: str) -> None:
    rviz = Rviz()
    rviz.take(MarkerWriter(MESH).update([somebody(name), somebody("q")], HEADER, mesh=True, lifetime=2.9999999999))
    assert {marker.text for marker in rviz.shown.values()} == {"", name, "q"}
    blank = Marker()
    for (namespace, number), marker in rviz.shown.items():
        assert marker.header == HEADER
        assert (marker.ns, marker.id, marker.action) == (namespace, number, Marker.ADD)
        for field in ("texture", "uv_coordinates", "mesh_resource", "mesh_file", "frame_locked", "texture_resource"):
            assert getattr(marker, field) == getattr(blank, field)
        assert marker.mesh_use_embedded_materials is False
    assert {(m.lifetime.sec, m.lifetime.nanosec) for m in rviz.shown.values()} == {(3, 0)}


def test_every_marker_has_a_lifetime() -> None:
    rviz = Rviz()
    rviz.take(MarkerWriter(MESH).update([somebody("p1")], HEADER, mesh=True))
    assert {(m.lifetime.sec, m.lifetime.nanosec) for m in rviz.shown.values()} == {(2, 0)}


def test_a_joint_whose_confidence_nobody_knows_is_not_faint() -> None:
    person, rviz = somebody("p1"), Rviz()
    unknown = replace(person, confidence=np.full(55, np.nan))
    rviz.take(MarkerWriter(MESH).update([unknown], HEADER, mesh=False))
    assert {color.a for color in rviz.shown["joints", 1].colors} == {1.0}


def test_who_leaves_is_deleted_and_never_comes_back_under_the_same_number() -> None:
    writer, rviz = MarkerWriter(MESH), Rviz()
    rviz.take(writer.update([somebody("p1"), somebody("p2")], HEADER, mesh=True))
    first = {number for _, number in rviz.shown}
    rviz.take(writer.update([somebody("p2")], HEADER, mesh=True))
    assert {marker.text for (ns, _), marker in rviz.shown.items() if ns == "label"} == {"p2"}
    assert len({number for _, number in rviz.shown}) == 1
    rviz.take(writer.update([somebody("p3")], HEADER, mesh=True))
    assert not first & {number for _, number in rviz.shown}
    rviz.take(writer.clear(HEADER) or b"")
    assert rviz.shown == {}
    assert writer.clear(HEADER) is None


def test_the_mesh_goes_when_switched_off() -> None:
    writer, rviz = MarkerWriter(MESH), Rviz()
    rviz.take(writer.update([somebody("p1")], HEADER, mesh=True))
    rviz.take(writer.update([somebody("p1")], HEADER, mesh=False))
    assert {namespace for namespace, _ in rviz.shown} == {"bones", "joints", "label"}


def test_a_thousand_people_leave_nothing_behind() -> None:
    writer, rviz = MarkerWriter(MESH), Rviz()
    for n in range(1000):
        rviz.take(writer.update([somebody(f"p{n}")] if n % 2 else [], HEADER, mesh=False))
        assert len(rviz.shown) in (0, 3)
