"""Image files, read through Pillow: RGB, upright, whole; or an InputError that says what to do."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from smplerx_ros.errors import InputError, printable

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

IMAGE_SUFFIXES = frozenset(
    {".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".hif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg"}
    | {".jpg", ".mpo", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)
# No others are tried: some of Pillow's readers start programs, and one takes films for images.
_FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
_ANIMATED = ("GIF", "PNG")  # those that FFmpeg plays
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})  # ISO 23008-12
_AVIF_BRANDS = frozenset({b"avif", b"avis"})  # AVIF 1.1
_PHOTOMETRIC = 262  # TIFF 6.0: PhotometricInterpretation
_BRAND_BYTES = 64  # of a file's head: `ftyp`, its main brand and the first of those it is compatible with

logger = logging.getLogger(__name__)


def read_image(path: Path) -> NDArray[np.uint8]:
    """`(H, W, 3) uint8` RGB, turned and mirrored as its EXIF tag or its HEIF properties say; of several the first.

    Transparency is dropped, 16 bits are reduced to 8. Raises InputError.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, and of images that are large but not too large
            with path.open("rb") as file:
                image = _open(path, file)
                count = _picture_count(image)
                if count > 1:
                    logger.warning("%s holds %d pictures: only the first is used", printable(path), count)
                return _rgb(image, path)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # a damaged image raises nearly anything
        raise InputError(f"{path}: cannot be read ({error or type(error).__name__})") from error


def is_film(path: Path) -> bool:
    """Whether it is an animated GIF or PNG: a film, though its format is an image's."""
    try:
        with path.open("rb") as file:
            return not _is_heif(path) and (image := _open(path, file)).format in _ANIMATED and _picture_count(image) > 1
    except Exception:  # whoever reads it will tell
        return False


def is_image(path: Path) -> bool:
    """Whether its content or its name is an image's."""
    try:
        with path.open("rb") as file:
            return path.suffix.lower() in IMAGE_SUFFIXES or _is_heif(path) or _open(path, file).format is not None
    except Exception:  # as above
        return False


def _open(path: Path, file: BinaryIO) -> PillowImage:
    """The image in `file`, opened from `path`; not yet decoded where its format allows that.

    Pillow is not given the path: it would map an uncompressed TIFF into memory, and turn it without its size.
    """
    from PIL import Image, UnidentifiedImageError

    if _is_heif(path):
        return _open_heif(path)
    try:
        Image.init()
        return Image.open(file, formats=[name for name in _FORMATS if name in Image.OPEN])
    except UnidentifiedImageError as error:
        if _brands(path) & _AVIF_BRANDS:
            raise InputError(f"{path}: reading AVIF needs Pillow 11.3 or newer: pip install -U pillow") from error
        if path.suffix.lower() in _TIFF_SUFFIXES and (image := _decoded_by_opencv(path)) is not None:
            return image
        known = ", ".join((*_FORMATS, "HEIF"))
        raise InputError(
            f"{path}: not an image that can be decoded ({path.stat().st_size} bytes; known are {known})"
        ) from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: {error}; make it smaller first") from error


def _picture_count(image: PillowImage) -> int:
    """Of those that follow each other; a phone's JPEG may hold one again, smaller or as depth (MPO)."""
    return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))


def _brands(path: Path) -> frozenset[bytes]:
    """What an ISO media file says it is."""
    with path.open("rb") as file:
        head = file.read(_BRAND_BYTES)
    return frozenset(head[at : at + 4] for at in range(8, len(head) - 3, 4)) if head[4:8] == b"ftyp" else frozenset()


def _is_heif(path: Path) -> bool:
    brands = _brands(path)
    return bool(brands & _HEIF_BRANDS) and not brands & _AVIF_BRANDS


def _open_heif(path: Path) -> PillowImage:
    """All of the image, also where it is stored in tiles, turned as its properties say."""
    try:
        from pi_heif import open_heif
    except ImportError as error:
        raise InputError(
            f"{path}: reading HEIC needs the package pi-heif: pip install 'smplerx_ros[heic]', or convert it to JPEG"
        ) from error
    image: PillowImage = open_heif(os.fspath(path)).to_pillow()
    return image


def _decoded_by_opencv(path: Path) -> PillowImage | None:
    """For the kinds of TIFF that Pillow does not have, those of 48 bits a pixel above all; already turned."""
    from PIL import Image

    encoded = np.fromfile(path, np.uint8)
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    return None if image is None else Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def _rgb(image: PillowImage, path: Path) -> NDArray[np.uint8]:
    from PIL import ImageOps

    is_tiff = image.format == "TIFF"
    white_is_zero = is_tiff and image.tag_v2.get(_PHOTOMETRIC) == 0  # type: ignore[attr-defined]  # of a TIFF
    image = ImageOps.exif_transpose(image)
    if image.mode == "F" or (is_tiff and image.mode == "I"):
        kind = "floating point" if image.mode == "F" else "signed or of 32 bits"
        raise InputError(f"{path}: its pixels are {kind}, which has no fixed white; convert it to 8 or 16 bits")
    if image.mode.startswith("I"):  # 16 bits a pixel, in Pillow's "I" as 32
        grey: Any = np.asarray(image)
        if white_is_zero:  # Pillow inverts those of 8 bits only
            grey = 0xFFFF - grey
        return np.repeat((grey >> 8).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return np.array(image.convert("RGB"))
