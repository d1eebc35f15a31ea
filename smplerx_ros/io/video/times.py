"""Assign strictly increasing times to frames whose timestamps may repeat, go back or be missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import isnan, nan
from typing import Any, Generic, TypeVar

T = TypeVar("T")

SHORTEST_STEP = 1e-6  # seconds; clocks of files are coarser, smaller differences are rounding errors
MAX_WAITING = 8  # frames held back until a later time arrives; after so many the clock is taken as stopped

_AVI_SLACK = 1.5  # frames: AVI also counts repeated frames, which are not stored
_DURATION_SLACK = 0.5  # seconds: includes the last frame's duration, which is not stored


def increasing_times(frames: Iterable[tuple[float | None, T]], period: float) -> Iterator[tuple[float, T]]:
    """Yield all frames in order, as (seconds since the first, frame), with strictly increasing seconds.

    A time that is repeated, too early, missing or an outlier is interpolated from its neighbours. If the clock restarts
    (concatenated files, overflow of a counter), time continues from there.

    Args:
        frames: Pairs of the file's time in seconds, or None, and the frame.
        period: The usual time between two frames, seconds.
    """
    clock: _Clock[T] = _Clock(period)
    for time, frame in frames:
        clock.waiting.append((nan if time is None else time, frame))
        yield from clock.settled(final=False)
    yield from clock.settled(final=True)


class _Clock(Generic[T]):
    """Maps times of the file to increasing times; `waiting` holds (file's time or NaN, frame) to be decided."""

    def __init__(self, period: float) -> None:
        self.waiting: list[tuple[float, T]] = []
        self._period = period
        self._last: float | None = None  # the latest output time
        self._offset = 0.0  # from the file's clock to output times

    def settled(self, final: bool) -> Iterator[tuple[float, T]]:
        """Yield the waiting frames whose times are decided; `final`: no more frames follow."""
        while len(self.waiting) >= (1 if final else 2):
            if self._last is None:
                first = self.waiting[0][0]
                self._offset = 0.0 if isnan(first) else -first
                yield self._give(0.0)
            elif not self._later(0, self._last):
                later = next((i for i in range(1, len(self.waiting)) if self._later(i, self._last)), None)
                if later is not None:
                    step = (self._time(later) - self._last) / (later + 1)
                    for _ in range(later):
                        yield self._give(self._last + step)
                elif final or self._restarts() or len(self.waiting) > MAX_WAITING:
                    yield self._give_next(self._last + self._period)
                else:
                    return
            elif len(self.waiting) > 1 and self._later(1, self._last) and self._later(0, self._time(1)):
                self.waiting[0] = nan, self.waiting[0][1]  # an outlier: the next frame is earlier
            else:
                yield self._give(self._time(0))

    def _time(self, index: int) -> float:
        return self.waiting[index][0] + self._offset

    def _later(self, index: int, seconds: float) -> bool:
        return self._time(index) > seconds + SHORTEST_STEP

    def _restarts(self) -> bool:
        return any(self._later(i, self._time(i - 1)) for i in range(1, len(self.waiting)))

    def _give(self, seconds: float) -> tuple[float, T]:
        self._last = seconds
        return seconds, self.waiting.pop(0)[1]

    def _give_next(self, seconds: float) -> tuple[float, T]:
        """Emit the first frame at `seconds`, and adjust the offset accordingly."""
        if not isnan(self.waiting[0][0]):
            self._offset = seconds - self.waiting[0][0]
        return self._give(seconds)


def expected_end(container: Any, stream: Any) -> float:
    """Earliest end of a complete video track, in seconds on the file's clock; 0 if the file does not declare it.

    It is the declared length of AVI, Matroska and Flash files, minus a tolerance for usual inaccuracies. Other formats
    report truncation while reading, or declare only what they contain.
    """
    kinds = set(container.format.name.split(","))
    if "avi" in kinds:
        rate = stream.average_rate
        return (stream.frames - _AVI_SLACK) / float(rate) if stream.frames and rate else 0.0
    if kinds & {"matroska", "flv"}:
        if duration := re.fullmatch(r"(\d+):(\d\d):(\d\d\.?\d*)", stream.metadata.get("DURATION", "")):
            hours, minutes, seconds = map(float, duration.groups())
            return 3600 * hours + 60 * minutes + seconds - _DURATION_SLACK
        if len(container.streams) == 1:  # otherwise it may be the duration of the audio
            return (container.duration or 0) * 1e-6 - _DURATION_SLACK
    return 0.0
