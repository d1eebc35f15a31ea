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

from smplerx_ros.errors import InputError
from smplerx_ros.ros.compressed import image_from_compressed

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


def test_alpha_is_dropped_and_padding_ignored() -> None:
    np.testing.assert_array_equal(decoded(encoded(".png", np.dstack([RGB, RGB[..., 0]]))), RGB)
    assert decoded(JPEG + bytes(16)).shape == RGB.shape


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
