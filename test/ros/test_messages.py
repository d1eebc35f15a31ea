"""People to PersonArray: every number where it belongs, survives the wire, and unknown is NaN."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from fake_estimator import make_people, make_person, random_params
from rclpy.serialization import deserialize_message, serialize_message
from smplerx_ros.msg import Person, PersonArray, SmplxParams
from std_msgs.msg import Header

from smplerx_ros.body import load_body
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.ros.messages import person_array, region_of_interest
from smplerx_ros.types import PARAM_SIZES, Box, Estimated, Frame

HEADER = Header(stamp=Time(sec=7, nanosec=8), frame_id="camera")
FRAME = Frame(np.ones((480, 640, 3), np.uint8), None, 7_000_000_008, "camera")
CAMERA = Camera.from_fov(640, 480)
BODY = load_body()


def sent(people, camera: Camera = CAMERA) -> PersonArray:  # type: ignore[no-untyped-def]
    message = person_array(make_people(FRAME, BODY, people, camera), HEADER)
    return deserialize_message(serialize_message(message), PersonArray)


def test_what_is_not_done_is_said() -> None:
    people = replace(make_people(FRAME, BODY, [], CAMERA), left_out=3, degraded="at most 2 people")
    message = person_array(people, HEADER)
    assert (message.left_out, message.degraded) == (3, "at most 2 people")
    assert (sent([]).left_out, sent([]).degraded) == (0, "")


def test_unknown_confidence_arrives_as_nan() -> None:
    person = replace(make_person(BODY, CAMERA, random_params(3)), confidence=np.r_[np.full(54, np.nan), 0.0])
    (message,) = sent([person]).people
    np.testing.assert_array_equal(message.confidence, person.confidence)


def test_everything_arrives() -> None:
    person = make_person(BODY, CAMERA, random_params(3), "p12")
    velocities = {
        "root_velocity": np.array([1.0, 2.0, 3.0]),
        "left_wrist_velocity": np.array([4.0, 5.0, 6.0]),
        "right_wrist_velocity": np.array([7.0, 8.0, 9.0]),
    }
    person = replace(person, pose_covariance=np.arange(36.0).reshape(6, 6), **velocities)
    array = sent([person])
    assert array.header == HEADER
    assert (array.backbone, array.body_model, array.runtime) == ("fake", "standin_anny", "none")
    assert [(s.name, s.duration.sec, s.duration.nanosec) for s in array.stages] == [
        ("detection", 0, 250_000_000),
        ("fit", 1, 500_000_000),
    ]
    (message,) = array.people
    assert (message.id, message.score) == ("p12", pytest.approx(0.9))
    np.testing.assert_allclose([[p.x, p.y, p.z] for p in message.joints], person.joints, rtol=1e-6)
    np.testing.assert_allclose(message.joints_image.reshape(55, 2), person.joints_image, rtol=1e-6)
    np.testing.assert_allclose(message.confidence, person.confidence, rtol=1e-6)
    np.testing.assert_array_equal(message.pose_covariance.reshape(6, 6), person.pose_covariance)
    for name, velocity in velocities.items():
        vector = getattr(message, name)
        assert [vector.x, vector.y, vector.z] == velocity.tolist(), name
    for name in PARAM_SIZES:
        np.testing.assert_array_equal(getattr(message.params, name), getattr(person.params, name), err_msg=name)
    assert np.isnan(message.params.leye_pose).all()
    assert message.params.estimated == int(person.params.estimated)


@pytest.mark.parametrize("name", ["root_velocity", "left_wrist_velocity", "right_wrist_velocity"])
def test_a_velocity_that_is_not_known_is_nan_and_spoils_no_other(name: str) -> None:
    known = dict.fromkeys(("root_velocity", "left_wrist_velocity", "right_wrist_velocity"), np.ones(3))
    person = replace(make_person(BODY, CAMERA, random_params(3)), **known | {name: np.full(3, np.nan)})
    (message,) = sent([person]).people
    for other in known:
        vector = getattr(message, other)
        assert np.isnan([vector.x, vector.y, vector.z]).all() == (other == name)


def test_nobody_is_an_empty_array() -> None:
    assert sent([]).people == []


def test_where_the_intrinsics_come_from() -> None:
    assert sent([]).camera_source == PersonArray.CAMERA_SOURCE_DEFAULT_FOV
    known = Camera(640, 480, np.diag([500.0, 500.0, 1.0]))
    assert sent([], known).camera_source == PersonArray.CAMERA_SOURCE_CAMERA_INFO


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (Box(10.5, 20.2, 30.1, 40.0), (10, 20, 21, 20)),
        (Box(-50, -60, 700, 500), (0, 0, 640, 480)),
        (Box(-50, -60, -10, -5), (0, 0, 0, 0)),
        (Box(1e12, 0, 2e12, 10), (640, 0, 0, 10)),
    ],
)
def test_boxes_are_clipped_to_the_image(box: Box, expected: tuple[int, ...]) -> None:
    roi = region_of_interest(box, 640, 480)
    assert (roi.x_offset, roi.y_offset, roi.width, roi.height) == expected


def test_constants_agree_with_the_package() -> None:
    for name, index in JOINT_INDEX.items():
        assert getattr(Person, f"JOINT_{name.upper()}") == index
    for flag in Estimated:
        assert getattr(SmplxParams, f"ESTIMATED_{flag.name}") == flag.value
