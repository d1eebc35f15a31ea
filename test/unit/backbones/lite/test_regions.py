"""Regions: geometry that must hold for any region, and crops against images whose values are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smplerx_ros.backbones.lite import regions as roi
from smplerx_ros.geometry.boxes import Box
from support import opencv4

coordinate = st.floats(-500, 2000)
region = st.tuples(coordinate, coordinate, st.floats(1, 3000), st.floats(-np.pi, np.pi)).map(
    lambda values: np.array([values])
)


def test_crop_samples_the_image_where_the_map_says() -> None:
    rows, columns = np.mgrid[:200, :240]
    image = np.stack([columns, rows, np.full_like(rows, 7)], axis=2).astype(np.uint8)  # a pixel's value is its place
    regions = np.array([[100.0, 90.0, 64.0, 0.3], [120.0, 100.0, 30.0, -2.0]])
    crops = roi.crop([image, image], regions, 32) * 255
    u = np.stack(np.meshgrid(np.arange(32), np.arange(32)), axis=2).reshape(1, -1, 2).astype(float)
    expected = roi.points_to_image(np.repeat(u, 2, axis=0), regions, 32)
    np.testing.assert_allclose(crops[..., :2].reshape(2, -1, 2), expected, atol=0.6)  # bytes, 1/32 px
    np.testing.assert_allclose(crops[..., 2], 7, atol=1e-4)


def test_crop_repeats_the_edge_outside_of_the_image() -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    image[:, -1] = 200
    crops = roi.crop([image], np.array([[200.0, 5.0, 20.0, 0.0]]), 16)
    np.testing.assert_allclose(crops * 255, 200, atol=1e-3)


def test_crops_of_the_installed_opencv_are_those_of_opencv_4_but_for_rounding() -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    regions = np.array([[80.0, 60.0, 90.0, 0.3], [150.3, 7.7, 60.0, -2.0]])  # the second over the edge
    difference = 255 * np.abs(roi.crop([image] * 2, regions, 64) - opencv4.crop([image] * 2, regions, 64))
    assert difference.max() < 1.5 * 255 / opencv4.STEPS  # half a step along both axes, and the rounding of grey levels
    assert difference.mean() < 2


@given(region, st.integers(16, 256))
def test_the_middle_and_corner_of_a_crop_are_those_of_its_region(one: np.ndarray, size: int) -> None:
    points = np.array([[[size / 2, size / 2], [0, 0]]])
    middle, corner = roi.points_to_image(points, one, size)[0]
    np.testing.assert_allclose(middle, one[0, :2], atol=1e-6)
    assert np.linalg.norm(corner - middle) == pytest.approx(one[0, 2] / np.sqrt(2))


@given(coordinate, coordinate, st.floats(1, 500), st.floats(-np.pi, np.pi))
def test_heading_points_up_in_the_crop(x: float, y: float, length: float, direction: float) -> None:
    a = np.array([[x, y]])
    b = a + length * np.array([[np.cos(direction), np.sin(direction)]])
    angle = roi.heading(a, b, roi.UP)
    in_crop = (b - a) @ roi.image_from_crop_rotation(angle)[0]
    np.testing.assert_allclose(in_crop, [[0, -length]], atol=1e-6)


@given(st.floats(-np.pi, np.pi), st.floats(0.5, 3))
def test_regions_turn_and_grow_with_their_points(angle: float, scale: float) -> None:
    rng = np.random.default_rng(3)
    hand, face = rng.normal(300, 40, (1, 21, 2)), rng.normal(300, 40, (1, 478, 2))
    turned = scale * hand @ roi.image_from_crop_rotation(angle).T
    before, after = roi.hand_regions(hand)[0], roi.hand_regions(turned)[0]
    assert after[2] == pytest.approx(scale * before[2])
    np.testing.assert_allclose(after[:2], scale * roi.image_from_crop_rotation(angle) @ before[:2])
    assert np.cos(after[3] - before[3] - angle) == pytest.approx(1)
    np.testing.assert_allclose(roi.face_regions(scale * face)[0, :3], scale * roi.face_regions(face)[0, :3])


def test_body_region_of_an_upright_person() -> None:
    points = np.zeros((1, 39, 3))
    points[0, 33, :2], points[0, 34, :2] = (100, 200), (100, 80)  # hips, and the circle above the head
    np.testing.assert_allclose(roi.body_regions(points), [[100, 200, 2 * 120 * 1.25, 0]], atol=1e-9)


def test_world_points_turn_with_the_region() -> None:
    world = np.array([[[1.0, 0.0, 0.5]]])
    turned = roi.world_to_image_axes(world, np.array([[0, 0, 1, np.pi / 2]]))
    np.testing.assert_allclose(turned, [[[0, 1, 0.5]]], atol=1e-12)  # clockwise: right becomes down


@pytest.mark.parametrize(
    ("box", "count"),
    [
        (Box(100, 100, 200, 400), 1),  # upright, wholly seen
        (Box(100, 300, 200, 718), 3),  # legs below the image
        (Box(100, 100, 300, 400), 3),  # too wide for its height
        (Box(100, 100, 400, 200), 5),  # lying, or only a chest
    ],
)
def test_number_of_hypotheses(box: Box, count: int) -> None:
    regions = roi.start_regions(box, 1280, 720)
    assert regions.shape == (count, 4)
    assert (regions[:, 2] > 0).all()


def test_agreement_knows_that_angles_wrap() -> None:
    candidate, reference = np.array([[0, 0, 10, np.pi - 0.05]]), np.array([[0, 0, 10, -np.pi + 0.05]])
    assert roi.agrees(candidate, reference, angle=0.2, shift=0.1, scale=0.1)[0]
    assert not roi.agrees(candidate, reference, angle=0.05, shift=0.1, scale=0.1)[0]


@pytest.mark.parametrize("change", [(3, 0, 0, 0), (0, -3, 0, 0), (0, 0, 5, 0), (0, 0, -5, 0), (0, 0, 0, 1)])
def test_each_limit_of_agreement_bites(change: tuple[float, ...]) -> None:
    reference = np.array([[50.0, 60, 10, 0.4]])
    limits = {"angle": 0.7, "shift": 0.2, "scale": 0.4}
    assert roi.agrees(reference, reference, **limits)[0]
    assert not roi.agrees(reference + np.array(change), reference, **limits)[0]


def test_a_region_is_carried_as_another_one_moves_and_turns() -> None:
    region = np.array([[3.0, 0.0, 7.0, 0.1]])
    before, now = np.array([[1.0, 0.0, 5.0, 0.2]]), np.array([[10.0, 20.0, 6.0, 0.2 + np.pi / 2]])
    expected = [[10, 22, 7, 0.1 + np.pi / 2]]  # two to the right becomes two down; its size is its own
    np.testing.assert_allclose(roi.propagated(region, before, now), expected)
