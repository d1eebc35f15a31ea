"""Images to estimate from: one image, a folder of them, or a video."""

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
from .images import IMAGE_SUFFIXES, is_film, is_image, read_image
from .results import OVERLAY_FILE, PEOPLE_FILE, SUMMARY_FILE
from .video import DEFAULT_RATE, VideoReader

_NAMED = 8  # skipped files that are named; the others are counted

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
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
    """Look at INPUT; raises InputError if it is neither an image, nor a folder of images, nor a video.

    Images of a folder come in the order that people count in: frame2 before frame10. What is left out is logged.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path}: no such file or folder") from error
    except OSError as error:  # of folders that may not be entered, of names that are too long, of links in a circle
        raise InputError(f"{path}: cannot be opened ({reason(error)})") from error
    if path.is_dir():
        images = _images_of(path)
        return Source(path, images, sequence, len(images), DEFAULT_RATE)
    if not path.is_file():
        raise InputError(f"{path}: neither a file nor a folder; record a camera into a file first")
    if is_image(path) and not is_film(path):
        return Source(path, (path,), False, 1, DEFAULT_RATE)
    with VideoReader(path) as reader:
        return Source(path, (), True, reader.length, reader.rate)


def _images_of(folder: Path) -> tuple[Path, ...]:
    """Hidden files are no pictures: macOS writes `._a.jpg` beside `a.jpg`."""
    try:
        entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
        files = {path for path in entries if path.is_file()}
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed ({error.strerror})") from error
    named = {path for path in entries if path.suffix.lower() in IMAGE_SUFFIXES}
    if drawn := {folder / "overlay.png"} & named & files if _holds_results(folder) else set():
        logger.warning("%s: skipped overlay.png, which an earlier run drew", printable(folder))
    images = sorted((named & files) - drawn, key=_as_counted)
    if not images:
        raise InputError(f"{folder}: no images in this folder (looked for {', '.join(sorted(IMAGE_SUFFIXES))})")
    results = {PEOPLE_FILE, SUMMARY_FILE, OVERLAY_FILE}  # of an earlier run, where --out was this folder
    others = (files | named) - set(images) - drawn  # folders and dangling links only where they are named as images
    skipped = sorted(path.name for path in others if path.name not in results)
    if skipped:
        more = f" and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
        logger.warning(
            "%s: skipped what is no file with an image's suffix: %s%s; a video is estimated by itself",
            *(printable(folder), printable(", ".join(skipped[:_NAMED])), more),
        )
    return tuple(images)


def _holds_results(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (PEOPLE_FILE, SUMMARY_FILE))


def _as_counted(path: Path) -> tuple[list[str | int], str]:
    """Sorts numbers in names by their value, letters without regard to case."""
    parts = re.split(r"([0-9]+)", path.name.casefold())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], path.name
