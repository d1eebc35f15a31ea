from __future__ import annotations

import builtins
import io
import logging
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from smplerx_ros.errors import InputError
from smplerx_ros.io.images import is_animation, is_image, read_image
from support.films import is_upright, picture
from support.heic import write_heic

HEIGHT, WIDTH = 48, 64
PICTURE = picture(5, HEIGHT, WIDTH)
ORIENTATION = 0x0112  # EXIF's tag
TURN = Image.Transpose
# How a picture is stored that is upright under each EXIF orientation.
STORED = {
    1: None,
    2: TURN.FLIP_LEFT_RIGHT,
    3: TURN.ROTATE_180,
    4: TURN.FLIP_TOP_BOTTOM,
    5: TURN.TRANSPOSE,
    6: TURN.ROTATE_90,
    7: TURN.TRANSVERSE,
    8: TURN.ROTATE_270,
}


def stored(image, orientation):
    turned = Image.fromarray(image)
    return turned if STORED[orientation] is None else turned.transpose(STORED[orientation])


def close_to(image, expected, tolerance=8):
    assert image.shape == expected.shape
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - expected).mean() < tolerance


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("suffix", ["jpg", "jfif", "png", "webp", "tiff", "avif"])
def test_every_orientation_in_every_format_that_has_one(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"a.{suffix}"
    stored(PICTURE, orientation).save(path, quality=95, exif=exif.tobytes())
    if suffix == "jfif":
        assert path.read_bytes()[6:10] == b"JFIF"
    image = read_image(path)
    close_to(image, PICTURE)
    assert is_upright(image)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("mode", ["L", "P", "I;16", "RGBA", "CMYK"])
def test_every_orientation_of_an_uncompressed_tiff(tmp_path, mode, orientation):
    turned = stored(PICTURE, orientation)
    expected = PICTURE
    if mode in ("L", "I;16"):
        grey = np.asarray(turned.convert("L"))
        turned = Image.fromarray(grey if mode == "L" else grey.astype(np.uint16) * 257)
        expected = np.repeat(np.asarray(Image.fromarray(PICTURE).convert("L"))[..., None], 3, axis=2)
    turned = turned.quantize(256) if mode == "P" else turned.convert(mode)
    turned.save(tmp_path / "a.tif", tiffinfo={ORIENTATION: orientation})
    close_to(read_image(tmp_path / "a.tif"), expected)


@pytest.mark.parametrize(("quarter_turns", "mirror"), [(t, m) for t in range(4) for m in (None, 0, 1)])
def test_heic_is_read_whole_and_upright(tmp_path, quarter_turns, mirror):
    shown = picture(5, 100, 120)
    image = shown if mirror is None else np.flip(shown, mirror)
    path = write_heic(
        tmp_path / "a.heic", np.rot90(image, -quarter_turns), quarter_turns=quarter_turns, mirror_axis=mirror
    )
    close_to(read_image(path), shown)


def test_heic_without_its_reader_is_refused_with_what_to_install(tmp_path, monkeypatch):
    path = write_heic(tmp_path / "a.heic", picture(5, 64, 64))
    usual = builtins.__import__

    def without(name, *rest):
        if name.startswith("pi_heif"):
            raise ImportError(name)
        return usual(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert is_image(path)
    with pytest.raises(InputError, match=r"a\.heic.*pip install 'smplerx_ros\[heic\]'"):
        read_image(path)


@pytest.mark.parametrize("name", ["a.gif", "a.bmp", "a.jp2", "a.ppm", "a", "a.dat", "a.heic"])
def test_the_content_counts_not_the_name(tmp_path, name):
    kind = {"gif": "GIF", "bmp": "BMP", "jp2": "JPEG2000", "ppm": "PPM"}.get(name[2:], "PNG")
    Image.fromarray(PICTURE).save(tmp_path / name, kind)
    assert is_image(tmp_path / name)
    close_to(read_image(tmp_path / name), PICTURE)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "CMYK", "YCbCr", "PA"])
def test_any_colours_become_rgb(tmp_path, mode):
    kind = {"CMYK": "tiff", "YCbCr": "jpeg", "PA": "gif"}.get(mode, "png")
    image = Image.fromarray(np.full((HEIGHT, WIDTH, 3), 255, np.uint8)).convert(mode if mode != "PA" else "P")
    image.save(tmp_path / f"a.{kind}")
    np.testing.assert_allclose(read_image(tmp_path / f"a.{kind}"), 255, atol=2)


@pytest.mark.parametrize("suffix", ["png", "tiff", "jp2"])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_keep_their_brightness(tmp_path, suffix, channels):
    image = np.full((HEIGHT, WIDTH, channels), 0x8000, np.uint16)
    assert cv2.imwrite(str(tmp_path / f"a.{suffix}"), image)
    np.testing.assert_allclose(read_image(tmp_path / f"a.{suffix}"), 0x80, atol=1)


@pytest.mark.parametrize("white", [0, 1])
def test_a_grey_tiff_of_16_bits_says_which_end_is_white(tmp_path, white):
    Image.fromarray(np.full((8, 8), 0x4000, np.uint16)).save(tmp_path / "a.tiff")
    data = (tmp_path / "a.tiff").read_bytes()
    tag = struct.pack("<HHIH", 262, 3, 1, 1)
    assert data.count(tag) == 1
    (tmp_path / "a.tiff").write_bytes(data.replace(tag, struct.pack("<HHIH", 262, 3, 1, white)))
    np.testing.assert_allclose(read_image(tmp_path / "a.tiff"), 0x40 if white else 0xBF, atol=1)


def test_a_tiff_of_32_bits_is_refused(tmp_path):
    Image.fromarray(np.full((8, 8), 1000, np.int32)).save(tmp_path / "a.tiff")
    with pytest.raises(InputError, match=r"a\.tiff: its pixels are signed or of 32 bits"):
        read_image(tmp_path / "a.tiff")


def test_floating_point_is_refused(tmp_path):
    Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(InputError, match=r"a\.tiff: its pixels are floating point"):
        read_image(tmp_path / "a.tiff")


@pytest.mark.parametrize("suffix", ["gif", "webp", "tiff", "png"])
def test_of_several_pictures_the_first_is_read_and_it_is_logged(tmp_path, caplog, suffix):
    first, *others = (Image.fromarray(picture(number)) for number in (3, 9, 12))
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=others, duration=40, lossless=True)
    with caplog.at_level(logging.WARNING):
        close_to(read_image(tmp_path / f"a.{suffix}"), picture(3))
    assert f"a.{suffix} holds 3 images: only the first is used" in caplog.text
    assert is_animation(tmp_path / f"a.{suffix}") == (suffix in ("gif", "png"))


def test_a_jpeg_with_a_second_view_of_the_same_is_one_picture(tmp_path, caplog):
    first, second = (Image.fromarray(picture(number)) for number in (3, 9))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second], quality=95)
    close_to(read_image(tmp_path / "a.jpg"), picture(3))
    assert not caplog.text
    assert not is_animation(tmp_path / "a.jpg")


def png_of(width, height):
    """A PNG that declares a size, with next to no data."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


def cut(suffix):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(file, suffix)
    return file.getvalue()[: len(file.getvalue()) // 2]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", b"", "not an image that can be decoded .0 bytes"),
        ("a.jpg", b"\xff\xd8 broken", "cannot be read|not an image"),
        ("a.jpg", cut("jpeg"), "truncated"),
        ("a.png", cut("png"), "truncated"),
        ("a.webp", cut("webp"), "cannot be read|truncated"),
        ("a.png", png_of(30000, 30000), "decompression bomb"),
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "cannot be read"),
        ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}: .*({message})"):
        read_image(tmp_path / name)
