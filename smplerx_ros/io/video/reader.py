"""The frames of a video file: all that can be decoded, upright, in order, at increasing times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import RgbImage
from smplerx_ros.errors import InputError
from smplerx_ros.io.files import why_no_file

from .times import increasing_times, told_end
from .tracks import film_track, open_container
from .upright import square_pixels, upright

DEFAULT_RATE = 30.0  # Hz, for files that do not tell
# What files tell beyond these is the clock's resolution or nothing.
SLOWEST_RATE, FASTEST_RATE = 0.01, 1000.0  # Hz
OLDEST_PYAV = (14, 2)  # the first that tells an attached picture from a film
PACKETS_BEFORE_JOIN = 3  # FFmpeg marks one of the last packets of the first part, where two films follow in one file
_NOT_WHOLE = "a packet that is not whole"
MOST_FAILURES = 8  # to read or to flush, in a row; then nothing more is to be had


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """`image (H, W, 3) uint8 RGB`, `seconds` since the first frame, later than the frame's before.

    The image is as a player shows it: turned and mirrored as the file says, its pixels square. Its size may change
    within a film.
    """

    image: RgbImage
    seconds: float


class VideoReader:
    """The film in a file, frame by frame; a context manager. Raises InputError for what it cannot read."""

    damage = ""
    """After the last frame: what of the file could not be decoded; empty where nothing was lost."""

    def __init__(self, path: str | Path) -> None:
        import av

        self._path = Path(path)
        self._errors = (av.error.FFmpegError, ValueError)
        _check_version(av.__version__, self._path)
        if no_file := why_no_file(self._path):
            raise InputError(f"{self._path}: {no_file}")
        try:
            self._container = open_container(self._path)
        except self._errors as error:
            raise InputError(f"{self._path}: not a video that can be read ({_reason(error)})") from error
        try:
            self._stream = film_track(self._container, self._path)
        except InputError:
            self._container.close()
            raise
        self.rate = _rate(self._stream)
        """Frames per second, on average."""
        self.length = int(
            self._stream.frames or (self._stream.duration or 0) * (self._stream.time_base or 0) * self.rate
        )
        """Number of frames as the file tells it; 0 where it does not."""
        self._decoded = self._losses = 0
        self._first_loss = ""
        self._end = 0.0  # of the latest frame, in seconds on the file's clock

    def __iter__(self) -> Iterator[VideoFrame]:
        """All frames that can be decoded, also those behind damage (see `damage`), once.

        Raises InputError where there is none.
        """
        count = 0
        for seconds, image in increasing_times(self._images(), 1 / self.rate):
            yield VideoFrame(image, seconds)
            count += 1
        if count == 0:
            raise InputError(f"{self._path}: holds no frame that can be decoded{self.damage and f' ({self.damage})'}")

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def _images(self) -> Iterator[tuple[float | None, RgbImage]]:
        """Each frame's image, and its time in seconds on the file's clock."""
        told = self._stream.sample_aspect_ratio  # the container's word counts before the codec's
        first: Fraction | None = None
        for picture, now in self._pictures():
            first = now if self._decoded == 0 else first
            aspect = now if told is None or now != first else told
            try:
                image: RgbImage = picture.to_ndarray(format="rgb24")
            except self._errors as error:
                self._lose(_reason(error))
                continue
            self._decoded += 1
            if picture.is_corrupt:
                self._lose("a frame that is not whole")
            # Not `picture.time`: those that the decoder gave last do not know their time base.
            seconds = None if picture.pts is None else float(picture.pts * self._stream.time_base)
            began = (self._decoded - 1) / self.rate if seconds is None else seconds
            self._end = max(self._end, began + 1 / self.rate)
            yield seconds, upright(square_pixels(image, aspect), _display_matrix(picture))

    def _pictures(self) -> Iterator[tuple[Any, Fraction | None]]:
        """Decoded frames in the order of their showing, and their pixels' aspect ratio as the codec tells it.

        What cannot be decoded is passed over and kept in `damage`.
        """
        context = self._stream.codec_context
        aspects: dict[int | None, Fraction | None] = {}  # by time: the context's is that of the last packet
        for packet in self._packets():
            try:
                pictures = context.decode(packet)
            except self._errors as error:
                self._lose(_reason(error))
                continue
            aspects[packet.pts] = context.sample_aspect_ratio
            for picture in pictures:
                yield picture, aspects.pop(picture.pts, context.sample_aspect_ratio)
        for picture in self._held_back():
            yield picture, aspects.pop(picture.pts, context.sample_aspect_ratio)
        if self._decoded and not self._losses and (lacking := told_end(self._container, self._stream) - self._end) > 0:
            self._lose(f"it ends more than {lacking:.2g} s before the time that the file tells")

    def _packets(self) -> Iterator[Any]:
        failed = 0
        waiting, last = 0, None  # packets until one that is marked as not whole counts: not where a second film begins
        while failed < MOST_FAILURES:
            try:
                for packet in self._container.demux(self._stream):
                    if last is not None and _goes_back(last, packet):
                        waiting = 0
                    elif waiting == 1:
                        self._lose(_NOT_WHOLE)
                    waiting = PACKETS_BEFORE_JOIN if packet.is_corrupt else max(waiting - 1, 0)
                    last = packet
                    if packet.size:  # the last ones are empty: they would make the decoder give what it holds
                        failed = 0
                        yield packet
                if waiting:
                    self._lose(_NOT_WHOLE)
                return
            except self._errors as error:
                failed += 1
                if failed == 1:
                    self._lose(_reason(error))

    def _held_back(self) -> Iterator[Any]:
        """The frames that the decoder still holds."""
        for _ in range(MOST_FAILURES):
            try:
                yield from self._stream.codec_context.decode(None)
                return
            except EOFError:
                return
            except self._errors as error:
                self._lose(_reason(error))

    def _lose(self, reason: str) -> None:
        """Note that something behind the frames so far was lost; the first loss is told in full."""
        self._losses += 1
        if self._losses == 1:
            self._first_loss = f"after frame {self._decoded} ({reason})"
        times = "" if self._losses == 1 else f", {self._losses} times"
        self.damage = f"damaged {self._first_loss}{times}"


def _goes_back(packet: Any, following: Any) -> bool:
    return packet.dts is not None and following.dts is not None and following.dts < packet.dts


def _display_matrix(picture: Any) -> NDArray[np.int32] | None:
    """`(3, 3) int32`, where the picture has one."""
    from av.sidedata.sidedata import Type

    data = picture.side_data.get(Type.DISPLAYMATRIX)
    return None if data is None else np.frombuffer(bytes(data), np.int32, 9).reshape(3, 3)


def _rate(stream: Any) -> float:
    for told in (stream.average_rate, stream.guessed_rate):
        if told and SLOWEST_RATE <= told <= FASTEST_RATE:
            return float(told)
    return DEFAULT_RATE


def _check_version(version: str, path: Path) -> None:
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_PYAV:
        needed = ".".join(map(str, OLDEST_PYAV))
        raise InputError(
            f"{path}: reading videos needs PyAV {needed} or newer, this is {version}; older ones do not say which "
            "track is the film: pip install -U av"
        )


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
