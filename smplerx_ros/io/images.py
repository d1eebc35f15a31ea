"""Read image files through Pillow, as upright RGB."""

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
# Only these: some of Pillow's readers run external programs, and one accepts videos as images.
_FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
_ANIMATED = ("GIF", "PNG")  # those that FFmpeg decodes as videos
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})  # ISO 23008-12
_AVIF_BRANDS = frozenset({b"avif", b"avis"})  # AVIF 1.1
_PHOTOMETRIC = 262  # TIFF 6.0: PhotometricInterpretation
_BRAND_BYTES = 64  # of a file's start: the `ftyp` box with the major brand and the first compatible brands

logger = logging.getLogger(__name__)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image, oriented according to its EXIF tag or HEIF properties; of several images, the first.

    Transparency is dropped, and 16-bit images are reduced to 8 bits.

    Returns:
        `(H, W, 3) uint8`, RGB.

    Raises:
        InputError: If the file cannot be read or is not a supported image.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of unusual metadata, and of large images below the error limit
            with path.open("rb") as file:
                image = _open(path, file)
                count = _frame_count(image)
                if count > 1:
                    logger.warning("%s holds %d images: only the first is used", printable(path), count)
                return _rgb(image, path)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # a damaged image may raise almost any exception
        raise InputError(f"{path}: cannot be read ({error or type(error).__name__})") from error


def is_animation(path: Path) -> bool:
    """Whether the file is an animated GIF or PNG, to be read as a video."""
    try:
        with path.open("rb") as file:
            return not _is_heif(path) and (image := _open(path, file)).format in _ANIMATED and _frame_count(image) > 1
    except Exception:  # reported when the file is read
        return False


def is_image(path: Path) -> bool:
    """Whether the file is an image by its content or by its suffix."""
    try:
        with path.open("rb") as file:
            return path.suffix.lower() in IMAGE_SUFFIXES or _is_heif(path) or _open(path, file).format is not None
    except Exception:  # as above
        return False


def _open(path: Path, file: BinaryIO) -> PillowImage:
    """Open the image in `file`, which was opened from `path`, and decode it as late as its format allows.

    Pillow does not get the path, because it would memory-map an uncompressed TIFF, and then rotate it without adapting
    its size.
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
            f"{path}: not an image that can be decoded ({path.stat().st_size} bytes; supported formats: {known})"
        ) from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: {error}; reduce its size first") from error


def _frame_count(image: PillowImage) -> int:
    """Number of frames; 1 for MPO, whose further images are previews or depth maps of the first."""
    return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))


def _brands(path: Path) -> frozenset[bytes]:
    """Brands of an ISO base media file."""
    with path.open("rb") as file:
        head = file.read(_BRAND_BYTES)
    return frozenset(head[at : at + 4] for at in range(8, len(head) - 3, 4)) if head[4:8] == b"ftyp" else frozenset()


def _is_heif(path: Path) -> bool:
    brands = _brands(path)
    return bool(brands & _HEIF_BRANDS) and not brands & _AVIF_BRANDS


def _open_heif(path: Path) -> PillowImage:
    """Open a HEIF image: assembled from its tiles, oriented according to its properties."""
    try:
        from pi_heif import open_heif
    except ImportError as error:
        raise InputError(
            f"{path}: reading HEIC needs the package pi-heif: pip install 'smplerx_ros[heic]', or convert it to JPEG"
        ) from error
    image: PillowImage = open_heif(os.fspath(path)).to_pillow()
    return image


def _decoded_by_opencv(path: Path) -> PillowImage | None:
    """Decode a TIFF that Pillow does not support, such as 48 bits per pixel; OpenCV orients it."""
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
        raise InputError(f"{path}: its pixels are {kind}, without a defined white level; convert it to 8 or 16 bits")
    if image.mode.startswith("I"):  # 16 bits per pixel; 32 in Pillow's mode "I"
        grey: Any = np.asarray(image)
        if white_is_zero:  # Pillow inverts only 8-bit images
            grey = 0xFFFF - grey
        return np.repeat((grey >> 8).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return np.array(image.convert("RGB"))
