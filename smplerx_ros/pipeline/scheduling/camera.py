"""One camera of the estimator: whom it shows, and when it is looked at for others."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.depth import DepthReading
from smplerx_ros.pipeline.localization.depth_watch import DepthWatch
from smplerx_ros.pipeline.tracking.events import TrackEvent, TrackEventKind
from smplerx_ros.pipeline.tracking.tracker import Tracker

from .detection import SEARCH_EVERY, DetectionSchedule
from .interval import ImageInterval

# Boxes of an earlier frame count as long as it is no older: faster than that, people do not leave their boxes.
_OLDEST_BOXES_NS = 200_000_000
# A detection beside the estimation is left so much time, by the frames' stamps: nobody waits for it, on any machine.
_SEARCH_NS = 90_000_000


NO_STAMP, UNUSED_DEPTH = "no_stamp", "unused_depth"  # names of warnings
_NO_STAMP_TEXT = "images have no time (stamp 0): nobody is smoothed, velocities are NaN; give each image its own stamp"


@dataclass(frozen=True)
class Search:
    """A detection that runs beside the estimation of its frame."""

    stamp_ns: int
    boxes: Future[list[Box]]


@dataclass(eq=False)
class CameraState:
    """One camera: its people, its last stamps, and when the next detection is due."""

    tracker: Tracker
    size: tuple[int, ...] = ()  # height and width of its images: what is known of its people is in their pixels
    camera: Camera | None = None  # of the last frame, as given or assumed
    schedule: DetectionSchedule = field(default_factory=DetectionSchedule)
    stamp_ns: int = 0  # the last one: frames without a stamp have none of their own
    interval_ns: int = 0  # since the frame before
    interval: ImageInterval = field(default_factory=ImageInterval)
    unstamped: int = 0  # frames in a row
    depth_watch: DepthWatch = field(default_factory=DepthWatch)
    warnings: dict[str, str] = field(default_factory=dict)  # of the present frame, by a short name
    logged: set[str] = field(default_factory=set)  # of these names
    search: Search | None = None  # of an earlier frame
    estimated: frozenset[str] = frozenset()  # in the last frame
    at_a_metre: dict[str, float] = field(default_factory=dict)  # pixels, as in `nearest`

    def begin(self, stamp_ns: int) -> None:
        """The next frame; the same stamp again is the same frame, unless it is 0: no stamp. Then time stands still."""
        self.unstamped = 0 if stamp_ns else self.unstamped + 1
        if self.unstamped:
            self.interval_ns = 0
        elif stamp_ns != self.stamp_ns:
            self.interval_ns = stamp_ns - self.stamp_ns if self.stamp_ns else 0
            self.stamp_ns = stamp_ns
        if stamp_ns:
            self.interval.seen(stamp_ns)
        self.warnings = {NO_STAMP: _NO_STAMP_TEXT} if self.unstamped > 1 or (self.unstamped and self.stamp_ns) else {}

    def looks_through(self, camera: Camera) -> tuple[TrackEvent, ...]:
        """Take the present frame's camera in; returns the tracks that another calibration than before rescales."""
        changed = self.camera is not None and not camera.sees_like(self.camera)
        self.camera = camera
        if not changed:
            return ()
        self.at_a_metre.clear()
        return tuple(TrackEvent(identity, TrackEventKind.RESCALED) for identity in self.tracker.known)

    def look_at_depth(self, readings: Sequence[DepthReading]) -> None:
        """What the present frame's depth shows of its people."""
        complaint = self.depth_watch.complaint(self.stamp_ns, readings)
        if complaint:
            self.warnings[UNUSED_DEPTH] = complaint

    def seconds_since(self, stamp_ns: int) -> float:
        """From `stamp_ns` to the present frame; NaN where frames have no time."""
        return float("nan") if self.unstamped else (self.stamp_ns - stamp_ns) * 1e-9

    def due(self, detection_interval: int, spared: int) -> bool:
        """Whether to detect now."""
        every = min(SEARCH_EVERY, detection_interval) if self.tracker.searching else detection_interval
        return self.schedule.due(self.stamp_ns, every if self.tracker.following else 1, spared=spared)

    @property
    def undetected(self) -> bool:
        """Whether neither boxes came nor a search began for the present frame. Frames without time are all new."""
        times = self.schedule.detected_ns, self.search and self.search.stamp_ns
        return bool(self.unstamped) or self.stamp_ns not in times

    def may_wait(self, detection_interval: int) -> bool:
        """Whether boxes are early enough in a later frame: nobody is missing in this one."""
        return detection_interval > 1 and self._all_known and 0 < self.interval_ns <= _OLDEST_BOXES_NS

    @property
    def _all_known(self) -> bool:
        return bool(self.tracker.following) and not self.tracker.searching

    def found_beside(self) -> Search | None:
        """The search that began in an earlier frame; None: there was none, or it may go on, or it is too old by now.

        While somebody is missing, or time is not known, only the present frame will do.
        """
        search = self.search
        if search is None:
            return None
        age_ns, known = self.stamp_ns - search.stamp_ns, self._all_known and not self.unstamped
        if known and age_ns < _SEARCH_NS:
            return None
        self.search = None
        if known and age_ns <= _OLDEST_BOXES_NS:
            return search
        self.schedule.soon()
        return None

    def detected(self, boxes: Sequence[Box], stamp_ns: int, *, confirm: bool) -> tuple[TrackEvent, ...]:
        """Take in the boxes of the present frame, or of an earlier one."""
        events = self.tracker.detected(boxes, stamp_ns, confirm=confirm)
        self.schedule.detected(stamp_ns)
        return events
