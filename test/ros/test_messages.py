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

from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.rotations import quaternion_from_matrix
from smplerx_ros.ros.conversions.camera_info import info_from_camera
from smplerx_ros.ros.conversions.from_person_array import camera_from_message
from smplerx_ros.ros.conversions.to_person_array import person_array
from smplerx_ros.types import PARAM_SIZES, Degradation, DistanceSource, Frame
from support.bodies import standin

HEADER = Header(stamp=Time(sec=7, nanosec=8), frame_id="camera")
FRAME = Frame(np.ones((480, 640, 3), np.uint8), None, 7_000_000_008, "camera")
CAMERA = Camera.from_fov(640, 480)
BODY = standin()


def sent(people, camera: Camera = CAMERA) -> PersonArray:  # type: ignore[no-untyped-def]
    message = person_array(make_people(FRAME, BODY, people, camera), HEADER, info_from_camera(camera, HEADER))
    return deserialize_message(serialize_message(message), PersonArray)


def test_what_is_not_done_is_said() -> None:
    degraded = Degradation.MAX_PEOPLE | Degradation.BACKBONE
    people = replace(make_people(FRAME, BODY, [], CAMERA), num_not_estimated=3, degraded=degraded)
    message = person_array(people, HEADER, info_from_camera(CAMERA, HEADER))
    assert message.num_not_estimated == 3
    assert message.degraded == PersonArray.DEGRADED_MAX_PEOPLE | PersonArray.DEGRADED_BACKBONE
    assert (sent([]).num_not_estimated, sent([]).degraded) == (0, 0)


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
    person = replace(
        person,
        pose_covariance=np.arange(36.0).reshape(6, 6),
        joints_in_image=np.arange(55) % 3 == 0,
        distance_source=DistanceSource.DEPTH,
        since_detection_s=1.25,
        **velocities,
    )
    array = sent([person])
    assert array.header == HEADER
    assert (array.backbone, array.body_model) == ("fake", "standin_anny")
    (message,) = array.people
    assert (message.id, message.score) == ("p12", pytest.approx(0.9))
    np.testing.assert_allclose([[p.x, p.y, p.z] for p in message.joints], person.joints, rtol=1e-6)
    np.testing.assert_allclose(message.joints_image.reshape(55, 2), person.joints_image, rtol=1e-6)
    np.testing.assert_allclose(message.confidence, person.confidence, rtol=1e-6)
    np.testing.assert_array_equal(message.joints_in_image, person.joints_in_image)
    np.testing.assert_array_equal(message.pose.covariance.reshape(6, 6), person.pose_covariance)
    assert message.distance_source == Person.DISTANCE_SOURCE_DEPTH
    assert (message.time_since_detection.sec, message.time_since_detection.nanosec) == (1, 250_000_000)
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


def test_the_pelvis_is_a_pose() -> None:
    """Position and rotation of joint 0, without a body model, of each person its own."""
    people = [make_person(BODY, CAMERA, random_params(seed)) for seed in (1, 2, 3)]
    for person, message in zip(people, sent(people).people, strict=True):
        position, q = message.pose.pose.position, message.pose.pose.orientation
        np.testing.assert_allclose([position.x, position.y, position.z], person.joints[0], atol=1e-6)
        turned = quaternion_from_matrix(BODY.transforms(person.params)[0][0, 0])
        np.testing.assert_allclose(np.array([q.x, q.y, q.z, q.w]) * np.sign(q.w), turned, atol=1e-6)


@pytest.mark.parametrize(("place", "turn"), [(True, False), (False, True), (False, False)])
def test_what_is_not_known_of_the_pose_has_a_large_variance_and_is_never_nan(place: bool, turn: bool) -> None:
    covariance = np.full((6, 6), np.nan)
    for known, block in ((place, slice(3)), (turn, slice(3, 6))):
        if known:
            covariance[block, block] = np.diag([1.0, 2.0, 3.0])
    person = replace(make_person(BODY, CAMERA, random_params(3)), pose_covariance=covariance)
    got = sent([person]).people[0].pose.covariance.reshape(6, 6)
    large = [Person.UNKNOWN_VARIANCE] * 3
    expected = np.diag([*([1, 2, 3] if place else large), *([1, 2, 3] if turn else large)])
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("seconds", [float("nan"), 0.0, 0.1, 123.456])
def test_time_since_detection_is_negative_where_it_is_not_known(seconds: float) -> None:
    person = replace(make_person(BODY, CAMERA, random_params(3)), since_detection_s=seconds)
    since = sent([person]).people[0].time_since_detection
    assert since.sec + since.nanosec * 1e-9 == pytest.approx(-1 if np.isnan(seconds) else seconds, abs=1e-9)


@pytest.mark.parametrize("box", [Box(10.5, 20.2, 30.1, 40.0), Box(-50.25, -60, 700, 500), Box(-50, -60, -10, -5)])
def test_boxes_keep_their_fractions_and_may_leave_the_image(box: Box) -> None:
    (message,) = sent([replace(make_person(BODY, CAMERA, random_params(3)), box=box)]).people
    bbox = message.bbox
    x, y = bbox.center.position.x, bbox.center.position.y
    corners = [x - bbox.size_x / 2, y - bbox.size_y / 2, x + bbox.size_x / 2, y + bbox.size_y / 2]
    np.testing.assert_allclose(corners, box.xyxy, atol=1e-9)
    assert bbox.center.theta == 0


@pytest.mark.parametrize(
    "camera",
    [
        CAMERA,
        Camera(640, 480, np.array([[500.0, 1, 310], [0, 510, 230], [0, 0, 1]]), np.array([0.1, -0.2, 0.01, 0.02, 0.3])),
        Camera(640, 480, np.array([[200.0, 0, 320], [0, 200, 240], [0, 0, 1]]), np.zeros(4), "equidistant"),
        Camera(640, 480, np.diag([500.0, 500, 1]), centre=np.array([0.12, 0.0, 0.0])),  # right of a stereo pair
    ],
)
def test_the_camera_comes_back(camera: Camera) -> None:
    message = sent([], camera)
    assert (message.camera_info.width, message.camera_info.height) == (640, 480)
    assert message.camera_info.header == HEADER
    again = camera_from_message(message, "people")
    assert again.sees_like(camera)
    assert again.calibrated == camera.calibrated
    np.testing.assert_allclose(again.centre, camera.centre, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "gender"),
    [("SMPLX_FEMALE", SmplxParams.GENDER_FEMALE), ("SMPLX_NEUTRAL", SmplxParams.GENDER_NEUTRAL), ("standin_anny", 0)],
)
def test_the_gender_is_the_body_models(name: str, gender: int) -> None:
    people = replace(make_people(FRAME, BODY, [make_person(BODY, CAMERA, random_params(3))], CAMERA), body_model=name)
    message = person_array(people, HEADER, info_from_camera(CAMERA, HEADER))
    assert message.people[0].params.gender == gender
