"""Lenses: which names and numbers mean which model, and how far a model that turns back is believed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from smplerx_ros.geometry.camera import Camera
from support.camera_cases import distorted_rays

K = np.array([[400.0, 0, 319.5], [0, 400, 239.5], [0, 0, 1]])
FISHEYE = Camera(1280, 960, np.array([[300.0, 0, 639.5], [0, 300, 479.5], [0, 0, 1]]), np.zeros(4), "equidistant")


def strong(model: str) -> st.SearchStrategy[list[float]]:
    """Coefficients that may fold the image anywhere, also in its middle."""
    limits = {
        "plumb_bob": (1.0, 0.8, 0.02, 0.02, 0.5),
        "rational_polynomial": (1.0, 0.8, 0.02, 0.02, 0.5, 1.0, 0.8, 0.5, 0.01, 0.01, 0.01, 0.01, 0.1, 0.1),
        "equidistant": (0.5, 0.3, 0.2, 0.1),
    }[model]
    return st.tuples(*[st.floats(-limit, limit) for limit in limits]).map(list)


@st.composite
def lenses(draw: st.DrawFn) -> Camera:
    model = draw(st.sampled_from(["plumb_bob", "rational_polynomial", "equidistant"]))
    return Camera(640, 480, K, np.array(draw(strong(model))), model)


def angles(rays: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rays as angles from the axis, along it: comparable up to 90 degrees."""
    radius = np.linalg.norm(rays, axis=-1, keepdims=True)
    return rays * np.arctan(radius) / np.maximum(radius, 1e-12)


@settings(deadline=None, max_examples=40)
@given(lenses(), st.integers(0, 2**32 - 1))
def test_every_ray_that_has_a_pixel_is_the_ray_of_that_pixel(camera: Camera, seed: int) -> None:
    """The failure most feared: two rays on one pixel, so that somebody outside the view appears in it."""
    generator = np.random.default_rng(seed)
    rays = generator.normal(size=(64, 2)) * np.tan(generator.uniform(0, 1.57, size=(64, 1)))
    pixels = camera.project_rays(rays)
    seen = np.isfinite(pixels).all(axis=1)
    np.testing.assert_array_equal(seen, np.linalg.norm(rays, axis=1) <= camera.limit)
    # At the very edge a lens that turns back shows neighbouring rays at one place.
    inner = np.linalg.norm(rays, axis=1) < 0.98 * camera.limit
    np.testing.assert_allclose(angles(camera.normalize(pixels[inner])), angles(rays[inner]), atol=2e-4)


@settings(deadline=None, max_examples=40)
@given(lenses(), st.integers(0, 2**32 - 1))
def test_a_pixel_has_a_ray_that_leads_to_it_or_none(camera: Camera, seed: int) -> None:
    pixels = np.random.default_rng(seed).uniform([-640, -480], [1280, 960], size=(64, 2))
    rays = camera.normalize(pixels)
    seen = np.isfinite(rays).all(axis=1)
    np.testing.assert_allclose(camera.project_rays(rays[seen]), pixels[seen], atol=2e-3)
    directions = camera.directions(pixels)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    np.testing.assert_allclose(directions[seen, :2], rays[seen] * directions[seen, 2:], atol=1e-9)
    beyond = directions[~seen]
    np.testing.assert_allclose(np.linalg.norm(beyond[:, :2], axis=1), camera.limit * beyond[:, 2], rtol=1e-6)
    assert (np.einsum("ni,ni->n", beyond[:, :2], pixels[~seen] - K[:2, 2]) >= 0).all()


@settings(deadline=None, max_examples=40)
@given(strong("plumb_bob"))
def test_a_radial_lens_ends_where_its_polynomial_turns_or_explodes(d: list[float]) -> None:
    d = [0.0 if i in (2, 3) or abs(value) < 1e-3 else value for i, value in enumerate(d)]
    k1, k2, _, _, k3 = d
    radii = np.tan(np.linspace(0, np.radians(89.8), 20000))
    slope = 1 + 3 * k1 * radii**2 + 5 * k2 * radii**4 + 7 * k3 * radii**6
    seen = radii * (1 + k1 * radii**2 + k2 * radii**4 + k3 * radii**6)
    ends = np.append(radii[(slope <= 0) | (seen > 100)], radii[-1])  # it turns, or explodes
    limit = Camera(640, 480, K, np.array(d)).limit
    assert limit >= 0.98 * ends[0]
    clearly = (slope < -0.1) | (seen > 100)  # turns that lie close together may be one
    if any(d) and clearly.any():
        assert limit < 1.02 * radii[clearly][0]


def test_a_ray_outside_a_wide_view_does_not_come_back_into_it() -> None:
    """A barrel lens of 120 degrees: the formula puts a ray at 2.0 to pixel 426 of 640."""
    wide = Camera(640, 480, np.array([[266.0, 0, 319.5], [0, 266, 239.5], [0, 0, 1]]), np.array([-0.2, 0, 0, 0, 0]))
    folded = 266 * distorted_rays(np.array([2.0, 0]), "plumb_bob", wide.d)[0] + 319.5
    assert 420 < folded < 430
    assert np.isnan(wide.project([2.0, 0, 1])).all()
    assert np.isnan(wide.project([-4.0, 0, 2])).all()
    assert wide.limit == pytest.approx((1 / 0.6) ** 0.5, rel=1e-6)


@pytest.mark.parametrize("d", [(0, 0, 0.05, 0), (0, 0, -0.05, 0), (0, 0, 0, 0.05), (0, 0, 0, -0.05)])
def test_tangential_distortion_ends_in_the_direction_in_which_it_turns_first(d: tuple[float, ...]) -> None:
    """Along that axis y' = y + 3 p y^2 and dx'/dx = 1 + 2 p y: the Jacobian is zero at y = -1 / (6 p)."""
    camera = Camera(640, 480, K, np.array(d))
    assert camera.limit == pytest.approx(1 / (6 * 0.05), rel=1e-3)


def test_coefficients_that_overflow_see_nothing_and_warn_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Camera(640, 480, K, np.array([0, 1e308, 1e308, 0])).limit == pytest.approx(0, abs=1e-6)


def test_a_model_may_end_inside_the_image() -> None:
    """Its corners are beyond what any ray reaches: no ray there, and the direction of the edge."""
    camera = Camera(640, 480, K, np.array([-0.6, 0, 0, 0]))
    reach = 400 * camera.limit * (1 - 0.6 * camera.limit**2)
    assert reach < 320
    rays = camera.normalize([[319.5 + 0.99 * reach, 239.5], [319.5 + 1.01 * reach, 239.5], [0, 0], [np.nan, 0]])
    np.testing.assert_array_equal(np.isnan(rays).any(axis=1), [False, True, True, True])
    x, y, z = camera.directions([639.0, 239.5])
    np.testing.assert_allclose([x / z, y / z], [camera.limit, 0], atol=1e-9)


@pytest.mark.parametrize("degrees", [1.0, 60, 85, 89])
def test_a_fisheye_lens_sees_up_to_90_degrees(degrees: float) -> None:
    pixel = [639.5 + 300 * np.radians(degrees), 479.5]
    np.testing.assert_allclose(FISHEYE.normalize(pixel), [np.tan(np.radians(degrees)), 0], rtol=1e-6)
    np.testing.assert_allclose(FISHEYE.project([np.tan(np.radians(degrees)), 0, 1]), pixel, rtol=1e-9)


@pytest.mark.parametrize("degrees", [90.0, 91, 100, 120])
def test_beyond_90_degrees_there_is_no_image_plane(degrees: float) -> None:
    """Its pixels are in the image, but x/z is not finite there, or of the other side."""
    pixel = [639.5 + 300 * np.radians(degrees), 479.5]
    assert pixel[0] < FISHEYE.width
    assert np.isnan(FISHEYE.normalize(pixel)).all()
    direction = FISHEYE.directions(pixel)
    assert direction[0] > 0.99
    assert direction[2] > 0


def test_a_fisheye_polynomial_that_turns_back_ends_there() -> None:
    camera = Camera(1280, 960, FISHEYE.k, np.array([-0.2, 0, 0, 0]), "equidistant")
    assert np.arctan(camera.limit) == pytest.approx((1 / 0.6) ** 0.5, rel=1e-6)
    assert np.isnan(camera.project_rays([1.01 * camera.limit, 0])).all()
    far = 639.5 + 300 * np.arctan(camera.limit) * 2 / 3
    assert np.isnan(camera.normalize([far + 5, 479.5])).all()


NUMBERS = [0.3, -0.2, 0.001, -0.002, 0.05, 0.4, -0.1, 0.02, 0.001, 0.002, 0.003, 0.004, 0.01, 0.02]


@pytest.mark.parametrize(
    ("model", "count", "zeros", "read"),
    [
        *[(name, 5, 0, ("plumb_bob", 5)) for name in ("Plumb_Bob", "PLUMB BOB", "plumbbob", "radtan", "RadTan", "")],
        *[(name, 5, 0, ("plumb_bob", 5)) for name in ("brown_conrady", "Brown-Conrady", "radial-tangential")],
        *[("plumb_bob", n, 0, ("rational_polynomial", n)) for n in (8, 12, 14)],
        *[("plumb_bob", 5, n, ("plumb_bob", 5)) for n in (1, 3, 7, 9, 12)],
        ("plumb_bob", 4, 1, ("plumb_bob", 4)),
        ("radtan", 8, 1, ("rational_polynomial", 8)),
        *[("rational_polynomial", n, 0, ("rational_polynomial", n)) for n in (4, 5, 8, 12, 14)],
        *[("Rational-Polynomial", 8, n, ("rational_polynomial", 8)) for n in (1, 4, 6)],
        *[("equidistant", 4, n, ("equidistant", 4)) for n in (0, 1, 4, 10)],
        *[(name, 4, 0, ("equidistant", 4)) for name in ("Fisheye", "FISHEYE", "kannala_brandt", "KannalaBrandt8")],
    ],
)
def test_spellings_and_numbers_mean_what_opencv_reads(
    model: str, count: int, zeros: int, read: tuple[str, int]
) -> None:
    given_numbers = np.array(NUMBERS[:count]) * (0.1 if read[0] == "equidistant" else 1)
    camera = Camera(640, 480, K, np.concatenate([given_numbers, np.zeros(zeros)]), model)
    assert camera.model == read[0]
    np.testing.assert_array_equal(np.trim_zeros(camera.d, "b"), given_numbers[: read[1]])
    rays = np.array([[0.3, -0.2], [-0.1, 0.25]])
    if count <= 12:  # tilt is not written out there
        expected = distorted_rays(rays, read[0], given_numbers) * 400 + K[:2, 2]
        np.testing.assert_allclose(camera.project_rays(rays), expected, rtol=1e-9)


@pytest.mark.parametrize("model", ["plumb_bob", "rational_polynomial", "none", "", "Pinhole"])
def test_zeros_bend_nothing_except_in_a_fisheye(model: str) -> None:
    for count in (0, 4, 5, 8, 14):
        camera = Camera(640, 480, K, np.zeros(count), model)
        assert not camera.distorted
        assert camera.limit == np.inf
    assert Camera(640, 480, K, np.zeros(5), "fisheye").distorted
