"""Compressed images: by their bytes, whole, and of a size known before they are decoded."""

from __future__ import annotations

import array
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from smplerx_ros.errors import InputError
from smplerx_ros.ros.conversions.compressed import compressed_from_image, image_from_compressed

RGB = np.zeros((48, 64, 3), np.uint8)
RGB[:, :32], RGB[:, 32:] = (200, 30, 10), (10, 60, 220)


def encoded(suffix: str, image: np.ndarray = RGB) -> bytes:
    order = {2: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[image.shape[2]]
    return bytes(cv2.imencode(suffix, np.ascontiguousarray(image[..., order]))[1].tobytes())


def decoded(data: bytes, format_name: str = "jpeg") -> np.ndarray:
    return image_from_compressed(CompressedImage(format=format_name, data=array.array("B", data)), "/image/compressed")


JPEG, PNG = encoded(".jpg"), encoded(".png")


def png_claiming(width: int, height: int) -> bytes:
    """A small PNG whose header declares another size, with a valid checksum."""
    header = b"IHDR" + struct.pack(">II", width, height) + PNG[24:29]
    return PNG[:12] + header + struct.pack(">I", zlib.crc32(header)) + PNG[33:]


@pytest.mark.parametrize("format_name", ["jpeg", "rgb8; jpeg compressed bgr8", "png", "", "☃" * 100])
def test_the_bytes_decide_not_the_format(format_name: str) -> None:
    np.testing.assert_array_equal(decoded(PNG, format_name), RGB)
    np.testing.assert_allclose(decoded(JPEG, format_name)[:, [5, 60]].astype(int), RGB[:, [5, 60]], atol=8)


def test_what_is_compressed_is_read_again() -> None:
    header = Header(frame_id="optical")
    message = compressed_from_image(RGB, header)
    assert (message.header, message.format) == (header, "rgb8; jpeg compressed bgr8")
    read = image_from_compressed(message, "/overlay/compressed")
    np.testing.assert_allclose(read[:, [5, 60]].astype(int), RGB[:, [5, 60]], atol=8)


def test_an_image_that_no_jpeg_can_hold_is_named() -> None:
    with pytest.raises(InputError, match="70000x1 "):
        compressed_from_image(np.zeros((1, 70000, 3), np.uint8), Header())


def test_alpha_is_dropped() -> None:
    np.testing.assert_array_equal(decoded(encoded(".png", np.dstack([RGB, RGB[..., 0]]))), RGB)


PADDING = {"few": bytes(16), "65": bytes(65), "many": bytes(500_000), "ones": b"\xff" * 300, "text": b"older image"}


@pytest.mark.parametrize("whole", [JPEG, PNG], ids=["jpeg", "png"])
@pytest.mark.parametrize("padding", PADDING.values(), ids=PADDING)
def test_padding_of_any_length_is_ignored(whole: bytes, padding: bytes) -> None:
    np.testing.assert_array_equal(decoded(whole + padding), decoded(whole))


def with_preview(whole: bytes) -> bytes:
    """An image of its own in an application segment, as cameras write it."""
    preview = encoded(".jpg", RGB[:16, :16])
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(preview) + 2) + preview + whole[2:]


def test_the_end_of_a_preview_is_not_the_end_of_the_image() -> None:
    np.testing.assert_array_equal(decoded(with_preview(JPEG)), decoded(JPEG))
    for left in (1, 2, 40, len(JPEG) // 2):
        with pytest.raises(InputError, match="truncated"):
            decoded(with_preview(JPEG)[:-left] + bytes(100))


@pytest.mark.parametrize("options", [[cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 1]])
def test_jpegs_in_several_parts(options: list[int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    whole = bytes(cv2.imencode(".jpg", noise, [*options, cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes())
    assert decoded(whole + bytes(200)).shape == noise.shape
    with pytest.raises(InputError, match="truncated"):
        decoded(whole[:-2] + bytes(200))


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_pngs_of_16_bits_are_read_by_the_range_in_use(bits: int) -> None:
    grey = np.linspace(0, (1 << bits) - 1, 64).astype(np.uint16)[None].repeat(48, axis=0)
    found = decoded(bytes(cv2.imencode(".png", grey)[1].tobytes()))
    np.testing.assert_allclose(found, np.linspace(0, 255, 64)[None, :, None].repeat(48, axis=0).repeat(3, 2), atol=1)


@pytest.mark.parametrize(
    ("data", "fragment"),
    [
        (b"", "empty"),
        (b"not an image", "neither JPEG nor PNG"),
        (b"RIFF....WEBP", "neither JPEG nor PNG"),
        (JPEG[: len(JPEG) // 2], "truncated"),
        (PNG[: len(PNG) // 2], "truncated"),
        (JPEG[:2], "truncated"),
        (PNG[:8], "truncated"),
        (png_claiming(60_000, 60_000), "60000x60000"),
        (png_claiming(640, 480), "corrupt"),
        (PNG[:45] + bytes(20) + PNG[65:], "corrupt"),
    ],
)
def test_bad_data_is_named(data: bytes, fragment: str) -> None:
    with pytest.raises(InputError) as error:
        decoded(data)
    assert "/image/compressed" in str(error.value)
    assert fragment in str(error.value)


@given(st.sampled_from([JPEG, PNG]), st.integers(0, 2000), st.binary(max_size=40), st.booleans())
def test_any_bytes_are_an_image_or_an_input_error(whole: bytes, at: int, noise: bytes, cut: bool) -> None:
    data = whole[:at] + noise + (b"" if cut else whole[at + len(noise) :])
    try:
        image = decoded(data)
    except InputError:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 3
