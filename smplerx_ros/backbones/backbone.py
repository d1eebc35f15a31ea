"""Interface of backbones, which estimate bodies from observations."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from smplerx_ros.types import BodyEstimate, Observation


class Backbone(Protocol):
    """Estimates bodies from observations; may keep state for each person, by id."""

    name: str
    confirms_people: bool  # returns None where there is no person; otherwise detections must confirm people

    @property
    def runtime(self) -> str:
        """Description of what runs the networks."""

    def estimate(self, observations: Sequence[Observation]) -> list[BodyEstimate | None]:
        """Estimate the bodies of all observations, whose frames have a camera.

        Returns:
            One estimate per observation, in order; None if no body was found.
        """

    def forget(self, ids: Collection[str]) -> None:
        """Discard the state of people whose tracks have ended."""

    def reset(self) -> None:
        """Discard the state of all people."""
