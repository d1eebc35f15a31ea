"""Estimation: the backbones, and the choice among them by the latency budget."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from smplerx_ros.backbones.backbone import Backbone
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.types import Frame, Observation

from .scheduling.budget import FULL, Effort, LatencyBudget
from .stages import EstimatedFrame, TrackedFrame


class Estimation:
    """Estimates the bodies of tracked people with the backbone that fits the latency budget.

    Args:
        backbones: The configured backbone, then the fallbacks.
        budget_ms: Latency budget of one call in milliseconds; 0: none.
    """

    def __init__(self, backbones: Sequence[Backbone], budget_ms: float) -> None:
        self._backbones = tuple(backbones)
        self._budget: LatencyBudget | None = None
        self._budget_ms = 0.0
        self.set_budget(budget_ms)

    def set_budget(self, budget_ms: float) -> None:
        """Change the latency budget; a different value starts at full effort."""
        if budget_ms == self._budget_ms:
            return
        self._budget_ms = budget_ms
        self._budget = LatencyBudget(budget_ms * 1e-3, len(self._backbones) - 1) if budget_ms else None

    @property
    def effort(self) -> Effort:
        """Limits for the next call."""
        return FULL if self._budget is None else self._budget.effort

    @property
    def confirms_people(self) -> bool:
        """Whether the configured backbone detects that a box holds no person."""
        return self._backbones[0].confirms_people

    def backbone(self, effort: Effort) -> Backbone:
        """The backbone to use with `effort`."""
        return self._backbones[effort.backbone]

    def estimate(self, frames: Sequence[TrackedFrame], effort: Effort) -> list[EstimatedFrame]:
        """Estimate the observations of all frames in one batch."""
        observations = [observation for frame in frames for observation in frame.observations]
        bodies = iter(self.backbone(effort).estimate(observations))
        return [EstimatedFrame(frame, tuple(next(bodies) for _ in frame.observations)) for frame in frames]

    def record(self, seconds: float, frames: Sequence[TrackedFrame]) -> None:
        """Record the duration of a call with these frames."""
        if self._budget is not None:
            self._budget.record(seconds, max((len(frame.observations) for frame in frames), default=0))

    def warm_up(self, frame: Frame) -> None:
        """Run each backbone once on a box that fills the frame."""
        height, width = frame.image.shape[:2]
        for backbone in self._backbones:
            backbone.estimate([Observation(frame, "warm_up", Box(0, 0, width, height))])
            backbone.reset()

    def forget(self, ids: Collection[str]) -> None:
        """Drop the backbones' memory of these people."""
        for backbone in self._backbones:
            backbone.forget(ids)

    def reset(self) -> None:
        """Drop the backbones' memory of all people."""
        for backbone in self._backbones:
            backbone.reset()

    def close(self) -> None:
        """Release the backbones."""
        self._backbones = ()
