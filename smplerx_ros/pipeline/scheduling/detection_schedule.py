"""When to detect: at regular intervals, and at once if a track becomes doubtful."""

from __future__ import annotations

from collections.abc import Collection
from math import isnan

MAX_UNDETECTED_NS = 500_000_000  # at low frame rates, people move far between frames
SEARCH_INTERVAL = 3  # frames between detections while a track is lost
MIN_CONFIDENCE_RATIO = 0.7  # of the usual confidence, below which a track is doubtful
AVERAGE_WEIGHT = 0.1  # weight of a new value in the exponential average: a time constant of about ten frames


class DetectionSchedule:
    """Detection schedule of one camera."""

    def __init__(self) -> None:
        self._frames = 0  # since the last detection
        self._requested = True
        self.detected_ns = 0

    def due(self, stamp_ns: int, every: int, *, interval_factor: int = 1) -> bool:
        """Whether to detect in this frame; called once per frame.

        Args:
            stamp_ns: The frame's stamp.
            every: Number of frames between detections, unless one was requested or the last is half a second ago.
            interval_factor: Factor on all intervals, to save time.
        """
        self._frames += 1
        late = stamp_ns - self.detected_ns > MAX_UNDETECTED_NS * interval_factor
        return self._frames >= (1 if self._requested else every) * interval_factor or late

    def started(self) -> None:
        """Note that a detection has started."""
        self._frames, self._requested = 0, False

    def detected(self, stamp_ns: int) -> None:
        """Note that the boxes of the frame of `stamp_ns` are available."""
        self._requested, self.detected_ns = False, stamp_ns

    def request(self) -> None:
        """Request a detection in the next frame."""
        self._requested = True


class ConfidenceMonitor:
    """Detects drops of a person's confidence, which indicate that the box is drifting off the person.

    Averages over frames, not seconds: at less than two frames per second, each frame is searched anyway.
    """

    def __init__(self) -> None:
        self._averages: dict[str, float] = {}

    def has_dropped(self, person: str, confidence: float) -> bool:
        """Whether the confidence is far below the person's average, which then restarts; False for NaN (unknown)."""
        if isnan(confidence):
            return False
        average = self._averages.get(person, confidence)
        dropped = confidence < MIN_CONFIDENCE_RATIO * average
        self._averages[person] = confidence if dropped else average + AVERAGE_WEIGHT * (confidence - average)
        return dropped

    def forget(self, people: Collection[str]) -> None:
        """Drop the averages of these people."""
        for person in people:
            self._averages.pop(person, None)

    def clear(self) -> None:
        """Drop all averages."""
        self._averages.clear()
