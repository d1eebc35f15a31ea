"""Less work while frames take longer than they may, in a stated order; it knows no clock and is told how long."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from statistics import median

from smplerx_ros.types import Degradation

DETECTION_SPARED = 3  # times as seldom
WINDOW = 15  # frames behind a judgement: half a second of a 30 Hz camera
ROOM = 0.7  # share of the budget below which there is room for more
FIRST_PATIENCE = 3  # windows with room before more is tried; doubled each time that it did not work
MOST_PATIENCE = 48


@dataclass(frozen=True)
class Effort:
    """What may be spent on a frame."""

    spared: int = 1  # detections are that many times as seldom
    people: int | None = None  # at most so many in each image, the nearest; None: as configured
    backbone: int = 0  # 0: the configured one; then the fallbacks in their order

    @property
    def degradation(self) -> Degradation:
        """What is done less."""
        flags = {
            Degradation.DETECTION_RATE: self.spared > 1,
            Degradation.MAX_PEOPLE: self.people is not None,
            Degradation.BACKBONE: self.backbone > 0,
        }
        return Degradation(sum(flag for flag, spared in flags.items() if spared))

    def described(self, backbone: str) -> str:
        """What is done less, with this backbone; empty: nothing."""
        parts = [f"detection {self.spared} times as seldom"] if self.spared > 1 else []
        if self.people is not None:
            parts.append(f"at most {self.people} {'person' if self.people == 1 else 'people'}")
        if self.backbone:
            parts.append(f"backbone {backbone}")
        return ", ".join(parts)


FULL = Effort()


class LatencyBudget:
    """Steps down when the median cost of the last frames is above the budget, and back when there is room.

    The order of the steps: detect less often; half the people, and half again, down to one; the fallback backbones one
    after the other. The way back is the reverse. A way back that leads over the budget again is tried less often from
    then on. `seconds` is the budget of one call, `fallbacks` how many smaller backbones there are.
    """

    def __init__(self, seconds: float, fallbacks: int = 0) -> None:
        self.seconds = seconds
        self._fallbacks = fallbacks
        self._steps = [FULL]
        self._costs: deque[float] = deque(maxlen=WINDOW)
        self._windows_with_room = 0
        self._patience = FIRST_PATIENCE
        self._returned = False  # the last change was a step back

    @property
    def effort(self) -> Effort:
        """What may be spent on the next frame."""
        return self._steps[-1]

    def spent(self, seconds: float, people: int) -> None:
        """A frame took `seconds`, with `people` estimated in the image that had the most."""
        self._costs.append(seconds)
        if len(self._costs) < WINDOW:
            return
        cost = median(self._costs)
        self._costs.clear()
        returned, self._returned = self._returned, False
        if cost > self.seconds:
            self._step_down(people, returned)
        elif cost < ROOM * self.seconds:
            self._step_back()
        else:
            self._windows_with_room = 0

    def _step_down(self, people: int, returned: bool) -> None:
        self._windows_with_room = 0
        lesser = self._lesser(people)
        if lesser is not None:
            self._steps.append(lesser)
            if returned:
                self._patience = min(2 * self._patience, MOST_PATIENCE)

    def _step_back(self) -> None:
        self._windows_with_room += 1
        if self._windows_with_room < self._patience:
            return
        self._windows_with_room = 0
        if len(self._steps) > 1:
            self._steps.pop()
            self._returned = True
        else:
            self._patience = FIRST_PATIENCE

    def _lesser(self, people: int) -> Effort | None:
        """The next step; None where nothing is left to spare."""
        now = self.effort
        if now.spared == 1:
            return replace(now, spared=DETECTION_SPARED)
        people = min(people, now.people or people)
        if people > 1:
            return replace(now, people=people // 2)
        if now.backbone < self._fallbacks:
            return replace(now, backbone=now.backbone + 1)
        return None
