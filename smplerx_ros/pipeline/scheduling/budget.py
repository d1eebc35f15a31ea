"""Latency budget: reduces the effort step by step while frames take too long; durations come from the caller."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from statistics import median

from smplerx_ros.types import Degradation

INTERVAL_FACTOR = 3  # on the detection intervals, in the first step
WINDOW = 15  # frames whose median decides: half a second at 30 Hz
HEADROOM = 0.7  # share of the budget below which a step back may fit
MIN_PATIENCE = 3  # windows below it until a step back is tried; doubled each time that it fails
MAX_PATIENCE = 48


@dataclass(frozen=True)
class Effort:
    """Limits on the work for one frame."""

    interval_factor: int = 1  # on the detection intervals
    people: int | None = None  # maximum number of people per image; None: as configured
    backbone: int = 0  # index: the configured one, then the fallbacks

    @property
    def degradation(self) -> Degradation:
        """Flags of the reductions."""
        flags = {
            Degradation.DETECTION_RATE: self.interval_factor > 1,
            Degradation.MAX_PEOPLE: self.people is not None,
            Degradation.BACKBONE: self.backbone > 0,
        }
        return Degradation(sum(flag for flag, reduced in flags.items() if reduced))

    def describe(self, backbone: str) -> str:
        """Describe the reductions, with the name of the backbone in use; empty if there are none."""
        parts = [f"detection {self.interval_factor} times as seldom"] if self.interval_factor > 1 else []
        if self.people is not None:
            parts.append(f"at most {self.people} {'person' if self.people == 1 else 'people'}")
        if self.backbone:
            parts.append(f"backbone {backbone}")
        return ", ".join(parts)


FULL = Effort()


class LatencyBudget:
    """Reduces the effort when the median duration exceeds the budget, and restores it when there is headroom.

    The steps: detect less often; halve the number of people, down to one; switch to each fallback backbone. Steps back
    are in reverse order; one that exceeds the budget again is tried less often from then on (exponential backoff).

    Args:
        seconds: Budget of one call.
        fallbacks: Number of fallback backbones.
    """

    def __init__(self, seconds: float, fallbacks: int = 0) -> None:
        self.seconds = seconds
        self._fallbacks = fallbacks
        self._steps = [FULL]
        self._costs: deque[float] = deque(maxlen=WINDOW)
        self._windows_with_headroom = 0
        self._patience = MIN_PATIENCE
        self._restored = False  # the last change was a step back

    @property
    def effort(self) -> Effort:
        """Limits for the next frame."""
        return self._steps[-1]

    def record(self, seconds: float, people: int) -> None:
        """Record the duration of a call, and the largest number of people estimated in one image."""
        self._costs.append(seconds)
        if len(self._costs) < WINDOW:
            return
        cost = median(self._costs)
        self._costs.clear()
        restored, self._restored = self._restored, False
        if cost > self.seconds:
            self._step_down(people, restored)
        elif cost < HEADROOM * self.seconds:
            self._step_back()
        else:
            self._windows_with_headroom = 0

    def _step_down(self, people: int, restored: bool) -> None:
        self._windows_with_headroom = 0
        smaller = self._smaller(people)
        if smaller is not None:
            self._steps.append(smaller)
            if restored:
                self._patience = min(2 * self._patience, MAX_PATIENCE)

    def _step_back(self) -> None:
        self._windows_with_headroom += 1
        if self._windows_with_headroom < self._patience:
            return
        self._windows_with_headroom = 0
        if len(self._steps) > 1:
            self._steps.pop()
            self._restored = True
        else:
            self._patience = MIN_PATIENCE

    def _smaller(self, people: int) -> Effort | None:
        """The next smaller effort; None at the last step."""
        now = self.effort
        if now.interval_factor == 1:
            return replace(now, interval_factor=INTERVAL_FACTOR)
        people = min(people, now.people or people)
        if people > 1:
            return replace(now, people=people // 2)
        if now.backbone < self._fallbacks:
            return replace(now, backbone=now.backbone + 1)
        return None
