"""Overlays of the people on the input. An error in drawing or encoding does not stop estimation."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from smplerx_ros.body import BodyModel
from smplerx_ros.errors import printable
from smplerx_ros.io.files import atomic_write
from smplerx_ros.io.results import OVERLAY_FILE
from smplerx_ros.io.sources import Source, SourceImage
from smplerx_ros.io.video import VideoWriter
from smplerx_ros.visualization.overlay import draw_people

if TYPE_CHECKING:
    from smplerx_ros.types import People

logger = logging.getLogger(__name__)


def overlay_path(source: Source, out: Path) -> Path:
    """Path of the overlay: a video, a directory of images, or an image, like the source."""
    if source.is_video:
        return out / OVERLAY_FILE
    return out / ("overlay" if source.path.is_dir() else "overlay.png")


class OverlayWriter:
    """Draws and writes overlays frame by frame; `problem` describes the first failure (empty: none)."""

    def __init__(self, source: Source, out: Path, body: BodyModel) -> None:
        self.path = overlay_path(source, out)
        self.problem = ""
        self._source = source
        self._body = body
        self._video: VideoWriter | None = None
        self._ended = False

    def add(self, item: SourceImage, people: People) -> None:
        """Draw and write one frame. A failure ends the overlay of a video, but not those of further images."""
        if self._ended:
            return
        try:
            self._write(item, draw_people(people.frame.image, people.people, self._body, people.camera))
        except Exception as error:  # drawing must not stop estimation
            self._failed(item.name, error)

    def close(self, complete: bool) -> None:
        """Finish the video, or delete it if not `complete`."""
        video, self._video = self._video, None
        if video is None:
            return
        try:
            video.close(complete)
        except Exception as error:  # as above
            self._failed(self.path.name, error)

    def _write(self, item: SourceImage, image: NDArray[np.uint8]) -> None:
        if self._source.is_video:
            if self._video is None:
                self._video = VideoWriter(self.path, self._source.rate)
            self._video.write(image, item.stamp_ns * 1e-9)
        elif self._source.path.is_dir():
            self.path.mkdir(exist_ok=True)
            _write_png(self.path / f"{item.name}.png", image)
        else:
            _write_png(self.path, image)

    def _failed(self, name: str, error: Exception) -> None:
        reason = f"{printable(name)}: not drawn, the estimates are complete ({type(error).__name__}: {error})"
        self.problem = self.problem or reason
        logger.warning("%s", printable(reason))
        if self._source.is_video:
            self._ended = True
            self.close(complete=False)


def _write_png(path: Path, image: NDArray[np.uint8]) -> None:
    with atomic_write(path) as partial:
        partial.write_bytes(cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes())
