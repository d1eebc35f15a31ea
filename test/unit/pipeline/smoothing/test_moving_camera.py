"""Velocities in a frame that does not move with the camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from smplerx_ros.body.placement import Placement
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.pipeline.smoothing.motion import Motion
from smplerx_ros.pipeline.smoothing.moving_camera import MovingCamera
from smplerx_ros.pipeline.smoothing.person_smoother import Sample
from smplerx_ros.types import Person, SmplxParams
from support.bodies import standin

BODY = standin()
MAP_FROM_OPTICAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # a camera that looks along x
ORIGIN = np.array([4e5, 5e6, 100.0])  # a map in UTM coordinates: floats of 32 bits are half a metre apart there
SECOND = 1_000_000_000
Array = NDArray[np.float64]


class Robot:
    """Drives and turns, and sees people through a camera; their own velocities are those against it."""

    def __init__(self, velocity: Array, turning: float) -> None:
        self._velocity, self._turning = velocity, turning
        self._motion = Motion(None, BODY)
        self.camera = MovingCamera()

    def placement(self, seconds: float) -> Placement:
        turn = Rotation.from_euler("z", self._turning * seconds).as_matrix()
        return Placement(turn @ MAP_FROM_OPTICAL, self._velocity * seconds + ORIGIN)

    def sees(self, joints: Array, stamp_ns: int, person: str = "p1", *, size_source: int = 0) -> Person:
        """Somebody whose `joints (55, 3)` are there in the map, as the estimator tells it."""
        where = self.placement(stamp_ns / SECOND)
        seen = (joints - where.position) @ where.target_from_optical
        sample = Sample(person, SmplxParams.rest(), stamp_ns, 2 * SECOND, size_source)
        root, left, right = self._motion.velocities(sample, seen)
        velocities = {"root_velocity": root, "left_wrist_velocity": left, "right_wrist_velocity": right}
        return Person(person, 1.0, Box(0, 0, 9, 9), sample.params, seen, np.zeros((55, 2)), np.ones(55), **velocities)

    def placed(self, joints: Array, stamp_ns: int, **kwargs: bool) -> Person:
        person = self.sees(joints, stamp_ns, **kwargs)
        return self.camera.transform([person], self.placement(stamp_ns / SECOND), stamp_ns)[0]


def joints_at(seconds: float) -> Array:
    """Walks at 1 m/s along y; the left wrist goes up, the right one down."""
    joints = np.tile(ORIGIN + [4.0, 1.0 * seconds, 1.0], (55, 1))
    joints[JOINT_INDEX["left_wrist"], 2] += 0.5 * seconds
    joints[JOINT_INDEX["right_wrist"], 2] -= 0.25 * seconds
    return joints


@pytest.mark.parametrize("rate", [1, 30])
@pytest.mark.parametrize(("velocity", "turning"), [([0.0, 0, 0], 0.0), ([1.5, 0.5, 0], 0.0), ([0.5, 0, 0], 0.4)])
def test_velocities_are_those_in_the_target_frame(velocity: list[float], turning: float, rate: int) -> None:
    robot = Robot(np.array(velocity), turning)
    people = [robot.placed(joints_at(k / rate), SECOND + k * SECOND // rate) for k in range(2 * rate + 3)]
    assert np.isnan(people[0].root_velocity).all()
    for person in people[1:]:
        np.testing.assert_allclose(person.root_velocity, [0, 1, 0], atol=1e-5)
        np.testing.assert_allclose(person.left_wrist_velocity, [0, 1, 0.5], atol=1e-5)
        np.testing.assert_allclose(person.right_wrist_velocity, [0, 1, -0.25], atol=1e-5)


def test_nobody_who_stands_moves_before_a_robot_that_turns() -> None:
    robot = Robot(np.array([0.5, 0.0, 0.0]), 1.0)
    joints = joints_at(0.0)
    for k in range(30):
        person = robot.placed(joints, SECOND + k * SECOND // 30)
    np.testing.assert_allclose(person.root_velocity, 0, atol=1e-5)
    assert np.linalg.norm(robot.sees(joints, 2 * SECOND).root_velocity) > 3  # what the camera sees


def test_another_source_of_the_distance_moves_nobody() -> None:
    robot = Robot(np.zeros(3), 0.0)
    for k in range(40):
        joints = joints_at(0.0) - ([0.0, 0, 0] if k < 20 else [1.0, 0, 0])
        person = robot.placed(joints, SECOND + k * SECOND // 30, size_source=int(k >= 20))
        assert np.isnan(person.root_velocity).all() == (k in (0, 20))
        assert k in (0, 20) or np.abs(person.root_velocity).max() < 1e-6


@pytest.mark.parametrize("jump_ns", [0, -SECOND, 1 * SECOND])
def test_after_gaps_and_jumps_of_time_velocities_begin_anew(jump_ns: int) -> None:
    robot = Robot(np.zeros(3), 0.0)
    for k in range(10):
        robot.placed(joints_at(0.0), 5 * SECOND + k * SECOND // 30)
    last = 5 * SECOND + 9 * SECOND // 30
    assert np.isnan(robot.placed(joints_at(1.0), last + jump_ns).root_velocity).all()


def test_images_without_time_have_no_velocities() -> None:
    robot = Robot(np.zeros(3), 0.0)
    for _ in range(3):
        assert np.isnan(robot.placed(joints_at(0.0), 0).root_velocity).all()


def test_people_who_left_are_forgotten() -> None:
    robot = Robot(np.zeros(3), 0.0)
    for k in range(200):
        stamp = SECOND + k * SECOND // 30
        person = replace(robot.sees(joints_at(0.0), stamp, f"p{k}"), root_velocity=np.zeros(3))
        robot.camera.transform([person], robot.placement(0.0), stamp)
    assert len(robot.camera._velocities._people) <= 16  # of half a second
