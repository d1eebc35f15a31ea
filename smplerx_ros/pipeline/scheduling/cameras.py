"""The states of all cameras of an estimator, by camera name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smplerx_ros.errors import InputError
from smplerx_ros.pipeline.tracking.events import TrackEvent
from smplerx_ros.pipeline.tracking.tracker import Tracker
from smplerx_ros.types import Frame

from .camera_state import CameraState

_MAX_CAMERAS = 64  # some drivers give each image its own frame_id


class Cameras:
    """States by camera name.

    Args:
        new_ids: Unused ids for the tracks of all cameras.
        max_age: Seconds until a lost track is terminated.
    """

    def __init__(self, new_ids: Iterator[str], max_age: float) -> None:
        self._new_ids = new_ids
        self._max_age = max_age
        self._states: dict[str, CameraState] = {}  # least recently used first

    def __iter__(self) -> Iterator[CameraState]:
        return iter(self._states.values())

    def __len__(self) -> int:
        return len(self._states)

    def __getitem__(self, frame: Frame) -> CameraState:
        return self._states[camera_name(frame)]

    @property
    def max_age(self) -> float:
        """Seconds until the trackers terminate a lost track."""
        return self._max_age

    @max_age.setter
    def max_age(self, seconds: float) -> None:
        self._max_age = seconds
        for state in self:
            state.tracker.max_age = seconds

    def begin(self, frames: Sequence[Frame]) -> tuple[TrackEvent, ...]:
        """Begin new frames of their cameras.

        A camera starts anew if its time goes back or its images change size. The least recently used cameras in excess
        of `_MAX_CAMERAS` are forgotten.

        Returns:
            Events of the tracks that this ends.

        Raises:
            InputError: If two frames are of one camera; then nothing has changed.
        """
        names = [camera_name(frame) for frame in frames]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise InputError(
                    f"frames {names.index(name)} and {i} are both of camera {name!r} (Frame.source, or else frame_id): "
                    "give one frame a camera, or each camera its own name"
                )
        events = [event for name, frame in zip(names, frames, strict=True) for event in self._begin(name, frame)]
        for name in list(self._states)[: -max(_MAX_CAMERAS, len(names))]:
            events += self._states.pop(name).tracker.clear()
        return tuple(events)

    def clear(self) -> None:
        """Forget all cameras."""
        self._states.clear()

    def _begin(self, name: str, frame: Frame) -> tuple[TrackEvent, ...]:
        state = self._states.pop(name, None)
        size = frame.image.shape[:2]
        events: tuple[TrackEvent, ...] = ()
        if state is not None and (0 != frame.stamp_ns < state.stamp_ns or size != state.size):
            events = state.tracker.clear()
            state = None
        if state is None:
            state = CameraState(Tracker(self._new_ids, self._max_age), size)
        self._states[name] = state
        state.begin(frame.stamp_ns)
        return events


def camera_name(frame: Frame) -> str:
    """Name of a frame's camera."""
    return frame.source or frame.frame_id
