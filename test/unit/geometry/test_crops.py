"""Which part of an image the networks see, and where a body that they place in it stands."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from smplerx_ros.errors import InputError
from smplerx_ros.geometry import crops
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from support import parity

# OpenCV up to 4 samples at multiples of 1/32 pixel as the reference does; other builds interpolate exactly.
GREY = 1e-3 if int(cv2.__version__.split(".")[0]) < 5 else 4.0


@pytest.fixture(scope="module")
def expected() -> dict[str, NDArray[Any]]:
    return parity.vectors("preproc")


@pytest.fixture(scope="module")
def scene() -> NDArray[np.uint8]:
    return parity.image(10, 480, 640)


def region_of(xywh: NDArray[Any], ratio: float) -> NDArray[Any] | None:
    try:
        box = Box(xywh[0], xywh[1], xywh[0] + xywh[2], xywh[1] + xywh[3])
    except InputError:
        return None
    return crops.crop_box(box, 640, 480, ratio)


@pytest.mark.parametrize(("ratio", "key"), [(1.25, "r125"), (1.2, "r120")])
@pytest.mark.parametrize("row", range(12))
def test_boxes_and_crops_equal_the_reference(
    expected: dict[str, NDArray[Any]], scene: NDArray[np.uint8], ratio: float, key: str, row: int
) -> None:
    region = region_of(expected["pre_boxes_xywh"][row], ratio)
    assert (region is not None) == expected[f"pre_{key}_valid"][row]
    if region is None:
        return
    np.testing.assert_array_equal(region, expected[f"pre_{key}_bbox_xywh"][row].astype(np.float32))
    matrix = crops.warp_from_image(region)
    np.testing.assert_array_equal(matrix, expected[f"pre_{key}_img2bb"][row].astype(np.float32))
    warp = cv2.warpAffine(scene.astype(np.float32), matrix, (384, 512), flags=cv2.INTER_LINEAR)
    rows, columns = expected["pre_sample_rowcol"].T
    np.testing.assert_allclose(warp[rows, columns], expected[f"pre_{key}_crop_samples"][row], atol=GREY)
    direct = crops.crop(scene, region)
    np.testing.assert_allclose(direct, warp[::2, ::2], atol=GREY)
    assert direct.dtype == np.float32


def test_virtual_camera_equals_the_reference(expected: dict[str, NDArray[Any]]) -> None:
    for xywh, fxfycxcy in zip(expected["pre_boxes_xywh"], expected["post_fx_fy_cx_cy_r125"], strict=True):
        region = region_of(xywh, 1.25)
        if region is not None:
            k = crops.virtual_camera(region)
            np.testing.assert_allclose([k[0, 0], k[1, 1], k[0, 2], k[1, 2]], fxfycxcy, rtol=1e-6)


def test_beyond_the_image_it_is_black(scene: NDArray[np.uint8]) -> None:
    crop = crops.crop(scene, np.array([-30, -40, 300, 400], np.float32))
    assert crop.shape == (256, 192, 3)
    assert not crop[:24].any()
    assert not crop[:, :18].any()
    assert crop[26:, 20:].any(axis=2).all()


@given(
    st.floats(-300, 800),
    st.floats(-300, 700),
    st.floats(0.5, 900),
    st.floats(0.5, 900),
    st.sampled_from([1.0, 1.2, 1.25]),
)
def test_any_box_gives_a_region_of_the_crops_aspect_or_none(
    x: float, y: float, w: float, h: float, ratio: float
) -> None:
    region = crops.crop_box(Box(x, y, x + w, y + h), 640, 480, ratio)
    if region is not None:
        assert region[2] > 0
        np.testing.assert_allclose(region[2] / region[3], 0.75, rtol=1e-5)
        crop = crops.crop(np.full((480, 640, 3), 200, np.uint8), region)
        assert 0 <= crop.min() <= crop.max() <= 200.001


LENSES = [("plumb_bob", []), ("plumb_bob", [-0.2, 0.05, 0, 0, 0]), ("equidistant", [0.02, -0.01, 0.001, 0])]
FLAT = np.array([[x, y, 0.0] for x in (-0.3, 0, 0.3) for y in (-0.8, 0, 0.8)])  # faces the camera: one depth, one scale


@pytest.mark.parametrize(("model", "d"), LENSES)
def test_placed_joints_are_seen_where_the_crops_camera_sees_them(model: str, d: list[float]) -> None:
    camera = Camera(640, 480, np.array([[520.0, 0, 320], [0, 520.0, 240], [0, 0, 1]]), np.array(d), model)
    region = np.array([260, 120, 150, 200], np.float32)
    joints = FLAT + [0.05, -0.1, 45.0]
    place = crops.solve_translation(joints, FLAT, region, camera)
    virtual = crops.virtual_camera(region)
    pixels = joints[:, :2] / joints[:, 2:] * virtual[[0, 1], [0, 1]] + virtual[:2, 2]
    np.testing.assert_allclose(camera.project(FLAT + place), pixels, atol=2)  # the lens bends what is flat for the crop


def test_placing_a_flat_body_without_distortion_is_the_ratio_of_focal_lengths() -> None:
    camera = Camera(640, 480, np.array([[500.0, 0, 310], [0, 500.0, 250], [0, 0, 1]]))
    region = np.array([100, 50, 150, 200], np.float32)
    k = crops.virtual_camera(region)
    x, y, z = 0.2, -0.3, 45.0
    expected = [x + (k[0, 2] - 310) * z / k[0, 0], y + (k[1, 2] - 250) * z / k[1, 1], z * 500 / k[0, 0]]
    np.testing.assert_allclose(crops.solve_translation(FLAT + [x, y, z], FLAT, region, camera), expected, rtol=1e-6)


@pytest.mark.parametrize(("model", "d"), LENSES)
def test_people_who_are_hardly_in_the_image_are_placed_by_their_scale(model: str, d: list[float]) -> None:
    """Rays beyond the image are not to be trusted: a lens model may fold back there."""
    camera = Camera(640, 480, np.array([[520.0, 0, 320], [0, 520.0, 240], [0, 0, 1]]), np.array(d), model)
    region = np.array([590, 120, 150, 200], np.float32)
    place = crops.solve_translation(FLAT + [0.0, 0, 45.0], FLAT, region, camera)
    assert place[2] == pytest.approx(45.0 * 520 / crops.virtual_camera(region)[0, 0], rel=0.35)
    np.testing.assert_allclose(camera.project(place), [665, 220], atol=1)
