"""Read the frames of a video file: all that can be decoded, upright, in order, with increasing times."""

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
from smplerx_ros.io.files import file_problem

from .times import expected_end, increasing_times
from .tracks import open_container, video_track
from .upright import square_pixels, upright

DEFAULT_RATE = 30.0  # Hz, for files that declare none
# Declared rates beyond these are the resolution of the clock, or meaningless.
SLOWEST_RATE, FASTEST_RATE = 0.01, 1000.0  # Hz
OLDEST_PYAV = (14, 2)  # the first that distinguishes attached pictures from video tracks
PACKETS_BEFORE_JOIN = 3  # of two videos in one file, FFmpeg marks one of the first's last packets as corrupt
_CORRUPT_PACKET = "a corrupt packet"
MAX_FAILURES = 8  # consecutive failures to read or to flush, after which reading ends


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One decoded frame, as a player shows it: rotated and mirrored as the file declares, with square pixels.

    The size may change within a video.
    """

    image: RgbImage
    seconds: float  # since the first frame; strictly increasing


class VideoReader:
    """Iterator over the frames of a video file; a context manager.

    Raises:
        InputError: If the file cannot be read.
    """

    damage = ""
    """After the last frame: what could not be decoded; empty if nothing was lost."""

    def __init__(self, path: str | Path) -> None:
        import av

        self._path = Path(path)
        self._errors = (av.error.FFmpegError, ValueError)
        _check_version(av.__version__, self._path)
        if problem := file_problem(self._path):
            raise InputError(f"{self._path}: {problem}")
        try:
            self._container = open_container(self._path)
        except self._errors as error:
            raise InputError(f"{self._path}: not a video that can be read ({_reason(error)})") from error
        try:
            self._stream = video_track(self._container, self._path)
        except InputError:
            self._container.close()
            raise
        self.rate = _rate(self._stream)
        """Frames per second, on average."""
        self.length = int(
            self._stream.frames or (self._stream.duration or 0) * (self._stream.time_base or 0) * self.rate
        )
        """Number of frames according to the file; 0 if it does not declare it."""
        self._decoded = self._losses = 0
        self._first_loss = ""
        self._end = 0.0  # end of the latest frame, in seconds on the file's clock

    def __iter__(self) -> Iterator[VideoFrame]:
        """Iterate once over all frames that can be decoded, including those after damage (see `damage`).

        Raises:
            InputError: If there is none.
        """
        count = 0
        for seconds, image in increasing_times(self._images(), 1 / self.rate):
            yield VideoFrame(image, seconds)
            count += 1
        if count == 0:
            damage = f" ({self.damage})" if self.damage else ""
            raise InputError(f"{self._path}: contains no frame that can be decoded{damage}")

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def _images(self) -> Iterator[tuple[float | None, RgbImage]]:
        """Each frame's image, and its time in seconds on the file's clock."""
        declared = self._stream.sample_aspect_ratio  # the container's takes precedence over the codec's
        first: Fraction | None = None
        for picture, now in self._pictures():
            first = now if self._decoded == 0 else first
            aspect = now if declared is None or now != first else declared
            try:
                image: RgbImage = picture.to_ndarray(format="rgb24")
            except self._errors as error:
                self._lose(_reason(error))
                continue
            self._decoded += 1
            if picture.is_corrupt:
                self._lose("a corrupt frame")
            # Not `picture.time`: flushed frames have no time base.
            seconds = None if picture.pts is None else float(picture.pts * self._stream.time_base)
            began = (self._decoded - 1) / self.rate if seconds is None else seconds
            self._end = max(self._end, began + 1 / self.rate)
            yield seconds, upright(square_pixels(image, aspect), _display_matrix(picture))

    def _pictures(self) -> Iterator[tuple[Any, Fraction | None]]:
        """Decoded frames in presentation order, and their pixel aspect ratio according to the codec.

        Undecodable parts are skipped and recorded in `damage`.
        """
        context = self._stream.codec_context
        aspects: dict[int | None, Fraction | None] = {}  # by time, since the context has only the last packet's
        for packet in self._packets():
            try:
                pictures = context.decode(packet)
            except self._errors as error:
                self._lose(_reason(error))
                continue
            aspects[packet.pts] = context.sample_aspect_ratio
            for picture in pictures:
                yield picture, aspects.pop(picture.pts, context.sample_aspect_ratio)
        for picture in self._flushed():
            yield picture, aspects.pop(picture.pts, context.sample_aspect_ratio)
        if self._decoded and not self._losses:
            missing = expected_end(self._container, self._stream) - self._end
            if missing > 0:
                self._lose(f"it ends more than {missing:.2g} s before its declared end")

    def _packets(self) -> Iterator[Any]:
        failed = 0
        waiting, last = 0, None  # packets until a corrupt one is reported: never if a second video begins before
        while failed < MAX_FAILURES:
            try:
                for packet in self._container.demux(self._stream):
                    if last is not None and _goes_back(last, packet):
                        waiting = 0
                    elif waiting == 1:
                        self._lose(_CORRUPT_PACKET)
                    waiting = PACKETS_BEFORE_JOIN if packet.is_corrupt else max(waiting - 1, 0)
                    last = packet
                    if packet.size:  # an empty packet at the end would flush the decoder
                        failed = 0
                        yield packet
                if waiting:
                    self._lose(_CORRUPT_PACKET)
                return
            except self._errors as error:
                failed += 1
                if failed == 1:
                    self._lose(_reason(error))

    def _flushed(self) -> Iterator[Any]:
        """The frames that remain in the decoder."""
        for _ in range(MAX_FAILURES):
            try:
                yield from self._stream.codec_context.decode(None)
                return
            except EOFError:
                return
            except self._errors as error:
                self._lose(_reason(error))

    def _lose(self, reason: str) -> None:
        """Record a loss after the frames so far; the first one with its position and reason."""
        self._losses += 1
        if self._losses == 1:
            self._first_loss = f"after frame {self._decoded} ({reason})"
        times = "" if self._losses == 1 else f", {self._losses} times"
        self.damage = f"damaged {self._first_loss}{times}"


def _goes_back(packet: Any, following: Any) -> bool:
    return packet.dts is not None and following.dts is not None and following.dts < packet.dts


def _display_matrix(picture: Any) -> NDArray[np.int32] | None:
    """Display matrix `(3, 3) int32`, if the frame has one."""
    from av.sidedata.sidedata import Type

    data = picture.side_data.get(Type.DISPLAYMATRIX)
    return None if data is None else np.frombuffer(bytes(data), np.int32, 9).reshape(3, 3)


def _rate(stream: Any) -> float:
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and SLOWEST_RATE <= rate <= FASTEST_RATE:
            return float(rate)
    return DEFAULT_RATE


def _check_version(version: str, path: Path) -> None:
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_PYAV:
        needed = ".".join(map(str, OLDEST_PYAV))
        raise InputError(
            f"{path}: reading videos needs PyAV {needed} or newer, this is {version}; older ones cannot "
            "distinguish a video track from an attached picture: pip install -U av"
        )


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
