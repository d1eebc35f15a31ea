"""Looks tell clothes apart, and say nothing of what is outside the image."""

from __future__ import annotations

import numpy as np

from smplerx_ros.tracking.look import NO_LOOK, looks, strangeness
from smplerx_ros.types import Box

BOX = Box(100, 50, 150, 200)


def person(torso: tuple[int, int, int], legs: tuple[int, int, int]) -> np.ndarray:
    image = np.full((240, 320, 3), 90, np.uint8)
    image[70:122, 110:140], image[122:195, 110:140] = torso, legs
    return image


def test_torso_and_legs_in_lab():
    (seen,) = looks(person((255, 255, 255), (255, 0, 0)), [BOX])
    np.testing.assert_allclose(seen, [100, 0, 0, 53.2, 80.1, 67.2], atol=0.2)  # CIE Lab of sRGB white and red, D65


def test_other_clothes_are_stranger_than_a_little_shade():
    worn, shaded, other = (
        looks(person(torso, legs), [BOX])[0]
        for torso, legs in [((200, 30, 30), (20, 20, 60)), ((180, 25, 25), (15, 15, 50)), ((30, 90, 30), (20, 20, 60))]
    )
    shade, change = strangeness(worn[None], np.stack([shaded, other]))[0]
    assert shade < 2 < 10 < change


def test_what_is_outside_the_image_or_unknown_decides_nothing():
    seen = looks(
        np.zeros((240, 320, 3), np.uint8), [Box(-90, 0, -10, 200), Box(10, -300, 50, 100), Box(400, 300, 500, 600)]
    )
    assert np.isnan(seen[[0, 2]]).all()
    assert np.isnan(seen[1, :3]).all()
    assert np.ptp(strangeness(NO_LOOK[None], seen)) == 0
    assert strangeness(seen[:1], seen[:0]).shape == (1, 0)


def test_nobody_looks_like_nothing():
    assert looks(np.zeros((10, 10, 3), np.uint8), []).shape == (0, 6)
