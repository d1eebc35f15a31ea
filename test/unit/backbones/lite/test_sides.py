"""Left and right: exchanges against what the fit expects are found and undone; bodies that move are left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smplerx_ros.backbones.lite.landmarks import PersonLandmarks
from smplerx_ros.backbones.lite.sides import MAX_HELD, detect_swaps, swapped_sides, update_held
from smplerx_ros.geometry.camera import Camera
from support.bodies import standin
from support.synthetic import landmarks_of, random_params

CASES = [(True, False), (False, True), (True, True)]


@pytest.fixture(scope="module")
def person() -> PersonLandmarks:
    return landmarks_of(standin(), random_params(3), Camera.from_fov(1280, 720))


@pytest.mark.parametrize("groups", CASES)
def test_an_exchange_is_found_and_undone(person: PersonLandmarks, groups: tuple[bool, bool]) -> None:
    wrong = swapped_sides(person, *groups)
    assert detect_swaps(wrong, person.body.points[:33, :2]) == groups
    right = swapped_sides(wrong, *groups)
    for name in ("points", "visibility", "presence", "world"):
        np.testing.assert_array_equal(getattr(right.body, name), getattr(person.body, name))


def test_a_moving_body_is_left_alone(person: PersonLandmarks) -> None:
    expected = person.body.points[:33, :2] + 0.05 * person.body.roi[2]
    assert detect_swaps(person, expected) == (False, False)


def test_hands_go_with_the_arms(person: PersonLandmarks) -> None:
    person = replace(person, unseen=(1, 2, 3))
    above, below = swapped_sides(person, True, False), swapped_sides(person, False, True)
    assert above.left_hand is person.right_hand
    assert above.unseen == (2, 1, 3)
    assert below.left_hand is person.left_hand
    assert below.unseen == (1, 2, 3)


def test_an_exchange_is_held_for_a_while_then_the_frames_before_were_wrong() -> None:
    assert update_held((0.0, 0.2), (True, False), 0.1) == ((0.1, 0.0), False)
    assert update_held((0.2, 0.0), (True, True), 0.1) == ((pytest.approx(0.3), 0.1), False)
    assert update_held((MAX_HELD, 0.0), (True, True), 0.1) == ((0.0, 0.1), True)
    assert update_held((MAX_HELD, 0.0), (False, False), 0.1) == ((0.0, 0.0), False)
