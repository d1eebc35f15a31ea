"""Times of frames that increase, out of a clock that may repeat itself, go back, or be silent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import isnan, nan
from typing import Any, Generic, TypeVar

T = TypeVar("T")

SHORTEST_STEP = 1e-6  # seconds; clocks of files tick more slowly, what is less is rounding
MOST_WAITING = 8  # frames held until a later time comes; behind so many the clock has stopped

_AVI_SLACK = 1.5  # frames: AVI counts frames that repeat the one before, which are not stored
_DURATION_SLACK = 0.5  # s: the last frame's own duration is part of it, and is not stored


def increasing_times(frames: Iterable[tuple[float | None, T]], period: float) -> Iterator[tuple[float, T]]:
    """All `frames` in their order, as (seconds since the first, frame); the seconds strictly increase.

    Input is (time of the file in seconds or None, frame); `period` is the usual time between two frames.
    A time that is repeated, too early, missing or late by mistake is replaced: the frame goes midway between its
    neighbours. Where the clock starts anew (two files in one, a counter that overflows), time goes on from there.
    """
    clock: _Clock[T] = _Clock(period)
    for time, frame in frames:
        clock.waiting.append((nan if time is None else time, frame))
        yield from clock.settled(final=False)
    yield from clock.settled(final=True)


class _Clock(Generic[T]):
    """`waiting`: frames with the file's time (NaN: not known), that have no time yet."""

    def __init__(self, period: float) -> None:
        self.waiting: list[tuple[float, T]] = []
        self._period = period
        self._last: float | None = None  # the time given last
        self._offset = 0.0  # from the file's clock to ours

    def settled(self, final: bool) -> Iterator[tuple[float, T]]:
        """The waiting frames whose time is certain; `final`: no more frames come."""
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
                elif final or self._runs_anew() or len(self.waiting) > MOST_WAITING:
                    yield self._give_next(self._last + self._period)
                else:
                    return
            elif len(self.waiting) > 1 and self._later(1, self._last) and self._later(0, self._time(1)):
                self.waiting[0] = nan, self.waiting[0][1]  # late by mistake: the next one is before it
            else:
                yield self._give(self._time(0))

    def _time(self, index: int) -> float:
        return self.waiting[index][0] + self._offset

    def _later(self, index: int, seconds: float) -> bool:
        return self._time(index) > seconds + SHORTEST_STEP

    def _runs_anew(self) -> bool:
        return any(self._later(i, self._time(i - 1)) for i in range(1, len(self.waiting)))

    def _give(self, seconds: float) -> tuple[float, T]:
        self._last = seconds
        return seconds, self.waiting.pop(0)[1]

    def _give_next(self, seconds: float) -> tuple[float, T]:
        """Give the first frame a time of ours, and set the clock after it."""
        if not isnan(self.waiting[0][0]):
            self._offset = seconds - self.waiting[0][0]
        return self._give(seconds)


def told_end(container: Any, stream: Any) -> float:
    """When the film should end, in seconds on the file's clock; 0 where the file says nothing of this track.

    By what AVI, Matroska and Flash files say of their length, less by what such files get wrong.
    Other kinds report the loss when they are read, or tell only what is there.
    """
    kinds = set(container.format.name.split(","))
    if "avi" in kinds:
        rate = stream.average_rate
        return (stream.frames - _AVI_SLACK) / float(rate) if stream.frames and rate else 0.0
    if kinds & {"matroska", "flv"}:
        if told := re.fullmatch(r"(\d+):(\d\d):(\d\d\.?\d*)", stream.metadata.get("DURATION", "")):
            hours, minutes, seconds = map(float, told.groups())
            return 3600 * hours + 60 * minutes + seconds - _DURATION_SLACK
        if len(container.streams) == 1:  # otherwise it may be the sound's
            return (container.duration or 0) * 1e-6 - _DURATION_SLACK
    return 0.0
