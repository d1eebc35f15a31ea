"""Where the boxes of people come from: the frame, the detector while the frame waits, or a search of an earlier one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.config.options import Options
from smplerx_ros.detection import Detector, LockedDetector
from smplerx_ros.detection.clean import clean_boxes
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.pipeline.tracking.events import TrackEvent
from smplerx_ros.types import Frame

from .beside import Beside
from .camera import CameraState, Search

# Without detections for so long, people whom the backbone cannot confirm are given up: others' detectors may be dead.
_LONGEST_UNCONFIRMED_NS = 2_000_000_000


class Finder:
    """Finds people in frames. `detector` None: boxes come with the frames alone.

    `beside` is for detections beside the estimation, in a thread of its own; None: the same detector.
    """

    def __init__(self, detector: Detector | None, beside: Detector | None, options: Options) -> None:
        if detector is not None and beside in (None, detector):
            detector = beside = LockedDetector(detector)
        self._detector = detector
        self._detector_beside = beside
        self._beside = Beside("smplerx_detector")
        self.update(options)

    def update(self, options: Options) -> None:
        """Other thresholds and intervals from now on."""
        self._options = options
        for detector in self._detectors:
            detector.threshold = options.detection_threshold

    def warm_up(self, image: NDArray[np.uint8]) -> None:
        """Run the detectors once."""
        for detector in self._detectors:
            detector.detect([image])

    def close(self, timeout: float) -> bool:
        """End the thread and free the detectors; False where one did not return within `timeout` seconds."""
        ended = self._beside.close(timeout)
        self._detector = self._detector_beside = None
        return ended

    def find(
        self, frames: Sequence[Frame], states: Sequence[CameraState], spared: int, *, confirm: bool
    ) -> list[list[TrackEvent]]:
        """Boxes of an earlier frame, those that come with the frames, and the detector's where they cannot wait.

        A frame that is given again, because its batch failed, is not detected twice. `spared`: so many times as seldom
        as asked for. `confirm`: people have to be confirmed by detections. Returns the events of each
        frame's tracks.
        """
        events: list[list[TrackEvent]] = [[] for _ in frames]
        new = [i for i, state in enumerate(states) if state.undetected]
        for i in new:
            search = states[i].found_beside()
            if search is not None and frames[i].detections is None:
                events[i] += states[i].detected(search.boxes.result(), search.stamp_ns, confirm=confirm)
        found = {i: self._given(frames[i]) for i in new if frames[i].detections is not None}
        if self._detector is not None:
            found |= self._detected(self._detector, [i for i in new if i not in found], frames, states, spared)
        for i, state in enumerate(states):
            if i in found:
                state.schedule.begun()
                events[i] += state.detected(found[i], state.stamp_ns, confirm=confirm)
            elif confirm and state.stamp_ns - state.schedule.detected_ns > _LONGEST_UNCONFIRMED_NS:
                events[i] += state.tracker.detected([], state.stamp_ns, confirm=True)
        return events

    @property
    def _detectors(self) -> set[Detector]:
        return {detector for detector in (self._detector, self._detector_beside) if detector is not None}

    def _detected(
        self,
        detector: Detector,
        asked: Sequence[int],
        frames: Sequence[Frame],
        states: Sequence[CameraState],
        spared: int,
    ) -> dict[int, list[Box]]:
        """The detector's boxes where they are due and cannot wait; searches begin where they can."""
        every, now = self._options.detection_interval, []
        for i in asked:
            if not states[i].due(every, spared) or states[i].search is not None:
                continue
            if states[i].may_wait(every):
                states[i].search = self._search(frames[i])
                states[i].schedule.begun()
            else:
                now.append(i)
        return dict(zip(now, detector.detect([frames[i].image for i in now]), strict=True)) if now else {}

    def _search(self, frame: Frame) -> Search:
        """Look for people in another thread, in a copy: the caller may use the image's memory again."""
        assert self._detector_beside is not None
        detect, image = self._detector_beside.detect, frame.image.copy()
        return Search(frame.stamp_ns, self._beside.submit(lambda: detect([image])[0]))

    def _given(self, frame: Frame) -> list[Box]:
        height, width = frame.image.shape[:2]
        boxes = clean_boxes(frame.detections or (), width, height)
        return [box for box in boxes if box.score >= self._options.detection_threshold]
