"""Depth messages to metres, and the one that belongs to an image."""

from __future__ import annotations

import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import Image

from smplerx_ros.errors import InputError
from smplerx_ros.ros.conversions.depth import DEPTH_ENCODINGS, depth_from_message, registered
from smplerx_ros.ros.conversions.image import MAX_PIXELS

MILLIMETRES = np.array([[0, 1, 500], [1234, 65535, 8000]])
METRES = np.array([[np.nan, np.inf, -np.inf], [-1.0, 0.0, 2.5]])
COLOR = np.zeros((2, 3, 3), np.uint8)


def message(pixels: np.ndarray, encoding: str, padding: int = 0, stamp_ns: int = 0, frame_id: str = "") -> Image:
    """The message of `pixels (H, W)` in their own byte order, each row followed by `padding` bytes."""
    height, width = pixels.shape
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(height, -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    big = pixels.dtype.byteorder == ">"
    made = Image(height=height, width=width, encoding=encoding, is_bigendian=int(big), step=rows.shape[1])
    made.data = array.array("B", rows.tobytes())
    made.header.stamp.sec, made.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
    made.header.frame_id = frame_id
    return made


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("encoding", ["16UC1", "mono16"])
def test_millimetres(encoding: str, order: str, padding: int) -> None:
    depth = depth_from_message(message(MILLIMETRES.astype(f"{order}u2"), encoding, padding), "/depth")
    assert (depth.dtype, depth.dtype.isnative) == (np.float32, True)
    np.testing.assert_allclose(depth, [[np.nan, 0.001, 0.5], [1.234, 65.535, 8.0]], rtol=1e-6)


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("order", "<>")
def test_metres(order: str, padding: int) -> None:
    depth = depth_from_message(message(METRES.astype(f"{order}f4"), "32FC1", padding), "/depth")
    assert (depth.dtype, depth.dtype.isnative) == (np.float32, True)
    np.testing.assert_array_equal(depth, np.array([[np.nan] * 3, [np.nan, np.nan, 2.5]], np.float32))


def spoiled(**fields: object) -> Image:
    made = message(MILLIMETRES.astype("<u2"), "16UC1")
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("bad", "fragment"),
    [
        (Image(), "empty"),
        (spoiled(encoding="rgb8"), "encoding 'rgb8' is not supported; use one of 16UC1"),
        (spoiled(encoding="16UC1; compressedDepth png"), "encoding"),
        (spoiled(encoding="64FC1"), "encoding"),
        (spoiled(encoding="32FC1"), "step"),
        (spoiled(step=5), "step"),
        (spoiled(data=array.array("B", bytes(7))), "data"),
        (spoiled(height=2**16, width=2**16), str(MAX_PIXELS)),
    ],
)
def test_bad_fields_are_named(bad: Image, fragment: str) -> None:
    with pytest.raises(InputError) as error:
        depth_from_message(bad, "/camera/depth")
    assert "/camera/depth" in str(error.value)
    assert fragment in str(error.value)


SIZES = st.integers(0, 40) | st.sampled_from([2**31, 2**32 - 1])


@given(
    SIZES, SIZES, SIZES, st.sampled_from([*DEPTH_ENCODINGS, "rgb8", ""]), st.integers(0, 255), st.binary(max_size=4000)
)
def test_any_message_is_depth_or_an_input_error(
    height: int, width: int, step: int, encoding: str, bigendian: int, data: bytes
) -> None:
    made = Image(height=height, width=width, step=step, encoding=encoding, is_bigendian=bigendian)
    made.data = array.array("B", data)
    try:
        depth = depth_from_message(made, "/depth")
    except InputError:
        return
    assert len(data) == step * height
    check_depth(depth, (height, width))


@given(
    st.sampled_from(sorted(DEPTH_ENCODINGS)),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 7),
    st.booleans(),
    st.randoms(),
)
def test_any_well_formed_message_is_depth(
    encoding: str, height: int, width: int, padding: int, bigendian: bool, random: object
) -> None:
    step = width * DEPTH_ENCODINGS[encoding].bits // 8 + padding
    made = Image(height=height, width=width, step=step, encoding=encoding, is_bigendian=int(bigendian))
    made.data = array.array("B", random.randbytes(step * height))  # type: ignore[attr-defined]
    check_depth(depth_from_message(made, "/depth"), (height, width))


def check_depth(depth: np.ndarray, shape: tuple[int, int]) -> None:
    assert (depth.shape, depth.dtype) == (shape, np.float32)
    measured = depth[~np.isnan(depth)]
    assert (measured > 0).all()
    assert np.isfinite(measured).all()


@pytest.mark.parametrize(
    ("bad", "fragment"),
    [
        (message(np.ones((4, 6), "<u2"), "16UC1"), "/depth has 6x4 pixels, the image 3x2"),
        (
            message(np.ones((2, 3), "<u2"), "16UC1", frame_id="depth"),
            "/depth is in frame 'depth', the image in 'color'",
        ),
        (message(np.zeros((2, 3), "<u2"), "16UC1"), "/depth: no pixel holds a measurement"),
        (message(np.full((2, 3), np.nan, "<f4"), "32FC1"), "/depth: no pixel holds a measurement"),
    ],
)
def test_depth_of_another_view_is_refused(bad: Image, fragment: str) -> None:
    with pytest.raises(InputError) as error:
        registered(bad, "/depth", COLOR, "color")
    assert fragment in str(error.value)


@pytest.mark.parametrize(("theirs", "ours"), [("/color", "color"), ("color", "/color"), ("", "color"), ("color", "")])
def test_a_leading_slash_makes_no_other_frame(theirs: str, ours: str) -> None:
    depth = registered(message(np.full((2, 3), 1500, "<u2"), "16UC1", frame_id=theirs), "/depth", COLOR, ours)
    np.testing.assert_allclose(depth, 1.5)
