"""People that went through a message are the same people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fake_estimator import make_people, make_person, random_params
from std_msgs.msg import Header

from smplerx_ros.body import load_body
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.ros.from_messages import people_from_message, stamp_ns
from smplerx_ros.ros.messages import person_array
from smplerx_ros.types import PARAM_SIZES, Frame

CAMERA = Camera.from_fov(640, 480)
FRAME = Frame(np.zeros((480, 640, 3), np.uint8), CAMERA)


VELOCITIES = ("root_velocity", "left_wrist_velocity", "right_wrist_velocity")


@pytest.fixture(scope="module")
def body():
    return load_body()


def with_velocities(person, seed):
    return replace(person, **{name: 10.0 * seed + 3 * k + np.arange(3.0) for k, name in enumerate(VELOCITIES)})


def test_people_come_back(body):
    people = [with_velocities(make_person(body, CAMERA, random_params(seed), f"p{seed}"), seed) for seed in (1, 2)]
    header = Header(frame_id="camera")
    header.stamp.sec, header.stamp.nanosec = 12, 34
    message = person_array(make_people(FRAME, body, people, CAMERA), header)
    assert stamp_ns(message) == 12_000_000_034
    for before, after in zip(people, people_from_message(message), strict=True):
        assert after.id == before.id
        assert after.params.estimated == before.params.estimated
        assert after.score == pytest.approx(before.score)
        for name in PARAM_SIZES:
            np.testing.assert_array_equal(getattr(after.params, name), getattr(before.params, name), err_msg=name)
        for name in ("joints", "joints_image", "confidence", "pose_covariance", *VELOCITIES):
            np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-6, err_msg=name)
        inside = np.clip(before.box.xyxy, 0, [640, 480, 640, 480])
        assert np.abs(after.box.xyxy - inside).max() <= 1


def test_somebody_outside_the_image_is_still_somebody(body):
    someone = make_person(body, Camera.from_fov(640, 480), random_params(3, distance=3.0))
    message = person_array(make_people(FRAME, body, [someone], CAMERA), Header())
    roi = message.people[0].box
    roi.x_offset = roi.y_offset = roi.width = roi.height = 0
    assert people_from_message(message)[0].id == someone.id
