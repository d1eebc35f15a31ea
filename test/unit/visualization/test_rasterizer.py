from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smplerx_ros.geometry.camera import NEAR, Camera
from smplerx_ros.visualization.rasterizer import rasterize

CAMERA = Camera(64, 48, np.array([[50.0, 0, 31.5], [0, 50, 23.5], [0, 0, 1]]))


def lift(pixels, depth):
    """Points in space that CAMERA sees at `pixels (n, 2)`."""
    return np.concatenate([CAMERA.normalize(pixels), np.ones((len(pixels), 1))], axis=1) * np.reshape(depth, (-1, 1))


def pixels_inside(corners, camera=CAMERA):
    """Pixel centres strictly inside a triangle, by signs of areas: an independent way to the answer."""
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    signs = []
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        signs.append((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0))
    signs = np.stack(signs)
    return (signs > 1e-6).all(0) | (signs < -1e-6).all(0)


def pixels_near(corners, camera=CAMERA):
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    signs = []
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        signs.append((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0))
    signs = np.stack(signs)
    return (signs > -1e-6).all(0) | (signs < 1e-6).all(0)


def test_square_of_two_triangles_is_covered_once():
    corners = np.array([[10.5, 5.5], [20.5, 5.5], [20.5, 15.5], [10.5, 15.5]])
    raster = rasterize(lift(corners, 2.0), [[0, 1, 2], [0, 2, 3]], CAMERA)
    expected = np.zeros((48, 64), bool)
    expected[6:16, 11:21] = True
    assert np.array_equal(raster.mask(), expected)
    one, other = (rasterize(lift(corners, 2.0), [face], CAMERA).mask() for face in ([0, 1, 2], [0, 2, 3]))
    assert not (one & other).any(), "the shared edge belongs to both triangles"
    assert np.array_equal(one | other, expected)


@given(st.lists(st.tuples(st.floats(-40, 110), st.floats(-40, 90)), min_size=3, max_size=3), st.permutations(range(3)))
@settings(max_examples=60, deadline=None)
def test_any_triangle_covers_the_pixels_inside_it(corners, order):
    corners = np.array(corners)[list(order)]
    mask = rasterize(lift(corners, 3.0), [[0, 1, 2]], CAMERA).mask()
    assert mask[pixels_inside(corners)].all()
    assert not mask[~pixels_near(corners)].any()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_fan_around_a_point_has_no_gap_and_no_overlap(seed):
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 3))
    ring = np.array([[31.5, 23.5]]) + 500 * np.stack([np.cos(angles), np.sin(angles)], 1)
    centre = rng.uniform([20, 15], [44, 33])
    points = lift(np.concatenate([ring, centre[None]]), 2.0)
    faces = [[0, 1, 3], [1, 2, 3], [2, 0, 3]]
    if np.diff(np.append(angles, angles[0] + 2 * np.pi)).max() >= 0.95 * np.pi:
        return  # the centre may lie outside the ring: no fan
    count = sum(rasterize(points, [face], CAMERA).mask().astype(int) for face in faces)
    assert (count == 1).all()


def test_nearer_triangle_wins_whatever_the_order():
    square = np.array([[10.0, 5], [40, 5], [10, 35]])
    points = np.concatenate([lift(square, 4.0), lift(square, 2.0)])
    for faces in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        raster = rasterize(points, faces, CAMERA)
        assert len(raster.pixels) > 300
        np.testing.assert_allclose(raster.depth, 2.0, rtol=1e-6)
        assert (np.array(faces)[raster.faces][:, 0] == 3).all()


def test_crossing_triangles_meet_where_their_depths_are_equal():
    left, right = np.array([[5.0, 3], [5, 44]]), np.array([[58.0, 3], [58, 44]])
    corners = np.concatenate([left, right])
    points = np.concatenate([lift(corners, [2, 2, 4, 4]), lift(corners, [4, 4, 2, 2])])
    faces = np.array([[0, 1, 2], [1, 2, 3], [4, 5, 6], [5, 6, 7]])
    nearest = rasterize(points, faces, CAMERA).face_image()[20] // 2
    assert set(nearest[6:30]) == {0}
    assert set(nearest[33:57]) == {1}


def test_depth_and_weights_are_perspective_correct():
    corners = lift(np.array([[4.3, 4.1], [60.2, 8.4], [20.7, 44.9]]), [1.0, 5.0, 2.5])
    raster = rasterize(corners, [[0, 1, 2]], CAMERA)
    points = raster.interpolate(corners, np.array([[0, 1, 2]]))  # positions are affine on the triangle
    column, row = raster.pixels % 64, raster.pixels // 64
    np.testing.assert_allclose(CAMERA.project(points), np.stack([column, row], 1), atol=1e-6)
    np.testing.assert_allclose(points[:, 2], raster.depth, rtol=1e-9)
    np.testing.assert_allclose(raster.weights.sum(1), 1, atol=1e-9)


def test_images_agree_with_the_pixel_list():
    raster = rasterize(lift(np.array([[4.0, 4], [60, 8], [20, 44]]), 2.0), [[0, 1, 2]], CAMERA)
    depth, face = raster.depth_image(), raster.face_image()
    assert depth.shape == face.shape == (48, 64)
    assert depth.dtype == np.float32
    assert np.array_equal(np.isfinite(depth), raster.mask())
    assert np.array_equal(face >= 0, raster.mask())


@pytest.mark.parametrize(
    "points",
    [
        pytest.param([[0, 0, -2], [1, 0, -2], [0, 1, -2]], id="behind"),
        pytest.param([[0, 0, 2], [1, 0, 2], [0, 1, -2]], id="one corner behind"),
        pytest.param([[0, 0, 0], [1, 0, 0], [0, 1, 0]], id="in the camera's plane"),
        pytest.param([[0, 0, 2], [0.1, 0, 2], [0, 0.01, NEAR / 2]], id="one corner nearer than the near plane"),
        pytest.param([[50, 0, 2], [51, 0, 2], [50, 1, 2]], id="beside the image"),
        pytest.param([[0, 0, 2], [0, 0, 2], [0, 0, 2]], id="a point"),
        pytest.param([[0, 0, 2], [0.1, 0.1, 2], [0.2, 0.2, 2]], id="a line"),
        pytest.param([[0, 0, 2], [np.nan, 0, 2], [0, 1, 2]], id="nan"),
        pytest.param([[0, 0, 2], [np.inf, 0, 2], [0, 1, 2]], id="inf"),
        pytest.param(np.zeros((0, 3)), id="no mesh"),
    ],
)
def test_what_cannot_be_seen_draws_nothing(points):
    faces = [[0, 1, 2]] if len(points) else np.zeros((0, 3), int)
    raster = rasterize(points, faces, CAMERA)
    assert len(raster.pixels) == 0
    assert not raster.mask().any()
    assert np.isinf(raster.depth_image()).all()


def test_triangle_larger_than_the_image_fills_it():
    raster = rasterize([[-900, -900, 2], [2000, -900, 2], [-900, 2000, 2]], [[0, 1, 2]], CAMERA)
    assert raster.mask().all()
    np.testing.assert_allclose(raster.depth, 2.0, rtol=1e-6)


def test_distorted_lens_moves_vertices_and_does_not_fold_far_ones_back():
    lens = Camera(64, 48, CAMERA.k, np.array([-0.4, 0.0, 0, 0]))
    corner = np.array([[0.4, 0.3, 1.0], [0.42, 0.3, 1], [0.4, 0.32, 1]]) * 2
    expected = lens.project(corner)
    mask = rasterize(corner, [[0, 1, 2]], lens).mask()
    rows, columns = np.nonzero(mask)
    assert len(rows) > 0
    assert expected[:, 0].min() - 1 <= columns.min() <= columns.max() <= expected[:, 0].max() + 1
    assert expected[:, 1].min() - 1 <= rows.min() <= rows.max() <= expected[:, 1].max() + 1
    far = np.array([[1.5, 0, 1.0], [1.55, 0, 1], [1.5, 0.1, 1]])  # the polynomial puts these into the image again
    bent = 31.5 + 50 * far[:, 0] * (1 - 0.4 * (far[:, :2] ** 2).sum(axis=1))
    assert ((bent > 0) & (bent < 64)).all()
    assert not rasterize(far, [[0, 1, 2]], lens).mask().any()


def test_closed_mesh_shows_its_outside_alone():
    corners = np.array([[[x, y, z] for z in (2.0, 3.0)] for x in (-0.4, 0.4) for y in (-0.4, 0.4)]).reshape(-1, 3)
    quads = [[0, 2, 6, 4], [1, 5, 7, 3], [0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6]]
    faces = np.array([triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))])
    normals = np.cross(corners[faces[:, 1]] - corners[faces[:, 0]], corners[faces[:, 2]] - corners[faces[:, 0]])
    outward = np.sum(normals * (corners[faces].mean(axis=1) - [0, 0, 2.5]), axis=1) > 0
    faces[~outward] = faces[~outward, ::-1]
    whole, outside = rasterize(corners, faces, CAMERA), rasterize(corners, faces, CAMERA, closed=True)
    assert len(whole.pixels) > 300
    assert np.array_equal(outside.faces, whole.faces)
    inside = rasterize(corners, faces[:, ::-1], CAMERA, closed=True)
    assert (inside.depth_image() > whole.depth_image())[whole.mask()].all()
