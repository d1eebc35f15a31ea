"""The covariance of a person's place: a proper one, long along the ray, and of the size that was promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.uncertainty import (
    pelvis_covariance,
    sigma_across,
    sigma_along,
    sigma_along_measured,
)

CAMERA = Camera(640, 480, np.array([[500.0, 0, 320], [0, 500.0, 240], [0, 0, 1]]))
SIGMA = st.floats(1e-3, 2.0)
COORDINATE = st.floats(-20, 20)


@given(COORDINATE, COORDINATE, st.floats(0.1, 50), SIGMA, SIGMA)
def test_it_is_a_covariance(x: float, y: float, z: float, along: float, across: float) -> None:
    covariance = pelvis_covariance([x, y, z], along, across)
    assert covariance.shape == (6, 6)
    place = covariance[:3, :3]
    np.testing.assert_array_equal(place, place.T)
    np.testing.assert_allclose(
        np.sqrt(np.linalg.eigvalsh(place)), sorted([along, across, across]), rtol=1e-3, atol=1e-4 * max(along, across)
    )
    ray = np.array([x, y, z]) / np.linalg.norm([x, y, z])
    assert ray @ place @ ray == pytest.approx(along**2)
    unknown = np.ones((6, 6), bool)
    unknown[:3, :3] = False
    np.testing.assert_array_equal(np.isnan(covariance), unknown)


@given(COORDINATE, COORDINATE, st.floats(0.1, 50), st.tuples(COORDINATE, COORDINATE, COORDINATE))
def test_it_turns_with_the_ray(x: float, y: float, z: float, turn: tuple[float, float, float]) -> None:
    rotation = Rotation.from_rotvec(turn).as_matrix()
    place = pelvis_covariance([x, y, z], 0.4, 0.02)[:3, :3]
    turned = pelvis_covariance(rotation @ [x, y, z], 0.4, 0.02)[:3, :3]
    np.testing.assert_allclose(turned, rotation @ place @ rotation.T, atol=1e-9)


def test_a_known_height_makes_distances_surer_and_depth_more_so() -> None:
    unknown, known = sigma_along(4.0, CAMERA, 1.65, 0.09), sigma_along(4.0, CAMERA, 1.65, 0.01)
    assert unknown == pytest.approx(4 * np.hypot(0.09 / 1.65, 0.04))
    assert known == pytest.approx(4 * np.hypot(0.01 / 1.65, 0.04))
    assert sigma_along_measured(4.0) == pytest.approx(0.06)
    assert sigma_along_measured(4.0) < known < unknown


def test_an_assumed_lens_makes_everything_less_sure() -> None:
    assumed = Camera.from_fov(640, 480)
    assert sigma_along(4.0, assumed, 1.7, 0.01) > 0.3 * 4
    place = [1.0, 0.0, 4.0]
    assert sigma_across(place, assumed, 200) > 0.3
    assert sigma_across(place, CAMERA, 200) == pytest.approx(np.hypot(2, 1) * 4 / 500)
