"""CameraInfo to Camera by REP-104: binning, region of interest, rectified images, and what is no calibration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from smplerx_ros.errors import InputError
from smplerx_ros.ros.conversions.camera_info import camera_from_info, describe_centre

K = [500.0, 0.0, 321.0, 0.0, 510.0, 239.0, 0.0, 0.0, 1.0]
P = [450.0, 0.0, 330.0, 0.0, 0.0, 450.0, 245.0, 0.0, 0.0, 0.0, 1.0, 0.0]
D = [0.1, -0.05, 0.001, 0.002, 0.01]


def info(**fields: object) -> CameraInfo:
    made = CameraInfo(width=640, height=480, k=K, p=P, d=D, distortion_model="plumb_bob")
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_plain() -> None:
    camera = camera_from_info(info(), "/camera_info")
    assert (camera.width, camera.height, camera.model, camera.calibrated) == (640, 480, "plumb_bob", True)
    np.testing.assert_array_equal(camera.k.ravel(), K)
    np.testing.assert_array_equal(camera.d, D)


def test_rectified_takes_p_and_no_distortion() -> None:
    camera = camera_from_info(info(), "/camera_info", rectified=True)
    np.testing.assert_array_equal(camera.k, np.reshape(P, (3, 4))[:, :3])
    assert not camera.distorted


@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("binning", [(0, 0), (1, 1), (2, 2), (2, 4)])
@pytest.mark.parametrize("roi", [(0, 0, 0, 0), (40, 60, 320, 240)])
def test_pixels_of_the_delivered_image(rectified: bool, binning: tuple[int, int], roi: tuple[int, ...]) -> None:
    """A point projects to the full image's pixel, moved into the region and divided by the binning."""
    x, y, width, height = roi
    made = info(binning_x=binning[0], binning_y=binning[1])
    made.roi = RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height)
    camera = camera_from_info(made, "/camera_info", rectified=rectified)
    full = camera_from_info(info(), "/camera_info", rectified=rectified)
    factors = np.maximum(binning, 1)
    points = np.array([[0.1, -0.2, 2.0], [0.4, 0.3, 3.0]])
    np.testing.assert_allclose(camera.project(points), (full.project(points) - [x, y]) / factors, atol=1e-9)
    size = (width, height) if width else (640, 480)
    assert (camera.width, camera.height) == (size[0] // factors[0], size[1] // factors[1])


@pytest.mark.parametrize(
    ("fields", "model"),
    [
        ({"d": []}, "plumb_bob"),
        ({"d": [], "distortion_model": ""}, "plumb_bob"),
        ({"d": [0.0] * 5, "distortion_model": "whatever"}, "plumb_bob"),
        ({"d": [0.0] * 3, "distortion_model": "plumb_bob"}, "plumb_bob"),
        ({"d": [0.1] * 5, "distortion_model": ""}, "plumb_bob"),
        ({"d": [0.1] * 5, "distortion_model": "Plumb_Bob"}, "plumb_bob"),
        ({"d": [0.1] * 5, "distortion_model": "radtan"}, "plumb_bob"),
        ({"d": [0.1] * 4, "distortion_model": "brown_conrady"}, "plumb_bob"),
        ({"d": [0.1] * 8, "distortion_model": "plumb_bob"}, "rational_polynomial"),
        ({"d": [0.1] * 14, "distortion_model": "plumb_bob"}, "rational_polynomial"),
        ({"d": [*[0.1] * 5, *[0.0] * 3], "distortion_model": "plumb_bob"}, "plumb_bob"),
        ({"d": [0.1] * 5, "distortion_model": "rational_polynomial"}, "rational_polynomial"),
        ({"d": [*[0.1] * 4, 0.0], "distortion_model": "equidistant"}, "equidistant"),
        ({"d": [0.0] * 5, "distortion_model": "equidistant"}, "equidistant"),
        ({"d": [0.1, 0.0, 0.0, 0.0], "distortion_model": "fisheye"}, "equidistant"),
        ({"d": [0.1, 0.0, 0.0, 0.0], "distortion_model": "Kannala_Brandt4"}, "equidistant"),
        ({"d": [0.0, 0.0, 0.0, 0.0], "distortion_model": "equidistant"}, "equidistant"),
        ({"d": [], "distortion_model": "equidistant"}, "equidistant"),
        ({"d": [0.1] * 8, "distortion_model": "rational_polynomial"}, "rational_polynomial"),
    ],
)
def test_distortion_models(fields: dict[str, object], model: str) -> None:
    assert camera_from_info(info(**fields), "/camera_info").model == model


@pytest.mark.parametrize(
    "fields",
    [
        {"k": [0.0] * 9},
        {"k": [-500.0, *K[1:]]},
        {"k": [float("nan"), *K[1:]]},
        {"k": [0.6, 0.0, 0.5, 0.0, 0.8, 0.5, 0.0, 0.0, 1.0]},
        {"k": [*K[:3], 40.0, *K[4:]]},
        {"k": [*K[:8], 0.0]},
        {"width": 0},
        {"d": [0.1], "distortion_model": "plumb_bob"},
        {"d": [float("nan")] * 5},
        {"distortion_model": "double_sphere"},
        {"distortion_model": "inverse_brown_conrady"},
        {"distortion_model": "none"},
        {"distortion_model": "equidistant"},
        {"d": [0.1] * 6},
        {"roi": RegionOfInterest(x_offset=600, width=100, height=100)},
        {"binning_x": 1000},
    ],
)
def test_what_is_no_calibration_is_refused_by_topic(fields: dict[str, object]) -> None:
    with pytest.raises(InputError, match="/front/camera_info"):
        camera_from_info(info(**fields), "/front/camera_info")


@pytest.mark.parametrize("rectified", [False, True])
def test_matrices_mean_the_same_at_any_scale(rectified: bool) -> None:
    """With a region, whose offset is in pixels, and a fourth column, which is as large as the rest."""
    p = [*P[:3], -54.0, *P[4:]]
    region = RegionOfInterest(x_offset=40, y_offset=60, width=320, height=240)
    one, twice = (
        camera_from_info(
            info(k=[s * v for v in K], p=[s * v for v in p], roi=region), "/camera_info", rectified=rectified
        )
        for s in (1, 2)
    )
    np.testing.assert_allclose(twice.k, one.k)
    np.testing.assert_allclose(twice.centre, one.centre)
    assert one.centre[0] == pytest.approx(0.12 if rectified else 0)


def test_a_fourth_column_along_the_axis_is_refused() -> None:
    with pytest.raises(InputError, match=r"/camera_info.*\bp\b.*third row"):
        camera_from_info(info(p=[*P[:11], 0.5]), "/camera_info", rectified=True)


def test_rectified_without_p_is_refused() -> None:
    with pytest.raises(InputError, match=r"/camera_info.*\bp\b"):
        camera_from_info(info(p=[0.0] * 12), "/camera_info", rectified=True)


@pytest.mark.parametrize("binning", [1, 2])
@pytest.mark.parametrize("tx", [-54.0, 54.0, 0.0])
def test_the_right_camera_of_a_stereo_pair_sees_points_of_the_first_cameras_frame(tx: float, binning: int) -> None:
    """sensor_msgs/CameraInfo: P projects points of that frame, its Tx is -fx times the baseline."""
    p = np.array(P).reshape(3, 4)
    p[:2, 3] = tx, 9.0 if tx else 0.0
    made = info(p=p.ravel().tolist(), binning_x=binning, binning_y=binning)
    camera = camera_from_info(made, "/camera_info", rectified=True)
    points = np.array([[0.1, -0.2, 2.0], [0.4, 0.3, 3.0]])
    u, v, w = p @ np.append(points, np.ones((2, 1)), axis=1).T
    np.testing.assert_allclose(camera.project(points) * binning, np.stack([u / w, v / w], axis=1), atol=1e-9)
    np.testing.assert_allclose(camera.centre, [-tx / 450, -p[1, 3] / 450, 0])
    assert ("stereo" in describe_centre(camera, "left")) == bool(tx)
    np.testing.assert_array_equal(camera_from_info(made, "/camera_info").centre, np.zeros(3))  # K has no such column


UINT = st.integers(0, 2000) | st.just(2**32 - 1)
NUMBER = st.floats(width=64)
INFOS = st.fixed_dictionaries(
    {
        "width": UINT,
        "height": UINT,
        "k": st.lists(NUMBER, min_size=9, max_size=9),
        "p": st.lists(NUMBER, min_size=12, max_size=12),
        "d": st.lists(NUMBER, max_size=14),
        "distortion_model": st.sampled_from(["plumb_bob", "equidistant", "", "x"]),
        "binning_x": UINT,
        "binning_y": UINT,
        "roi": st.builds(RegionOfInterest, x_offset=UINT, y_offset=UINT, width=UINT, height=UINT),
    }
)


@given(INFOS, st.booleans())
def test_any_info_is_a_camera_or_an_input_error(fields: dict[str, object], rectified: bool) -> None:
    try:
        camera = camera_from_info(CameraInfo(**fields), "/camera_info", rectified=rectified)
    except InputError:
        return
    assert np.isfinite(camera.k).all()
    assert camera.k[0, 0] > 0
    assert camera.width > 0
