"""Write images to a video file, whatever their sizes and times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from smplerx_ros.arrays import RgbImage
from smplerx_ros.io.files import partial_path

from .reader import FASTEST_RATE, SLOWEST_RATE

_TIME_BASE = Fraction(1, 90_000)  # seconds: the MPEG system clock, which represents all usual frame rates


class VideoWriter:
    """Writer of an H.264 file; a context manager.

    The first image determines the size; 4:2:0 chroma needs even sides, so an odd last row or column is repeated.
    The file gets its final name when it is complete; after an exception, nothing is left of it.
    """

    def __init__(self, path: str | Path, rate: float) -> None:
        import av

        self._av = av
        self._path = Path(path)
        self._partial = partial_path(self._path)
        self._container = av.open(f"file:{self._partial}", "w", options={"movflags": "+faststart"})
        rate = min(max(rate, SLOWEST_RATE), FASTEST_RATE)
        # Any: PyAV's stream types differ between versions.
        self._stream: Any = self._container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = _TIME_BASE
        self._size: tuple[int, int] | None = None
        self._last = -1  # time of the latest frame, in _TIME_BASE

    def write(self, image: RgbImage, seconds: float) -> None:
        """Append an `(H, W, 3) uint8 RGB` image, shown from `seconds` after the start.

        An image of another size than the first is fitted into it, with its aspect ratio preserved. A time that is not
        after the latest one is replaced by the next representable time.
        """
        if self._size is None:
            self._size = self._stream.height, self._stream.width = _even(image.shape[0]), _even(image.shape[1])
        picture = self._av.VideoFrame.from_ndarray(_fitted(image, *self._size), format="rgb24")
        self._last = max(self._last + 1, round(seconds / _TIME_BASE))
        picture.pts, picture.time_base = self._last, _TIME_BASE
        self._container.mux(self._stream.encode(picture))

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(complete=kind is None)

    def close(self, complete: bool = True) -> None:
        """Finish the file and rename it; without a frame, or if not `complete`, remove it instead."""
        complete = complete and self._size is not None
        try:
            if complete:
                self._container.mux(self._stream.encode())
            self._container.close()
            if complete:
                self._partial.replace(self._path)
        finally:
            self._partial.unlink(missing_ok=True)


def _even(side: int) -> int:
    return side + side % 2


def _fitted(image: RgbImage, height: int, width: int) -> RgbImage:
    """Fit `image` into `height` x `width`: scaled with its aspect ratio and black borders; odd sides are padded."""
    have_height, have_width = image.shape[:2]
    if (_even(have_height), _even(have_width)) == (height, width):
        return np.pad(image, ((0, height - have_height), (0, width - have_width), (0, 0)), mode="edge")
    scale = min(height / have_height, width / have_width)
    scaled = max(1, round(have_height * scale)), max(1, round(have_width * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - scaled[0]) // 2, (width - scaled[1]) // 2
    canvas[top : top + scaled[0], left : left + scaled[1]] = cv2.resize(
        image, scaled[::-1], interpolation=interpolation
    )
    return canvas
