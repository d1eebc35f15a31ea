"""Image sources: a single image, a folder of images, or a video."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.errors import InputError, printable

from .files import reason
from .images import IMAGE_SUFFIXES, is_animation, is_image, read_image
from .results import OVERLAY_FILE, PEOPLE_FILE, SUMMARY_FILE
from .video import DEFAULT_RATE, VideoReader

_MAX_LISTED = 8  # skipped files that are logged by name; the others are only counted

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class SourceImage:
    """One image, or the reason why it could not be read."""

    name: str
    stamp_ns: int
    image: NDArray[np.uint8] | None
    reason: str = ""


@dataclass(frozen=True)
class Source:
    """An opened source. In a `sequence`, images are consecutive frames, and people keep their identity."""

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
                reason = f"{self.path}: {reader.damage}" if reader.damage else ""
            except InputError as error:
                reason = str(error)
            if reason:
                yield SourceImage(self.path.name, 0, None, reason)

    def _from_images(self) -> Iterator[SourceImage]:
        for index, path in enumerate(self.images):
            stamp_ns = round(index / self.rate * 1e9)
            try:
                yield SourceImage(path.name, stamp_ns, read_image(path))
            except InputError as error:
                yield SourceImage(path.name, stamp_ns, None, str(error))


def open_source(path: Path, *, sequence: bool = False) -> Source:
    """Open an image, a folder of images or a video.

    Images of a folder are sorted in natural order (frame2 before frame10). Skipped files are logged.

    Args:
        path: The file or folder.
        sequence: Whether the images of a folder are consecutive frames.

    Raises:
        InputError: If `path` is none of these.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path}: no such file or folder") from error
    except OSError as error:  # no permission for the folder, a name that is too long, or circular links
        raise InputError(f"{path}: cannot be opened ({reason(error)})") from error
    if path.is_dir():
        images = _images_of(path)
        return Source(path, images, sequence, len(images), DEFAULT_RATE)
    if not path.is_file():
        raise InputError(f"{path}: neither a file nor a folder; record a camera to a file first")
    if is_image(path) and not is_animation(path):
        return Source(path, (path,), False, 1, DEFAULT_RATE)
    with VideoReader(path) as reader:
        return Source(path, (), True, reader.length, reader.rate)


def _images_of(folder: Path) -> tuple[Path, ...]:
    """List the images of a folder; hidden files are ignored, since macOS writes `._a.jpg` beside `a.jpg`."""
    try:
        entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
        files = {path for path in entries if path.is_file()}
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed ({error.strerror})") from error
    named = {path for path in entries if path.suffix.lower() in IMAGE_SUFFIXES}
    if drawn := {folder / "overlay.png"} & named & files if _holds_results(folder) else set():
        logger.warning("%s: skipped overlay.png, the output of an earlier run", printable(folder))
    images = sorted((named & files) - drawn, key=_natural_key)
    if not images:
        raise InputError(
            f"{folder}: no images in this folder (supported suffixes: {', '.join(sorted(IMAGE_SUFFIXES))})"
        )
    results = {PEOPLE_FILE, SUMMARY_FILE, OVERLAY_FILE}  # output of an earlier run, if --out was this folder
    others = (files | named) - set(images) - drawn  # folders and dangling links only if they have an image suffix
    skipped = sorted(path.name for path in others if path.name not in results)
    if skipped:
        more = f" and {len(skipped) - _MAX_LISTED} more" if len(skipped) > _MAX_LISTED else ""
        logger.warning(
            "%s: skipped entries that are not image files: %s%s; process videos one by one",
            *(printable(folder), printable(", ".join(skipped[:_MAX_LISTED])), more),
        )
    return tuple(images)


def _holds_results(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (PEOPLE_FILE, SUMMARY_FILE))


def _natural_key(path: Path) -> tuple[list[str | int], str]:
    """Sort key that compares numbers by value and ignores case."""
    parts = re.split(r"([0-9]+)", path.name.casefold())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], path.name
