"""Images from messages: every encoding, and every field that can be wrong."""

from __future__ import annotations

import array
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import Image

from smplerx_ros.errors import InputError
from smplerx_ros.ros.conversions.bit_depth import BitDepth
from smplerx_ros.ros.conversions.image import ENCODINGS, MAX_PIXELS, image_from_message, message_from_image

WIDTH, HEIGHT = 8, 6
RGB = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
GREY = RGB[..., 0]


def message(pixels: np.ndarray, encoding: str, padding: int = 0, bigendian: bool = False) -> Image:
    """The message of `pixels (H, W[, C])` in memory order, each row followed by `padding` bytes."""
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(height, -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    made = Image(height=height, width=width, encoding=encoding, is_bigendian=int(bigendian), step=rows.shape[1])
    made.data = array.array("B", rows.tobytes())
    return made


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "pixels", "expected"),
    [
        ("rgb8", RGB, RGB),
        ("bgr8", RGB[..., ::-1], RGB),
        ("8UC3", RGB[..., ::-1], RGB),
        ("rgba8", np.dstack([RGB, GREY]), RGB),
        ("bgra8", np.dstack([RGB[..., ::-1], GREY]), RGB),
        ("8UC4", np.dstack([RGB[..., ::-1], GREY]), RGB),
        ("mono8", GREY, np.dstack([GREY] * 3)),
        ("8UC1", GREY, np.dstack([GREY] * 3)),
        ("mono16", GREY.astype("<u2") * 257, np.dstack([GREY] * 3)),
        ("16UC1", GREY.astype("<u2") * 257, np.dstack([GREY] * 3)),
        ("rgb16", RGB.astype("<u2") * 257, RGB),
        ("bgr16", RGB[..., ::-1].astype("<u2") * 257, RGB),
    ],
)
def test_colours_arrive(encoding: str, pixels: np.ndarray, expected: np.ndarray, padding: int) -> None:
    padding += padding % 2 if pixels.dtype.itemsize == 2 else 0
    np.testing.assert_array_equal(image_from_message(message(pixels, encoding, padding), "/image"), expected)


def test_big_endian_16_bit() -> None:
    image = image_from_message(message(GREY.astype(">u2") * 257, "mono16", bigendian=True), "/image")
    np.testing.assert_array_equal(image[..., 0], GREY)


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("encoding", ["mono16", "16UC1", "rgb16", "bgr16", "bayer_rggb16"])
def test_cameras_of_fewer_bits_are_as_bright_as_others(encoding: str, bits: int) -> None:
    """They send their values in the low bits."""
    full = np.full((HEIGHT, WIDTH, 3) if "gb1" in encoding or "gr1" in encoding else (HEIGHT, WIDTH), 1.0)
    full[: HEIGHT // 2] = 0.5
    image = image_from_message(message((full * ((1 << bits) - 1)).astype("<u2"), encoding), "/image")
    np.testing.assert_allclose(image[[0, -1]].mean(axis=(1, 2)), [127.5, 255], atol=2)


def test_the_depth_of_a_camera_only_grows_and_is_told() -> None:
    told: list[str] = []
    depth = BitDepth("/image", told.append)

    def brightest(value: int) -> int:
        pixels = np.full((HEIGHT, WIDTH), value, "<u2")
        return int(image_from_message(message(pixels, "mono16"), "/image", depth).max())

    assert brightest(0) == 0
    assert told == []  # the lid is on
    assert brightest(1023) == 255
    assert brightest(4095) == 255
    assert brightest(1023) == 64  # no flicker
    assert brightest(65535) == 255
    assert brightest(4095) == 16
    assert [text.split(":")[1] for text in told] == [
        " 16-bit images whose values stay below 1024",
        " 16-bit images whose values stay below 4096",
        " 16-bit images whose values reach 4096",
    ]
    assert "a camera of 16 bits instead of 12" in told[-1]
    assert all(text.startswith("/image: ") for text in told)


@pytest.mark.parametrize("spoiled", [np.s_[0, 0], np.s_[0, :4], np.s_[-1], np.s_[::40, ::40]])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_hot_pixels_and_embedded_counters_do_not_darken_a_camera(spoiled: Any, bits: int) -> None:
    """A pixel, a counter's four, a line of telemetry, and 192 pixels all over the image."""
    told: list[str] = []
    good = np.random.default_rng(0).integers(1 << bits - 2, 1 << bits, (480, 640), np.uint16)
    bad = good.copy()
    bad[spoiled] = 65535
    depth = BitDepth("/image", told.append)
    first = BitDepth("/image")
    expected = depth.to_8_bits(good)
    for _ in range(2):
        for seen in (depth.to_8_bits(bad), first.to_8_bits(bad)):
            assert (seen[spoiled] == 255).all()
            assert (seen != expected).mean() < 0.005
        np.testing.assert_array_equal(depth.to_8_bits(good), expected)
    assert (depth.bits, first.bits, len(told)) == (bits, bits, 1)


def test_a_hot_pixel_behind_the_lid_is_no_depth() -> None:
    told: list[str] = []
    dark = np.zeros((480, 640), np.uint16)
    dark[7, 7] = 65535
    depth = BitDepth("/image", told.append)
    assert depth.to_8_bits(dark).sum() == 255
    assert (depth.bits, told) == (0, [])


@pytest.mark.parametrize(
    ("encoding", "order"), [("yuv422", "UYVY"), ("uyvy", "UYVY"), ("yuv422_yuy2", "YUYV"), ("yuyv", "YUYV")]
)
def test_yuv422(encoding: str, order: str) -> None:
    """A saturated red by BT.601: Y 81, U 90, V 240."""
    value = {"Y": 81, "U": 90, "V": 240}
    pair = np.array([value[letter] for letter in order], np.uint8)
    image = image_from_message(
        message(np.tile(pair, (HEIGHT, WIDTH // 2)).reshape(HEIGHT, WIDTH, 2), encoding), "/image"
    )
    np.testing.assert_allclose(image.reshape(-1, 3), np.tile([255, 0, 0], (HEIGHT * WIDTH, 1)), atol=3)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns_are_told_apart(pattern: str, bits: int) -> None:
    colour = {"r": 200, "g": 100, "b": 20}
    tile = np.array([colour[letter] for letter in pattern], "<u2").reshape(2, 2)
    mosaic = np.tile(tile, (HEIGHT // 2, WIDTH // 2))
    mosaic = mosaic * 257 if bits == 16 else mosaic.astype(np.uint8)
    image = image_from_message(message(mosaic, f"bayer_{pattern}{bits}"), "/image")
    np.testing.assert_allclose(image[2:-2, 2:-2].reshape(-1, 3).mean(axis=0), [200, 100, 20], atol=1)


def spoiled(**fields: object) -> Image:
    made = message(RGB, "rgb8")
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("bad", "fragment"),
    [
        (Image(), "empty"),
        (spoiled(data=array.array("B")), "empty"),
        (spoiled(height=0), "empty"),
        (spoiled(width=0), "empty"),
        (spoiled(step=3 * WIDTH - 1, data=array.array("B", bytes(HEIGHT * (3 * WIDTH - 1)))), "step 23 is too small"),
        (spoiled(step=0), "step 0 is too small"),
        (spoiled(height=HEIGHT + 1), "data"),
        (spoiled(height=HEIGHT - 1), "data"),
        (spoiled(data=array.array("B", bytes(10))), "data"),
        (spoiled(encoding="nv24"), "encoding"),
        (spoiled(encoding=""), "encoding"),
        (spoiled(encoding="x" * 10_000), "encoding"),
        (spoiled(height=65_536, width=65_536), str(MAX_PIXELS)),
        (message(np.zeros((4, 3, 2), np.uint8), "yuv422"), "even"),
        (message(np.zeros((3, 4), np.uint8), "bayer_rggb8"), "even"),
        (Image(height=3, width=4, step=4, encoding="nv12", data=array.array("B", bytes(16))), "even"),
        (Image(height=4, width=4, step=4, encoding="nv21", data=array.array("B", bytes(16))), "step 4 x 6 rows = 24"),
    ],
)
def test_bad_fields_are_named(bad: Image, fragment: str) -> None:
    with pytest.raises(InputError) as error:
        image_from_message(bad, "/camera/image_raw")
    assert "/camera/image_raw" in str(error.value)
    assert fragment in str(error.value)
    assert len(str(error.value)) < 500


SIZES = st.integers(0, 40) | st.sampled_from([2**31, 2**32 - 1])


@given(
    SIZES, SIZES, SIZES, st.sampled_from([*ENCODINGS, "nv24", "", "😀"]), st.integers(0, 255), st.binary(max_size=4000)
)
def test_any_message_is_an_image_or_an_input_error(
    height: int, width: int, step: int, encoding: str, bigendian: int, data: bytes
) -> None:
    made = Image(height=height, width=width, step=step, encoding=encoding, is_bigendian=bigendian)
    made.data = array.array("B", data)
    with_right_length = len(data) in (step * height, step * height * 3 // 2)
    try:
        image = image_from_message(made, "/image")
    except InputError:
        return
    assert with_right_length
    assert (image.shape, image.dtype) == ((height, width, 3), np.uint8)


@given(st.sampled_from(sorted(ENCODINGS)), st.integers(1, 9), st.integers(1, 9), st.integers(0, 7), st.randoms())
def test_any_well_formed_message_is_an_image(
    encoding: str, height: int, width: int, padding: int, random: object
) -> None:
    kind = ENCODINGS[encoding]
    width *= 2 if kind.even_width else 1
    height *= 2 if kind.even_height else 1
    step = width * kind.channels * kind.bits // 8 + padding
    made = Image(height=height, width=width, step=step, encoding=encoding)
    made.data = array.array("B", random.randbytes(step * kind.rows(height)))  # type: ignore[attr-defined]
    image = image_from_message(made, "/image")
    assert (image.shape, image.dtype) == ((height, width, 3), np.uint8)


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("encoding", ["nv12", "nv21"])
def test_chroma_in_rows_of_its_own(encoding: str, padding: int) -> None:
    """A saturated red by BT.601: Y 81, U 90, V 240; nv12 has U first, nv21 V."""
    u, v = 90, 240
    rows = np.full((HEIGHT * 3 // 2, WIDTH), 81, np.uint8)
    rows[HEIGHT:] = np.tile([u, v] if encoding == "nv12" else [v, u], WIDTH // 2)
    made = message(rows, encoding, padding)
    made.height = HEIGHT
    image = image_from_message(made, "/image")
    np.testing.assert_allclose(image.reshape(-1, 3), np.tile([255, 0, 0], (HEIGHT * WIDTH, 1)), atol=3)


def test_rgb8_is_not_copied() -> None:
    made = message(RGB, "rgb8")
    assert np.shares_memory(image_from_message(made, "/image"), np.frombuffer(made.data, np.uint8))


def test_there_and_back() -> None:
    made = message_from_image(cv2.flip(RGB, 1)[:, ::-1], Image())
    np.testing.assert_array_equal(image_from_message(made, "/image"), RGB)
    assert (made.encoding, made.step) == ("rgb8", 3 * WIDTH)
