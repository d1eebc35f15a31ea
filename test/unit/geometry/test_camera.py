"""Cameras: what the lens bends comes back straight, for any calibration; unusable values are named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smplerx_ros.errors import InputError
from smplerx_ros.geometry.camera import NEAR, Camera
from smplerx_ros.types import Frame
from support.camera_cases import cameras, distorted_rays, pixels

K = np.array([[800.0, 0, 640], [0, 810, 470], [0, 0, 1]])
LENSES = [
    ("plumb_bob", []),
    ("plumb_bob", [-0.3, 0.1, 0.001, -0.001, 0.0]),
    ("rational_polynomial", [0.2, 0.05, 0.001, -0.001, 0.01, 0.4, 0.1, 0.02]),
    ("equidistant", [0.02, -0.01, 0.003, 0.0]),
]


@settings(deadline=None)
@given(cameras())
def test_pixels_come_back_after_undistortion(camera: Camera) -> None:
    """The failure most feared: a solver that stops too early moves people at the image's border."""
    shown = pixels(camera)
    rays = camera.normalize(shown)
    np.testing.assert_allclose(camera.project_rays(rays), shown, atol=1e-4)
    np.testing.assert_allclose(
        distorted_rays(rays, camera.model, camera.d) * camera.k[[0, 1], [0, 1]] + camera.k[:2, 2], shown, atol=0.01
    )


@settings(deadline=None)
@given(cameras(), st.floats(0.3, 30))
def test_points_come_back_from_their_pixels(camera: Camera, depth: float) -> None:
    rays = camera.normalize(pixels(camera))
    points = np.concatenate([rays, np.ones((*rays.shape[:-1], 1))], axis=-1) * depth
    np.testing.assert_allclose(camera.normalize(camera.project(points)), rays, atol=1e-6)


@settings(deadline=None)
@given(cameras(), st.lists(st.tuples(*[st.floats(-0.6, 0.6)] * 2), min_size=1, max_size=8))
def test_projection_is_the_documented_formula(camera: Camera, rays: list[tuple[float, float]]) -> None:
    """Against formulas written out here: coefficients in the wrong order or of the wrong model show."""
    given_rays = np.array(rays)
    expected = distorted_rays(given_rays, camera.model, camera.d) * camera.k[[0, 1], [0, 1]] + camera.k[:2, 2]
    np.testing.assert_allclose(camera.project_rays(given_rays), expected, rtol=1e-9, atol=1e-6)


def test_a_fisheye_lens_without_coefficients_is_still_a_fisheye() -> None:
    """Equidistant: pixels from the centre are focal length times angle, also where all four coefficients are 0."""
    camera = Camera(1280, 960, K, np.zeros(4), "equidistant")
    np.testing.assert_allclose(camera.project(np.array([1.0, 0, 1])), [640 + 800 * np.pi / 4, 470])
    np.testing.assert_allclose(camera.normalize([640 + 800 * np.pi / 4, 470]), [1, 0], atol=1e-9)


@pytest.mark.parametrize(("model", "d"), LENSES)
def test_points_not_in_front_have_no_pixel(model: str, d: list[float]) -> None:
    camera = Camera(1280, 960, K, np.array(d), model)
    shown = camera.project(
        np.array([[0.1, 0.1, -1.0], [0.1, 0.1, 0.0], [np.nan, 0, 1], [0, 0, 0.99 * NEAR], [0, 0, NEAR], [0, 0, 2]])
    )
    assert np.isnan(shown[:4]).all(axis=None)
    np.testing.assert_allclose(shown[4:], [[640, 470]] * 2)


@pytest.mark.parametrize(("model", "d"), LENSES)
@pytest.mark.parametrize("lead", [(), (0,), (1,), (2, 3), (4, 0)])
def test_shapes_are_kept(model: str, d: list[float], lead: tuple[int, ...]) -> None:
    camera = Camera(1280, 960, K, np.array(d), model)
    assert camera.normalize(np.full((*lead, 2), 500.0)).shape == (*lead, 2)
    assert camera.project_rays(np.full((*lead, 2), 0.1)).shape == (*lead, 2)
    assert camera.project(np.full((*lead, 3), 1.0)).shape == (*lead, 2)


def test_an_assumed_camera_held_upright_is_the_same_camera() -> None:
    level, upright = Camera.from_fov(1920, 1080), Camera.from_fov(1080, 1920)
    assert level.k[0, 0] == upright.k[0, 0] == upright.k[1, 1]
    top, bottom = upright.normalize([[539.5, -0.5], [539.5, 1919.5]])
    np.testing.assert_allclose(np.degrees(np.arctan(bottom[1]) - np.arctan(top[1])), 60.0)


@pytest.mark.parametrize("fov", [20.0, 60.0, 120.0])
def test_an_assumed_camera_sees_the_field_of_view_and_says_that_it_is_assumed(fov: float) -> None:
    camera = Camera.from_fov(640, 480, fov)
    left, right = camera.normalize([[-0.5, 239.5], [639.5, 239.5]])
    np.testing.assert_allclose(np.degrees(np.arctan(right[0]) - np.arctan(left[0])), fov)
    np.testing.assert_allclose([left[1], right[1]], 0, atol=1e-12)
    focal = camera.k[0, 0]
    np.testing.assert_array_equal(camera.k, [[focal, 0, 319.5], [0, focal, 239.5], [0, 0, 1]])
    assert not camera.calibrated
    assert Camera(640, 480, camera.k).calibrated


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"k": np.zeros((3, 3))}, "focal"),
        ({"k": np.diag([-800.0, 800, 1])}, "focal"),
        ({"k": np.diag([800.0, -800, 1])}, "focal"),
        ({"k": np.full((3, 3), np.nan)}, "Camera.k"),
        ({"k": np.full((3, 3), np.inf)}, "Camera.k"),
        ({"k": np.eye(4)}, "Camera.k"),
        ({"k": [[800, 0, 640], [40, 810, 470], [0, 0, 1]]}, "Camera.k.*second row"),
        ({"k": [[800, 0, 0], [0, 810, 0], [640, 470, 1]]}, "Camera.k.*third row"),
        ({"k": [[800, 0, 640], [0, 810, 470], [0, 0, 0]]}, "Camera.k.*third row"),
        ({"k": [[800, 0, 640], [0, 810, 470], [0, 0, -1]]}, "Camera.k.*third row"),
        ({"k": [[0.6, 0, 0.5], [0, 0.8, 0.5], [0, 0, 1]]}, "Camera.k.*in pixels"),
        ({"k": [[4.2, 0, 320], [0, 4.2, 240], [0, 0, 1]]}, "Camera.k.*in pixels"),
        ({"k": [[1e300, 0, 640], [0, 1e300, 470], [0, 0, 1e-300]]}, "Camera.k.*finite"),
        ({"d": np.array([np.nan, 0, 0, 0])}, "Camera.d"),
        ({"d": np.zeros(3)}, "Camera.d"),
        ({"d": [0.1, 0.0, 0.0]}, "Camera.d"),
        ({"d": [0.1, 0.0, 0.0, 0.0, 0.0, 0.01]}, "Camera.d"),
        ({"d": [0.1] * 15}, "Camera.d"),
        ({"d": [0.1] * 5, "model": "equidistant"}, "Camera.d"),
        ({"d": [0.1] * 6, "model": "rational_polynomial"}, "Camera.d"),
        ({"d": [0.1] * 5, "model": "none"}, "bends nothing"),
        ({"model": "thin_prism"}, "Camera.model"),
        ({"d": [0.1] * 5, "model": "inverse_brown_conrady"}, "Camera.model"),
        ({"centre": np.array([np.inf, 0, 0])}, "Camera.centre"),
        ({"width": 0}, "width"),
        ({"height": -480}, "height"),
    ],
)
def test_what_cannot_belong_to_a_camera_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    values: dict[str, Any] = {"width": 640, "height": 480, "k": K, "d": np.zeros(5), "model": "plumb_bob"}
    Camera(**values)
    with pytest.raises(InputError, match=named):
        Camera(**{**values, **change})


@pytest.mark.parametrize("scale", [0.5, 2.0, 1 / 800])
def test_intrinsics_mean_the_same_at_any_scale(scale: float) -> None:
    camera = Camera(1280, 960, scale * K)
    np.testing.assert_allclose(camera.k, K, rtol=1e-12)
    np.testing.assert_allclose(camera.project([0.3, -0.2, 2.0]), Camera(1280, 960, K).project([0.3, -0.2, 2.0]))


def test_a_fisheye_lens_without_any_coefficients_is_one_with_zeros() -> None:
    empty, zeros = (Camera(1280, 960, K, np.zeros(n), "fisheye") for n in (0, 4))
    np.testing.assert_array_equal(empty.d, zeros.d)
    np.testing.assert_allclose(empty.project([1.0, 0, 1]), [640 + 800 * np.pi / 4, 470])


def test_a_frame_refuses_the_camera_of_another_size() -> None:
    with pytest.raises(InputError, match=r"640x480.*1280x960"):
        Frame(np.zeros((960, 1280, 3), np.uint8), Camera.from_fov(640, 480))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((side, value) for side in ("width", "height") for value in (float("nan"), 640.5, "640", None, True, 0, -1)),
        *(("d", value) for value in (["a"], "abcd", None, [[1], [1, 2]], [None] * 5, 1j)),
        *(("model", value) for value in (None, 3, b"plumb_bob")),
        *(("k", value) for value in ("k", None, [[1], [1, 2]], [["a"] * 3] * 3)),
        *(("centre", value) for value in ("here", None, ["a"] * 3)),
    ],
)
def test_a_camera_names_the_field_that_cannot_be_used(field: str, value: Any) -> None:
    good: dict[str, Any] = {"width": 640, "height": 480, "k": np.diag([500.0, 500, 1])}
    with pytest.raises(InputError, match=field):
        Camera(**good | {field: value})


def test_sizes_of_numpy_are_integers() -> None:
    camera = Camera(np.int64(640), np.uint16(480), np.diag([500.0, 500, 1]))  # type: ignore[arg-type]
    assert (camera.width, camera.height, type(camera.width)) == (640, 480, int)
