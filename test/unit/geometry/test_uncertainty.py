"""The covariance of a person's pelvis: a proper one, long along the ray, and of the size that was promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.uncertainty import (
    ROTATION_SIGMA_LONG_AXIS,
    ROTATION_SIGMA_PITCH,
    ROTATION_SIGMA_RAY,
    WHOLE,
    InImage,
    focal_sigma,
    pose_covariance,
    position_covariance,
    rotation_covariance,
    sigma_across,
    sigma_along,
    sigma_along_measured,
)

CAMERA = Camera(640, 480, np.array([[500.0, 0, 320], [0, 500.0, 240], [0, 0, 1]]))
ASSUMED = Camera.from_fov(640, 480)
SIGMA = st.floats(1e-3, 2.0)
COORDINATE = st.floats(-20, 20)
DIRECTION = st.tuples(COORDINATE, COORDINATE, COORDINATE).filter(lambda v: np.linalg.norm(v) > 1e-3)
KNOWN = np.zeros(3)  # of focal_sigma


@settings(deadline=None)
@given(COORDINATE, COORDINATE, st.floats(0.1, 50), SIGMA, SIGMA, DIRECTION)
def test_it_is_a_covariance(
    x: float, y: float, z: float, along: float, across: float, long_axis: tuple[float, float, float]
) -> None:
    place = position_covariance([x, y, z], along, across, KNOWN)
    turn = rotation_covariance([x, y, z], long_axis)
    covariance = pose_covariance(place, turn)
    assert covariance.shape == (6, 6)
    np.testing.assert_allclose(covariance, covariance.T, atol=1e-12)
    np.testing.assert_allclose(
        np.sqrt(np.linalg.eigvalsh(place)), sorted([along, across, across]), rtol=1e-3, atol=1e-4 * max(along, across)
    )
    ray = np.array([x, y, z]) / np.linalg.norm([x, y, z])
    assert ray @ place @ ray == pytest.approx(along**2)
    spread = np.sqrt(np.linalg.eigvalsh(turn))
    assert spread[0] == pytest.approx(ROTATION_SIGMA_RAY)
    assert spread[2] == pytest.approx(ROTATION_SIGMA_LONG_AXIS)
    assert ROTATION_SIGMA_PITCH - 1e-9 <= spread[1] <= ROTATION_SIGMA_LONG_AXIS + 1e-9
    np.testing.assert_array_equal(covariance[:3, 3:], 0)


@settings(deadline=None)
@given(COORDINATE, COORDINATE, st.floats(0.1, 50), DIRECTION, DIRECTION)
def test_it_turns_with_the_ray(
    x: float, y: float, z: float, long_axis: tuple[float, float, float], about: tuple[float, float, float]
) -> None:
    rotation = Rotation.from_rotvec(about).as_matrix()
    place = position_covariance([x, y, z], 0.4, 0.02, KNOWN)
    turned = position_covariance(rotation @ [x, y, z], 0.4, 0.02, KNOWN)
    np.testing.assert_allclose(turned, rotation @ place @ rotation.T, atol=1e-9)
    turn = rotation_covariance([x, y, z], long_axis)
    turned = rotation_covariance(rotation @ [x, y, z], rotation @ long_axis)
    np.testing.assert_allclose(turned, rotation @ turn @ rotation.T, atol=1e-9)


@pytest.mark.parametrize(("long_axis", "own"), [([0, -1, 0], 1), ([1, 0, 0], 0), ([0.3, -0.9, 2], None)])
def test_somebody_turned_about_their_own_axis_looks_nearly_the_same(long_axis: list[float], own: int | None) -> None:
    """Who stands, who lies, and who leans away from the camera; all of them before it."""
    covariance = rotation_covariance([0.0, 0.0, 3.0], long_axis)
    assert covariance[2, 2] == pytest.approx(ROTATION_SIGMA_RAY**2)
    if own is None:
        assert np.sqrt(np.linalg.eigvalsh(covariance[:2, :2])[0]) > ROTATION_SIGMA_PITCH + 0.01
    else:
        assert covariance[own, own] == pytest.approx(ROTATION_SIGMA_LONG_AXIS**2)
        assert covariance[1 - own, 1 - own] == pytest.approx(ROTATION_SIGMA_PITCH**2)


def test_a_known_height_makes_distances_surer_and_depth_more_so() -> None:
    unknown, known = sigma_along(4.0, 1.65, 0.09), sigma_along(4.0, 1.65, 0.01)
    assert unknown == pytest.approx(4 * np.hypot(0.09 / 1.65, 0.045))
    assert known == pytest.approx(4 * np.hypot(0.01 / 1.65, 0.045))
    assert sigma_along_measured(4.0) == pytest.approx(np.hypot(0.045, 0.02))
    assert sigma_along_measured(4.0) < known < unknown


def test_across_the_ray_it_is_the_image_that_counts() -> None:
    assert sigma_across([1.0, 0.0, 4.0], CAMERA, 200) == pytest.approx(np.hypot(2.4, 1) * 4 / 500)


FOCAL_200 = np.array([[200.0, 0, 320], [0, 200, 240], [0, 0, 1]])
LENSES = {
    "pinhole": Camera(640, 480, FOCAL_200),
    "fisheye": Camera(640, 480, FOCAL_200, np.zeros(4), "equidistant"),
    "barrel": Camera(640, 480, FOCAL_200, np.array([-0.3, 0.08, 0, 0, 0])),
}


IN_IMAGE = [(lens, angle) for lens in LENSES for angle in (0, 20, 35, 50, 57)] + [("fisheye", 70), ("fisheye", 85)]


@pytest.mark.parametrize(("lens", "degrees"), IN_IMAGE)
def test_across_the_ray_it_is_what_the_lens_makes_of_pixels(lens: str, degrees: float) -> None:
    """What small errors of pixels move the pelvis by, with the lens undone, the way they move it more."""
    camera, angle = LENSES[lens], np.radians(degrees)
    place = 3 * np.array([np.sin(angle), 0, np.cos(angle)])
    pixel = camera.project(place)
    assert 0 < pixel[0] < 640
    errors = np.random.default_rng(0).standard_normal((4000, 2))
    moved = 3 * camera.directions(pixel + 0.01 * errors) - place
    radial, tangential = moved @ [np.cos(angle), 0, -np.sin(angle)], moved[:, 1]
    expected = np.hypot(0.012 * 200, 1) / 0.01 * max(radial.std(), tangential.std())
    assert sigma_across(place, camera, 200) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("lens", LENSES)
def test_across_the_ray_it_is_never_nothing(lens: str) -> None:
    """Beside the camera, behind it, on its axis, where the lens does not see: a proper covariance, without a jump."""
    for place in ([0, 0.2, 0], [0.2, 0, 1e-4], [0, 0.3, -0.01], [0, 0, -0.3], [2, 0.1, 0.01], [0, 0, 0.02]):
        across = sigma_across(place, LENSES[lens], 400)
        assert 0.01 <= across < 0.05 * max(1, 2 * np.linalg.norm(place))
        assert np.linalg.eigvalsh(position_covariance(place, 0.1, across, KNOWN))[0] > 0.5e-4
    before, behind = (sigma_across([0.4, 0.1, z], LENSES[lens], 400) for z in (1e-3, -1e-3))
    assert before == pytest.approx(behind, rel=0.02)


def deviations(inside: InImage) -> np.ndarray:
    """From size, from depth, across, and of the turn."""
    place = [1.0, 0.0, 4.0]
    turn = rotation_covariance(place, [0, -1, 0], inside)
    return np.array(
        [
            sigma_along(4.0, 1.65, 0.01, inside),
            sigma_along_measured(4.0, inside),
            sigma_across(place, CAMERA, 200, inside),
            *np.sqrt(np.linalg.eigvalsh(turn)),
        ]
    )


def test_less_in_the_image_is_less_sure() -> None:
    """Of the body, the fit's scale; what concerns the pelvis, where that is outside. Down to the least share."""
    whole = deviations(WHOLE)
    np.testing.assert_array_equal(deviations(InImage.of(np.ones(22, bool))), whole)
    legs_outside = deviations(InImage(0.7, pelvis=True)) / whole
    assert legs_outside[0] == pytest.approx(0.7**-2, rel=0.02)  # 1 cm of stature does not grow
    np.testing.assert_allclose(legs_outside[1:], 1)
    chest = deviations(InImage(0.5, pelvis=False)) / whole
    np.testing.assert_allclose(chest, [8, 2, 8, 2, 2, 2], rtol=0.1)
    shares = np.linspace(1, 0, 23)
    for pelvis in (True, False):
        found = np.array([deviations(InImage(share, pelvis)) for share in shares])
        assert (np.diff(found, axis=0) >= 0).all()
        assert np.isfinite(found).all()
        np.testing.assert_array_equal(found[-1], deviations(InImage(0.3, pelvis)))


@pytest.mark.parametrize("measured", [False, True])
@pytest.mark.parametrize("wrong", [0.8, 1.3])
def test_an_assumed_lens_moves_people_as_its_covariance_says(measured: bool, wrong: float) -> None:
    """Somebody of known size, or at a known depth, seen by a camera whose focal length is `wrong` times the assumed."""
    place = np.array([1.0, -0.4, 4.0])
    true = place * [1, 1, wrong] if not measured else place / [wrong, wrong, 1]
    lens = focal_sigma(place, ASSUMED, measured=measured)
    moved = true - place
    along = moved @ lens / np.linalg.norm(lens)
    assert abs(along) == pytest.approx(np.linalg.norm(moved))  # nowhere else
    assert np.sqrt(lens @ position_covariance(place, 1e-9, 1e-9, lens) @ lens) == pytest.approx(lens @ lens)
    assert np.linalg.norm(lens) == pytest.approx(0.24 * (4.0 if not measured else np.hypot(1.0, 0.4)))
    np.testing.assert_array_equal(focal_sigma(place, CAMERA, measured=measured), 0)
