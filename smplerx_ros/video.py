"""Video files in and out, through PyAV (imported only when a video is opened)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

Image = NDArray[np.uint8]

DEFAULT_RATE = 30.0  # Hz, for files that do not tell
_TIME_BASE = Fraction(1, 90_000)  # the clock of MPEG systems; holds every usual frame rate


@dataclass(frozen=True)
class VideoFrame:
    """`image (H, W, 3) uint8 RGB`, turned upright where the file says how it was held; `seconds` since the start."""

    image: Image
    seconds: float


class VideoReader:
    """The first video track of a file, frame by frame; a context manager. Raises InputError for what it cannot read."""

    def __init__(self, path: str | Path) -> None:
        import av

        self._path = Path(path)
        self._errors = (av.error.FFmpegError, ValueError)
        if not self._path.is_file():
            raise InputError(f"{self._path}: no such file")
        try:
            self._container = av.open(str(self._path))
        except self._errors as error:
            raise InputError(f"{self._path}: not a video that can be read ({_reason(error)})") from error
        if not self._container.streams.video:
            self._container.close()
            raise InputError(f"{self._path}: holds no video track")
        self._stream = self._container.streams.video[0]
        self.rate = float(self._stream.average_rate or DEFAULT_RATE)
        """Frames per second, on average."""
        self.length = int(
            self._stream.frames or (self._stream.duration or 0) * (self._stream.time_base or 0) * self.rate
        )
        """Number of frames as the file tells it; 0 where it does not."""

    def __iter__(self) -> Iterator[VideoFrame]:
        """All frames. A damaged file raises InputError where the damage is: the frames before it have been given."""
        start: float | None = None
        count = 0
        try:
            for picture in self._container.decode(self._stream):
                seconds = count / self.rate if picture.time is None else float(picture.time)
                start = seconds if start is None else start
                yield VideoFrame(_upright(picture), seconds - start)
                count += 1
        except self._errors as error:
            raise InputError(f"{self._path}: damaged after frame {count} ({_reason(error)})") from error
        if count == 0:
            raise InputError(f"{self._path}: holds no frame that can be decoded")

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()


class VideoWriter:
    """An H.264 file; a context manager. The first image fixes the size (an odd last row or column is cut off).

    The file takes its name when it is complete: nothing is left of one that was broken off by an exception.
    """

    def __init__(self, path: str | Path, rate: float) -> None:
        import av

        self._av = av
        self._path = Path(path)
        self._partial = self._path.with_name(f".{self._path.stem}.partial{self._path.suffix}")
        self._container = av.open(str(self._partial), "w", options={"movflags": "+faststart"})
        # Any: PyAV's stream types differ from version to version.
        self._stream: Any = self._container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = _TIME_BASE
        self._size: tuple[int, int] | None = None

    def write(self, image: Image, seconds: float) -> None:
        """Append an `(H, W, 3) uint8 RGB` image, shown from `seconds` after the start; times must increase."""
        height, width = (side // 2 * 2 for side in image.shape[:2])
        if self._size is None:
            self._size = self._stream.height, self._stream.width = height, width
        if (height, width) != self._size:
            raise InputError(f"{self._path}: a frame of {width}x{height} in a video of {self._size[1]}x{self._size[0]}")
        picture = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="rgb24")
        picture.pts, picture.time_base = round(seconds / _TIME_BASE), _TIME_BASE
        self._container.mux(self._stream.encode(picture))

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        complete = kind is None and self._size is not None
        if complete:
            self._container.mux(self._stream.encode())
        self._container.close()
        if complete:
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)


def _upright(picture: Any) -> Image:
    """RGB of a decoded picture, turned by its display matrix: a telephone held upright stores frames lying."""
    image: Image = picture.to_ndarray(format="rgb24")
    quarter_turns = round(getattr(picture, "rotation", 0) / 90) % 4  # counter-clockwise
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
