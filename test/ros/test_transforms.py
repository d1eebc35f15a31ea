"""The TF tree of people: unit quaternions, the image's stamp, and joints equal to the message's."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Time
from fake_estimator import make_person, random_params
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header
from tf_chain import chain

from smplerx_ros.body import load_body
from smplerx_ros.body.skeleton import JOINT_NAMES, PARENTS
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.ros.transforms import TransformWriter

HEADER = Header(stamp=Time(sec=7, nanosec=8), frame_id="camera_optical")
CAMERA = Camera.from_fov(640, 480)
BODY = load_body()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_chained_frames_are_the_joints(seed: int) -> None:
    person = make_person(BODY, CAMERA, random_params(seed), "p4")
    message = TransformWriter(BODY).update([person], HEADER)
    positions, rotations = chain(message.transforms, "camera_optical")
    found = np.array([positions[f"smplx_p4/{name}"] for name in JOINT_NAMES])
    np.testing.assert_allclose(found, person.joints, atol=1e-6)
    expected = BODY.transforms(person.params)[0][0]
    turned = np.array([rotations[f"smplx_p4/{name}"] for name in JOINT_NAMES])
    np.testing.assert_allclose(turned, expected, atol=1e-6)


def test_the_tree_is_smplx() -> None:
    people = [make_person(BODY, CAMERA, random_params(n), f"p{n}") for n in (1, 2)]
    message = TransformWriter(BODY).update(people, HEADER)
    assert len(message.transforms) == 2 * 55
    parents = {t.child_frame_id: t.header.frame_id for t in message.transforms}
    for n in (1, 2):
        for joint, name in enumerate(JOINT_NAMES):
            above = "camera_optical" if PARENTS[joint] < 0 else f"smplx_p{n}/{JOINT_NAMES[PARENTS[joint]]}"
            assert parents[f"smplx_p{n}/{name}"] == above
    assert all(t.header.stamp == HEADER.stamp for t in message.transforms)


def test_quaternions_are_unit_at_half_turns() -> None:
    params = random_params(0)
    params.global_orient[:] = (np.pi, 0, 0)
    message = TransformWriter(BODY).update([make_person(BODY, CAMERA, params)], HEADER)
    quaternions = [[getattr(t.transform.rotation, axis) for axis in "xyzw"] for t in message.transforms]
    np.testing.assert_allclose(np.linalg.norm(quaternions, axis=1), 1, atol=1e-9)
    root = Rotation.from_quat(quaternions[0]).as_matrix()
    np.testing.assert_allclose(root, np.diag([1.0, -1.0, -1.0]), atol=1e-6)


def test_leading_slashes_go_and_nobody_is_nothing() -> None:
    header = Header(frame_id="/camera")
    message = TransformWriter(BODY).update([make_person(BODY, CAMERA, random_params(1))], header)
    assert message.transforms[0].header.frame_id == "camera"
    assert TransformWriter(BODY).update([], header).transforms == []


def test_the_next_frame_does_not_keep_the_last() -> None:
    writer = TransformWriter(BODY)
    people = [make_person(BODY, CAMERA, random_params(n), f"p{n}") for n in range(3)]
    writer.update(people, HEADER)
    fewer = writer.update(people[2:], Header(stamp=Time(sec=9), frame_id="other"))
    expected = TransformWriter(BODY).update(people[2:], Header(stamp=Time(sec=9), frame_id="other"))
    assert fewer == expected
    assert len(fewer.transforms) == 55
