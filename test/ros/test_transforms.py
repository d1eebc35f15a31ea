"""The TF tree of people: unit quaternions, the image's stamp, and joints equal to the message's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from fake_estimator import make_person, random_params
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from tf_chain import chain

from smplerx_ros.body.skeleton import JOINT_NAMES, PARENTS
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.ros.conversions.transforms import TransformWriter, joint_transforms, joints_of
from smplerx_ros.types import Person, SmplxParams
from support.bodies import standin

HEADER = Header(stamp=Time(sec=7, nanosec=8), frame_id="camera_optical")
CAMERA = Camera.from_fov(640, 480)
BODY = standin()
EVERYTHING = joints_of(body=True, hands=True, face=True)


def prefixes_of(people: Sequence[Person]) -> list[str]:
    return [f"smplx_{person.id}/" for person in people]


def message_of(
    people: list[Person],
    header: Header = HEADER,
    chosen: frozenset[int] = EVERYTHING,
    writer: TransformWriter | None = None,
) -> TFMessage:
    rotations = BODY.transforms(SmplxParams.stack([person.params for person in people]))[0]
    part = joint_transforms(people, prefixes_of(people), rotations, header.frame_id, chosen)
    return deserialize_message((writer or TransformWriter()).serialized([part], header.stamp), TFMessage)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_chained_frames_are_the_joints(seed: int) -> None:
    person = make_person(BODY, CAMERA, random_params(seed), "p4")
    message = message_of([person])
    positions, rotations = chain(message.transforms, "camera_optical")
    found = np.array([positions[f"smplx_p4/{name}"] for name in JOINT_NAMES])
    np.testing.assert_allclose(found, person.joints, atol=1e-6)
    expected = BODY.transforms(person.params)[0][0]
    turned = np.array([rotations[f"smplx_p4/{name}"] for name in JOINT_NAMES])
    np.testing.assert_allclose(turned, expected, atol=1e-6)


def test_the_tree_is_smplx() -> None:
    people = [make_person(BODY, CAMERA, random_params(n), f"p{n}") for n in (1, 2)]
    message = message_of(people)
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
    message = message_of([make_person(BODY, CAMERA, params)])
    quaternions = [[getattr(t.transform.rotation, axis) for axis in "xyzw"] for t in message.transforms]
    np.testing.assert_allclose(np.linalg.norm(quaternions, axis=1), 1, atol=1e-9)
    root = Rotation.from_quat(quaternions[0]).as_matrix()
    np.testing.assert_allclose(root, np.diag([1.0, -1.0, -1.0]), atol=1e-6)


@pytest.mark.parametrize(
    ("groups", "expected"), [({"body": True}, 22), ({"hands": True}, 30), ({"face": True, "body": True}, 25), ({}, 0)]
)
def test_groups_hang_together_and_are_where_they_were(groups: dict[str, bool], expected: int) -> None:
    chosen = joints_of(**({"body": False, "hands": False, "face": False} | groups))
    assert len(chosen) == expected
    person = make_person(BODY, CAMERA, random_params(3), "p1")
    positions, _ = chain(message_of([person], chosen=chosen).transforms, HEADER.frame_id)
    assert len(positions) == expected + 1
    for joint in chosen:
        np.testing.assert_allclose(positions[f"smplx_p1/{JOINT_NAMES[joint]}"], person.joints[joint], atol=1e-6)


def test_the_next_frame_does_not_keep_the_last() -> None:
    writer = TransformWriter()
    people = [make_person(BODY, CAMERA, random_params(n), f"p{n}") for n in range(3)]
    message_of(people, writer=writer)
    later = Header(stamp=Time(sec=9), frame_id="other")
    fewer = message_of(people[2:], later, writer=writer)
    assert fewer == message_of(people[2:], later)
    assert len(fewer.transforms) == 55
    assert deserialize_message(writer.serialized([], HEADER.stamp), TFMessage).transforms == []


@pytest.mark.parametrize("camera", ["", "c", "cam", "camera_optical", "kamera_grün"])
@pytest.mark.parametrize("ids", [("p1",), ("p1", "p22", "p333", "p4444")])
@pytest.mark.parametrize("sec", [0, 1_700_000_000, -5])
def test_the_bytes_are_rclpys(camera: str, ids: tuple[str, ...], sec: int) -> None:
    people = [make_person(BODY, CAMERA, random_params(n), name) for n, name in enumerate(ids)]
    rotations = BODY.transforms(SmplxParams.stack([person.params for person in people]))[0]
    part, stamp = joint_transforms(people, prefixes_of(people), rotations, camera), Time(sec=sec, nanosec=999_999_999)
    written = TransformWriter().serialized([part, part], stamp)
    frames, values = part.frames * 2, np.tile(np.column_stack([part.translations, part.quaternions]), (2, 1)).tolist()
    expected = TFMessage(
        transforms=[
            TransformStamped(
                header=Header(stamp=stamp, frame_id=parent),
                child_frame_id=child,
                transform=Transform(translation=Vector3(x=x, y=y, z=z), rotation=Quaternion(x=qx, y=qy, z=qz, w=qw)),
            )
            for (parent, child), (x, y, z, qx, qy, qz, qw) in zip(frames, values, strict=True)
        ]
    )
    assert deserialize_message(written, TFMessage) == expected
    assert len(written) == len(serialize_message(expected))  # whose padding is whatever lay in memory
