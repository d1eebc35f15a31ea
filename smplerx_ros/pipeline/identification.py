"""Identification: detection and multi-object tracking of the people of each camera."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.config.options import Options
from smplerx_ros.detection import Detector
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.types import Frame, Observation, Person

from .scheduling.budget import Effort
from .scheduling.camera_state import CameraState
from .scheduling.cameras import Cameras
from .scheduling.detection_runner import DetectionRunner
from .scheduling.detection_schedule import ConfidenceMonitor
from .scheduling.selection import apparent_size, select_nearest
from .smoothing.person_smoother import MAX_GAP_NS, MAX_SLOW_GAP_NS
from .stages import FinishedFrame, TrackedFrame
from .tracking.events import TrackEvent, without_history


@dataclass(frozen=True, eq=False)
class Conclusion:
    """The result of a frame: its people, events of their tracks, and the camera's warnings by key."""

    people: tuple[Person, ...]
    events: tuple[TrackEvent, ...]
    warnings: Mapping[str, str]


class Identification:
    """Detects and tracks people; keeps the state of all cameras.

    Args:
        detector: Runs while a frame waits; None: detections come with the frames only.
        background_detector: Runs in a background thread; None: `detector`.
        options: Intervals, thresholds and limits.
        new_ids: Yields ids that were never used before.
    """

    def __init__(
        self, detector: Detector | None, background_detector: Detector | None, options: Options, new_ids: Iterator[str]
    ) -> None:
        self._options = options
        self._detection = DetectionRunner(detector, background_detector, options)
        self._cameras = Cameras(new_ids, options.tracker_max_age)
        self._confidence = ConfidenceMonitor()

    def update(self, options: Options) -> None:
        """Change the options, after waiting for running detections, which started with the old ones."""
        wait([state.background.boxes for state in self._cameras if state.background])
        self._options = options
        self._cameras.max_age = options.tracker_max_age
        self._detection.update(options)

    def begin(self, frames: Sequence[Frame]) -> tuple[TrackEvent, ...]:
        """Begin new frames; returns events of the tracks of cameras that start anew or are forgotten.

        Raises:
            InputError: If two frames are of one camera; then nothing has changed.
        """
        return self._cameras.begin(frames)

    def identify(self, frames: Sequence[Frame], effort: Effort, *, confirm: bool) -> list[TrackedFrame]:
        """Detect and track people in frames that have begun.

        Args:
            frames: The frames of the last `begin`.
            effort: Limits on detections and people.
            confirm: Whether detections confirm people, because the backbone cannot.
        """
        states = [self._cameras[frame] for frame in frames]
        events = self._detection.run(frames, states, effort.interval_factor, confirm=confirm)
        return [self._tracked(*each, effort) for each in zip(frames, states, events, strict=True)]

    def conclude(self, finished: FinishedFrame) -> Conclusion:
        """Update the tracks with the estimates; people whose estimate is not theirs are left out."""
        tracked, state = finished.tracked, self._cameras[finished.tracked.frame]
        state.check_depth(finished.depth_readings)
        dropping = [p for p in finished.people.values() if p and self._confidence.has_dropped(p.id, _confidence(p))]
        boxes = {identity: None if person is None else person.box for identity, person in finished.people.items()}
        if dropping or None in boxes.values():
            state.schedule.request()
        # Tracks that were not estimated are lost unless the last detection shows them.
        boxes |= {track.id: None for track in tracked.not_estimated if track.seen_ns < state.schedule.detected_ns}
        events = state.tracker.update(boxes, tracked.frame.stamp_ns)
        ended = set(without_history(events))
        people = tuple(person for person in finished.people.values() if person is not None and person.id not in ended)
        state.estimated = frozenset(finished.people)
        state.size_at_1m |= {p.id: apparent_size(p.box) * float(np.linalg.norm(p.joints[0])) for p in people}
        for identity in ended:
            state.size_at_1m.pop(identity, None)
        return Conclusion(people, events, state.warnings)

    def new_warnings(self, frame: Frame, warnings: Mapping[str, str]) -> list[str]:
        """Warnings of the frame's camera that were not returned before, sorted by key."""
        logged = self._cameras[frame].logged
        new = [warnings[key] for key in sorted(warnings.keys() - logged)]
        logged.update(warnings)
        return new

    def warm_up(self, image: NDArray[np.uint8]) -> None:
        """Run the detectors once on an `(H, W, 3)` RGB image."""
        self._detection.warm_up(image)

    def forget(self, ids: Collection[str]) -> None:
        """Drop the average confidence of these people."""
        self._confidence.forget(ids)

    def reset(self) -> None:
        """Drop all cameras and tracks."""
        self._cameras.clear()
        self._confidence.clear()

    def close(self, timeout: float) -> bool:
        """End the detection thread; False if it did not end within `timeout` seconds."""
        ended = self._detection.close(timeout)
        self._cameras.clear()
        return ended

    def _tracked(self, frame: Frame, state: CameraState, events: Sequence[TrackEvent], effort: Effort) -> TrackedFrame:
        """Select the nearest active tracks, at most `max_people`."""
        frame = self._prepared(frame, state)
        assert frame.camera is not None
        events = (*events, *state.update_camera(frame.camera))
        active = state.tracker.active
        limit = min(self._options.max_people, effort.people or self._options.max_people)
        boxes = {track.id: track.box for track in active}
        chosen = set(select_nearest(boxes, limit, state.size_at_1m, state.estimated))
        return TrackedFrame(
            frame,
            tuple(
                Observation(frame, track.id, track.box, state.seconds_since(track.detected_ns))
                for track in active
                if track.id in chosen
            ),
            tuple(track for track in active if track.id not in chosen),
            filter_stamp_ns=0 if state.unstamped else state.stamp_ns,
            max_gap_ns=state.interval.max_gap_ns(MAX_GAP_NS, MAX_SLOW_GAP_NS),
            events=tuple(events),
        )

    def _prepared(self, frame: Frame, state: CameraState) -> Frame:
        """The frame with a camera centred at the origin, and with the last stamp if it has none."""
        camera = frame.camera
        if camera is None:
            height, width = frame.image.shape[:2]
            frame = replace(frame, camera=Camera.from_fov(width, height, self._options.default_fov))
        elif camera.centre.any():
            frame = replace(frame, camera=replace(camera, centre=np.zeros(3)))
        return replace(frame, stamp_ns=state.stamp_ns) if state.unstamped else frame


def _confidence(person: Person) -> float:
    """Score times the mean confidence of the joints with a known one; NaN if there are none."""
    known = person.confidence[np.isfinite(person.confidence)]
    return person.score * (float(known.mean()) if len(known) else float("nan"))
