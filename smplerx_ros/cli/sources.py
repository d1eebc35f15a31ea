"""Images to estimate from: one image, a folder of them, or a video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..video import DEFAULT_RATE, VideoReader

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True)
class SourceImage:
    """One picture, or why it could not be read."""

    name: str
    stamp_ns: int
    image: NDArray[np.uint8] | None
    reason: str = ""


@dataclass(frozen=True)
class Source:
    """What INPUT turned out to be. Frames of a `sequence` follow each other: people keep their identity."""

    path: Path
    images: tuple[Path, ...]  # empty for a video
    sequence: bool
    length: int  # 0: unknown
    rate: float  # Hz

    @property
    def is_video(self) -> bool:
        """Whether frames come from a video file."""
        return not self.images

    def __iter__(self) -> Iterator[SourceImage]:
        return self._from_video() if self.is_video else self._from_images()

    def _from_video(self) -> Iterator[SourceImage]:
        with VideoReader(self.path) as reader:
            try:
                for frame in reader:
                    yield SourceImage(self.path.name, round(frame.seconds * 1e9), frame.image)
            except InputError as error:
                yield SourceImage(self.path.name, 0, None, str(error))

    def _from_images(self) -> Iterator[SourceImage]:
        for index, path in enumerate(self.images):
            stamp_ns = round(index / self.rate * 1e9)
            try:
                yield SourceImage(path.name, stamp_ns, read_image(path))
            except InputError as error:
                yield SourceImage(path.name, stamp_ns, None, str(error))


def open_source(path: Path, *, sequence: bool = False) -> Source:
    """Look at INPUT; raises InputError if it is neither an image, nor a folder of images, nor a video."""
    if path.is_dir():
        images = tuple(sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()))
        if not images:
            raise InputError(f"{path}: no images in this folder (looked for {', '.join(sorted(IMAGE_SUFFIXES))})")
        return Source(path, images, sequence, len(images), DEFAULT_RATE)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return Source(path, (path,), False, 1, DEFAULT_RATE)
    with VideoReader(path) as reader:
        return Source(path, (), True, reader.length, reader.rate)


def read_image(path: Path) -> NDArray[np.uint8]:
    """`(H, W, 3) uint8` RGB, upright by its EXIF tag; raises InputError."""
    try:
        encoded = np.fromfile(path, np.uint8)
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    except (OSError, cv2.error) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    if image is None:
        raise InputError(f"{path}: not an image that can be decoded ({encoded.size} bytes)")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
