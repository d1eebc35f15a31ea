"""What turns observations into bodies: `lite`, SMPLer-X, or one of the user's own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from smplerx_ros.types import BodyEstimate, Observation


class Backbone(Protocol):
    """Turns observations into bodies; may remember people by their id."""

    name: str
    confirms_people: bool  # answers None where nobody is; otherwise detections have to confirm people

    @property
    def runtime(self) -> str:
        """What runs its networks."""

    def estimate(self, observations: Sequence[Observation]) -> list[BodyEstimate | None]:
        """One answer per observation, in their order; None where no body was found. Every frame has a camera."""

    def forget(self, ids: Collection[str]) -> None:
        """People who have left."""

    def reset(self) -> None:
        """Forget everybody."""
