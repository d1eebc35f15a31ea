"""The cameras of an estimator, told apart by the names of their frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smplerx_ros.errors import InputError
from smplerx_ros.pipeline.tracking.events import TrackEvent
from smplerx_ros.pipeline.tracking.tracker import Tracker
from smplerx_ros.types import Frame

from .camera import CameraState

_MOST_CAMERAS = 64  # that are remembered: drivers may give each image a frame_id of its own


class Cameras:
    """What is known of each; `new_ids` are for all of them, `max_age` seconds as `Tracker` has it."""

    def __init__(self, new_ids: Iterator[str], max_age: float) -> None:
        self._new_ids = new_ids
        self._max_age = max_age
        self._states: dict[str, CameraState] = {}  # at the end: the last ones seen

    def __iter__(self) -> Iterator[CameraState]:
        return iter(self._states.values())

    def __len__(self) -> int:
        return len(self._states)

    def __getitem__(self, frame: Frame) -> CameraState:
        return self._states[camera_name(frame)]

    @property
    def max_age(self) -> float:
        """Of all trackers."""
        return self._max_age

    @max_age.setter
    def max_age(self, seconds: float) -> None:
        self._max_age = seconds
        for state in self:
            state.tracker.max_age = seconds

    def begin(self, frames: Sequence[Frame]) -> tuple[TrackEvent, ...]:
        """Note the frames' cameras and times; returns the tracks that this ends.

        A camera whose time went back or whose images have another size than before starts anew. Those not seen for
        longest are forgotten.

        Raises:
            InputError: For two frames of one camera; then nothing has changed.
        """
        names = [camera_name(frame) for frame in frames]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise InputError(
                    f"frames {names.index(name)} and {i} are both of camera {name!r} (Frame.source, or else frame_id): "
                    "give one frame a camera, or each camera its own name"
                )
        events = [event for name, frame in zip(names, frames, strict=True) for event in self._begin(name, frame)]
        for name in list(self._states)[: -max(_MOST_CAMERAS, len(names))]:
            events += self._states.pop(name).tracker.clear()
        return tuple(events)

    def clear(self) -> None:
        """Forget all of them."""
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
    """Which camera a frame is of."""
    return frame.source or frame.frame_id
