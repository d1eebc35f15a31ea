"""Sources of detections: the frame itself, the detector, or a background detection of an earlier frame."""

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

from .background import BackgroundWorker
from .camera_state import BackgroundDetection, CameraState

# Tracks that the backbone cannot confirm are lost after this time without detections: an external detector may be dead.
_MAX_UNCONFIRMED_NS = 2_000_000_000


class DetectionRunner:
    """Runs the detectors when they are due, and passes all detections to the cameras' trackers.

    Args:
        detector: Runs while a frame waits; None: detections come with the frames only.
        background_detector: Runs in a background thread; None: `detector`.
        options: Threshold and interval.
    """

    def __init__(self, detector: Detector | None, background_detector: Detector | None, options: Options) -> None:
        if detector is not None and background_detector in (None, detector):
            detector = background_detector = LockedDetector(detector)
        self._detector = detector
        self._background_detector = background_detector
        self._background = BackgroundWorker("smplerx_detector")
        self.update(options)

    def update(self, options: Options) -> None:
        """Change threshold and interval."""
        self._options = options
        for detector in self._detectors:
            detector.threshold = options.detection_threshold

    def warm_up(self, image: NDArray[np.uint8]) -> None:
        """Run each detector once on an `(H, W, 3)` RGB image."""
        for detector in self._detectors:
            detector.detect([image])

    def close(self, timeout: float) -> bool:
        """End the thread and release the detectors; False if one does not return within `timeout` seconds."""
        ended = self._background.close(timeout)
        self._detector = self._background_detector = None
        return ended

    def run(
        self, frames: Sequence[Frame], states: Sequence[CameraState], interval_factor: int, *, confirm: bool
    ) -> list[list[TrackEvent]]:
        """Detect people and associate them; a frame given again after its batch failed is not detected twice.

        Args:
            frames: The frames, each of another camera.
            states: The states of their cameras.
            interval_factor: Factor on the detection intervals.
            confirm: Whether detections confirm people, because the backbone cannot.

        Returns:
            Events of the tracks, for each frame.
        """
        events: list[list[TrackEvent]] = [[] for _ in frames]
        new = [i for i, state in enumerate(states) if state.undetected]
        for i in new:
            earlier = states[i].take_background_detection()
            if earlier is not None and frames[i].detections is None:
                events[i] += states[i].detected(earlier.boxes.result(), earlier.stamp_ns, confirm=confirm)
        found = {i: self._given(frames[i]) for i in new if frames[i].detections is not None}
        if self._detector is not None:
            found |= self._detected(self._detector, [i for i in new if i not in found], frames, states, interval_factor)
        for i, state in enumerate(states):
            if i in found:
                state.schedule.started()
                events[i] += state.detected(found[i], state.stamp_ns, confirm=confirm)
            elif confirm and state.stamp_ns - state.schedule.detected_ns > _MAX_UNCONFIRMED_NS:
                events[i] += state.tracker.associate([], state.stamp_ns, confirm=True)
        return events

    @property
    def _detectors(self) -> set[Detector]:
        return {detector for detector in (self._detector, self._background_detector) if detector is not None}

    def _detected(
        self,
        detector: Detector,
        indices: Sequence[int],
        frames: Sequence[Frame],
        states: Sequence[CameraState],
        interval_factor: int,
    ) -> dict[int, list[Box]]:
        """Boxes by index of the frames that are due, except those whose detection can run in the background."""
        every, now = self._options.detection_interval, []
        for i in indices:
            if not states[i].due(every, interval_factor) or states[i].background is not None:
                continue
            if states[i].can_detect_in_background(every):
                states[i].background = self._start_background(frames[i])
                states[i].schedule.started()
            else:
                now.append(i)
        return dict(zip(now, detector.detect([frames[i].image for i in now]), strict=True)) if now else {}

    def _start_background(self, frame: Frame) -> BackgroundDetection:
        """Start a detection on a copy, since the caller may reuse the image's memory."""
        assert self._background_detector is not None
        detect, image = self._background_detector.detect, frame.image.copy()
        return BackgroundDetection(frame.stamp_ns, self._background.submit(lambda: detect([image])[0]))

    def _given(self, frame: Frame) -> list[Box]:
        height, width = frame.image.shape[:2]
        boxes = clean_boxes(frame.detections or (), width, height)
        return [box for box in boxes if box.score >= self._options.detection_threshold]
