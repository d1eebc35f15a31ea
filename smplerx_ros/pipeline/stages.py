"""Frames as they pass through the parts of the estimator: tracked, estimated, finished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.depth import DepthReading
from smplerx_ros.types import BodyEstimate, Frame, Observation, Person

from .tracking.events import TrackEvent
from .tracking.tracker import TrackedBox


@dataclass(frozen=True, eq=False)
class TrackedFrame:
    """A frame with its tracked people. Its camera, given or assumed, has its centre at the origin.

    Attributes:
        frame: The frame to estimate; its stamp is that of the frame before if it has none of its own.
        observations: The people to estimate.
        not_estimated: Active tracks in excess of `max_people`.
        filter_stamp_ns: The time for filters and velocities; 0 if the frame has no stamp.
        max_gap_ns: Filters and velocities start anew after a longer absence.
        events: Events of tracks up to this frame's detections.
    """

    frame: Frame
    observations: tuple[Observation, ...]
    not_estimated: tuple[TrackedBox, ...]
    filter_stamp_ns: int
    max_gap_ns: int
    events: tuple[TrackEvent, ...] = ()

    @property
    def camera(self) -> Camera:
        """The frame's camera, given or assumed."""
        assert self.frame.camera is not None
        return self.frame.camera


@dataclass(frozen=True, eq=False)
class EstimatedFrame:
    """A tracked frame with the backbone's estimate of each observation; None: no person was found."""

    tracked: TrackedFrame
    bodies: tuple[BodyEstimate | None, ...]


@dataclass(frozen=True, eq=False)
class FinishedFrame:
    """A tracked frame with its people by id; None: no person was found, or it is outside the image."""

    tracked: TrackedFrame
    people: Mapping[str, Person | None]
    depth_readings: tuple[DepthReading, ...]
