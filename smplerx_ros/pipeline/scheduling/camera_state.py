"""State of one camera: its tracks, times, detection schedule and warnings."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.depth import DepthReading
from smplerx_ros.pipeline.localization.depth_monitor import DepthMonitor
from smplerx_ros.pipeline.tracking.events import TrackEvent, TrackEventKind
from smplerx_ros.pipeline.tracking.tracker import Tracker

from .detection_schedule import SEARCH_INTERVAL, DetectionSchedule
from .image_interval import ImageInterval

# Maximum age of detections of an earlier frame; people do not leave their boxes faster.
_MAX_DETECTION_AGE_NS = 200_000_000
# Stamps between a background detection's start and its use: constant, so that results do not depend on the machine.
_BACKGROUND_DELAY_NS = 90_000_000

NO_STAMP, UNUSED_DEPTH = "no_stamp", "unused_depth"  # keys of warnings
_NO_STAMP_TEXT = "images have no time (stamp 0): nobody is smoothed, velocities are NaN; give each image its own stamp"


@dataclass(frozen=True)
class BackgroundDetection:
    """A detection in the frame of `stamp_ns` that runs in the background."""

    stamp_ns: int
    boxes: Future[list[Box]]


@dataclass(eq=False)
class CameraState:
    """What is known of one camera and its people."""

    tracker: Tracker
    size: tuple[int, ...] = ()  # height and width of its images; tracks are in their pixels
    camera: Camera | None = None  # of the last frame, given or assumed; None: no frame yet
    schedule: DetectionSchedule = field(default_factory=DetectionSchedule)
    stamp_ns: int = 0  # last stamp; 0: none yet
    interval_ns: int = 0  # between the last two frames; 0: unknown
    interval: ImageInterval = field(default_factory=ImageInterval)
    unstamped: int = 0  # consecutive frames without a stamp
    depth_monitor: DepthMonitor = field(default_factory=DepthMonitor)
    warnings: dict[str, str] = field(default_factory=dict)  # of the current frame, by key
    logged: set[str] = field(default_factory=set)  # keys of warnings that were logged
    background: BackgroundDetection | None = None  # in an earlier frame
    estimated: frozenset[str] = frozenset()  # ids of the people estimated in the last frame
    size_at_1m: dict[str, float] = field(default_factory=dict)  # apparent sizes at 1 m in pixels, by id

    def begin(self, stamp_ns: int) -> None:
        """Begin a frame. An equal stamp means the same frame; time stands still for frames without a stamp (0)."""
        self.unstamped = 0 if stamp_ns else self.unstamped + 1
        if self.unstamped:
            self.interval_ns = 0
        elif stamp_ns != self.stamp_ns:
            self.interval_ns = stamp_ns - self.stamp_ns if self.stamp_ns else 0
            self.stamp_ns = stamp_ns
        if stamp_ns:
            self.interval.seen(stamp_ns)
        self.warnings = {NO_STAMP: _NO_STAMP_TEXT} if self.unstamped > 1 or (self.unstamped and self.stamp_ns) else {}

    def update_camera(self, camera: Camera) -> tuple[TrackEvent, ...]:
        """Set the current frame's camera; returns events of the tracks that a changed calibration rescales."""
        changed = self.camera is not None and not camera.sees_like(self.camera)
        self.camera = camera
        if not changed:
            return ()
        self.size_at_1m.clear()
        return tuple(TrackEvent(identity, TrackEventKind.RESCALED) for identity in self.tracker.ids)

    def check_depth(self, readings: Sequence[DepthReading]) -> None:
        """Add a warning if the camera's depth images are unusable, given the current frame's readings."""
        problem = self.depth_monitor.problem(self.stamp_ns, readings)
        if problem:
            self.warnings[UNUSED_DEPTH] = problem

    def seconds_since(self, stamp_ns: int) -> float:
        """Time from `stamp_ns` to the current frame; NaN if it has no stamp."""
        return float("nan") if self.unstamped else (self.stamp_ns - stamp_ns) * 1e-9

    def due(self, detection_interval: int, interval_factor: int) -> bool:
        """Whether a detection is due in the current frame; called once per frame."""
        every = min(SEARCH_INTERVAL, detection_interval) if self.tracker.needs_detection else detection_interval
        return self.schedule.due(self.stamp_ns, every if self.tracker.active else 1, interval_factor=interval_factor)

    @property
    def undetected(self) -> bool:
        """Whether the current frame has no detections yet, running or done; frames without a stamp never have."""
        times = self.schedule.detected_ns, self.background and self.background.stamp_ns
        return bool(self.unstamped) or self.stamp_ns not in times

    def can_detect_in_background(self, detection_interval: int) -> bool:
        """Whether detections may come a few frames late, because no track needs them now."""
        return detection_interval > 1 and self._all_known and 0 < self.interval_ns <= _MAX_DETECTION_AGE_NS

    @property
    def _all_known(self) -> bool:
        return bool(self.tracker.active) and not self.tracker.needs_detection

    def take_background_detection(self) -> BackgroundDetection | None:
        """Take the background detection whose boxes are to be used now; None if there is none.

        It is discarded if it is too old, if a track needs a detection of the current frame, or if time is unknown.
        """
        detection = self.background
        if detection is None:
            return None
        age_ns, known = self.stamp_ns - detection.stamp_ns, self._all_known and not self.unstamped
        if known and age_ns < _BACKGROUND_DELAY_NS:
            return None
        self.background = None
        if known and age_ns <= _MAX_DETECTION_AGE_NS:
            return detection
        self.schedule.request()
        return None

    def detected(self, boxes: Sequence[Box], stamp_ns: int, *, confirm: bool) -> tuple[TrackEvent, ...]:
        """Associate the boxes of the frame of `stamp_ns`, the current or an earlier one, with tracks."""
        events = self.tracker.associate(boxes, stamp_ns, confirm=confirm)
        self.schedule.detected(stamp_ns)
        return events
