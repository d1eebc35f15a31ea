"""People that went through a message are the same people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fake_estimator import make_people, make_person, random_params
from std_msgs.msg import Header
from vision_msgs.msg import BoundingBox2D

from smplerx_ros.geometry.camera import Camera
from smplerx_ros.ros.conversions.camera_info import info_from_camera
from smplerx_ros.ros.conversions.from_person_array import people_from_message, stamp_ns
from smplerx_ros.ros.conversions.to_person_array import person_array
from smplerx_ros.types import PARAM_SIZES, DistanceSource, Frame
from support.bodies import standin

CAMERA = Camera.from_fov(640, 480)
FRAME = Frame(np.zeros((480, 640, 3), np.uint8), CAMERA)


VELOCITIES = ("root_velocity", "left_wrist_velocity", "right_wrist_velocity")


@pytest.fixture(scope="module")
def body():
    return standin()


def with_everything(person, seed):
    known = {
        "pose_covariance": np.diag(seed + np.arange(6.0)),
        "distance_source": DistanceSource.GIVEN_HEIGHT,
        "joints_in_image": np.arange(55) % (seed + 1) == 0,
    }
    return replace(
        person,
        **known,
        since_detection_s=(np.nan, 0.25)[seed % 2],
        **{name: 10.0 * seed + 3 * k + np.arange(3.0) for k, name in enumerate(VELOCITIES)},
    )


def test_people_come_back(body):
    people = [with_everything(make_person(body, CAMERA, random_params(seed), f"p{seed}"), seed) for seed in (1, 2)]
    header = Header(frame_id="camera")
    header.stamp.sec, header.stamp.nanosec = 12, 34
    message = person_array(make_people(FRAME, body, people, CAMERA), header, info_from_camera(CAMERA, header))
    assert stamp_ns(message) == 12_000_000_034
    for before, after in zip(people, people_from_message(message), strict=True):
        assert after.id == before.id
        assert after.params.estimated == before.params.estimated
        assert after.score == pytest.approx(before.score)
        for name in PARAM_SIZES:
            np.testing.assert_array_equal(getattr(after.params, name), getattr(before.params, name), err_msg=name)
        for name in ("joints", "joints_image", "confidence", "pose_covariance", *VELOCITIES):
            np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(after.box.xyxy, before.box.xyxy, atol=1e-9)
        np.testing.assert_array_equal(after.joints_in_image, before.joints_in_image)
        assert after.distance_source is before.distance_source
        np.testing.assert_equal(after.since_detection_s, before.since_detection_s)


def test_a_distance_source_of_a_later_version_is_unknown(body):
    person = make_person(body, CAMERA, random_params(3))
    message = person_array(make_people(FRAME, body, [person], CAMERA), Header(), info_from_camera(CAMERA, Header()))
    message.people[0].distance_source = 200
    assert people_from_message(message)[0].distance_source is DistanceSource.UNKNOWN


def test_a_box_without_a_size_is_no_exception(body):
    person = make_person(body, CAMERA, random_params(3))
    message = person_array(make_people(FRAME, body, [person], CAMERA), Header(), info_from_camera(CAMERA, Header()))
    message.people[0].bbox = BoundingBox2D()
    assert people_from_message(message)[0].id == person.id
