"""Persons carry the rotations of their joints, here and in another frame, as the body model has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from smplerx_ros.body import load_body
from smplerx_ros.body.placement import Placement
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.rotations import matrix_from_rotvec
from smplerx_ros.persons import persons
from smplerx_ros.types import BodyEstimate, Box, Frame, Observation, Person
from support.human_poses import human_poses

BODY = load_body()
FRAME = Frame(np.zeros((480, 640, 3), np.uint8), Camera.from_fov(640, 480))


def someone() -> list[Person]:
    poses = human_poses(3, 3)
    params = [replace(poses[i], transl=np.array([i - 1.0, 0.0, 4.0])) for i in range(3)]
    seen = [Observation(FRAME, f"p{i}", Box(0, 0, 9, 9)) for i in range(3)]
    found = persons(BODY, seen, [BodyEstimate(0.9, one, np.ones(55)) for one in params], None)
    return [person for person in found if person is not None]


def test_rotations_and_joints_are_the_body_models() -> None:
    people = someone()
    assert len(people) == 3
    for person in people:
        rotations, joints = BODY.transforms(person.params)
        np.testing.assert_allclose(person.rotations, rotations[0], atol=1e-12)
        np.testing.assert_allclose(person.joints, joints[0], atol=1e-6)


def test_the_covariance_turns_with_the_frame() -> None:
    placement = Placement(matrix_from_rotvec([0.3, -1.2, 0.5]), np.array([1.0, 2.0, 3.0]))
    for before in someone():
        after = placement.place(before)
        turn = placement.target_from_optical
        place = before.pose_covariance[:3, :3]
        assert np.isfinite(place).all()
        np.testing.assert_allclose(after.pose_covariance[:3, :3], turn @ place @ turn.T)
        ray, distance = before.joints[0] @ turn.T, np.linalg.norm(before.joints[0])
        along = np.sqrt(ray @ after.pose_covariance[:3, :3] @ ray) / distance
        assert 0.25 < along / distance < 0.35  # the camera's field of view is assumed


def test_each_block_of_a_covariance_is_known_or_not_for_itself() -> None:
    turn = matrix_from_rotvec([0.3, -1.2, 0.5])
    root = np.random.default_rng(1).normal(size=(6, 6))
    full = root @ root.T
    both = np.kron(np.eye(2), turn)
    expected = both @ full @ both.T
    before = someone()[0]
    for rows, columns in np.ndindex(2, 2):
        unknown = np.zeros((6, 6), bool)
        unknown[3 * rows : 3 * rows + 3, 3 * columns : 3 * columns + 3] = True
        person = replace(before, pose_covariance=np.where(unknown, np.nan, full))
        covariance = Placement(turn, np.zeros(3)).place(person).pose_covariance
        np.testing.assert_allclose(covariance, np.where(unknown, np.nan, expected))


def test_rotations_turn_with_the_frame() -> None:
    placement = Placement(matrix_from_rotvec([0.3, -1.2, 0.5]), np.array([1.0, 2.0, 3.0]))
    for person in map(placement.place, someone()):
        np.testing.assert_allclose(person.rotations, BODY.transforms(person.params)[0][0], atol=1e-6)
