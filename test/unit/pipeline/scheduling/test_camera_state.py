"""One camera's time, warnings and detections; its tracker is told, and what it is asked is kept."""

from __future__ import annotations

from concurrent.futures import Future
from math import isnan
from types import SimpleNamespace
from typing import Any

import pytest

from smplerx_ros.geometry.boxes import Box
from smplerx_ros.pipeline.scheduling.camera_state import NO_STAMP, UNUSED_DEPTH, BackgroundDetection, CameraState
from smplerx_ros.pipeline.scheduling.detection_schedule import SEARCH_INTERVAL

FRAME = 33_000_000
DELAY, MAX_AGE = 90_000_000, 200_000_000  # ns: of background detections


class Tracker:
    """Has people or not, and needs a detection or not."""

    def __init__(self, *, active: bool = True, needs_detection: bool = False) -> None:
        self.active, self.needs_detection = ["p1"] if active else [], needs_detection
        self.associated: list[Any] = []

    def associate(self, boxes: Any, stamp_ns: int, *, confirm: bool = False) -> tuple[str, ...]:
        self.associated.append((boxes, stamp_ns, confirm))
        return ("event",)


def camera(**tracker: bool) -> CameraState:
    return CameraState(Tracker(**tracker))  # type: ignore[arg-type]


def with_background(stamp_ns: int, **tracker: bool) -> CameraState:
    """A camera without a request, one of whose frames is being searched."""
    state = camera(**tracker)
    state.schedule.started()
    boxes: Future[list[Box]] = Future()
    state.background = BackgroundDetection(stamp_ns, boxes)
    return state


def is_requested(state: CameraState) -> bool:
    """Whether the next frame is searched, long before its turn."""
    return state.schedule.due(state.schedule.detected_ns + 1, 1000)


def test_intervals_are_those_between_stamps() -> None:
    state = camera()
    intervals = []
    for stamp in (5 * FRAME, 6 * FRAME, 6 * FRAME, 8 * FRAME, 0, 9 * FRAME):
        state.begin(stamp)
        intervals.append(state.interval_ns)
    assert intervals == [0, FRAME, FRAME, 2 * FRAME, 0, FRAME]


def test_a_second_frame_without_a_stamp_warns_and_one_after_stamps_at_once() -> None:
    state = camera()
    warned = []
    for stamp in (0, 0, 0, FRAME, 0, 2 * FRAME):
        state.begin(stamp)
        warned.append(NO_STAMP in state.warnings)
    assert warned == [False, True, True, False, True, False]


def test_seconds_are_unknown_without_a_stamp() -> None:
    state = camera()
    state.begin(3_000_000_000)
    assert state.seconds_since(1_000_000_000) == pytest.approx(2)
    state.begin(0)
    assert isnan(state.seconds_since(1_000_000_000))


def test_the_depth_monitor_gets_the_readings_and_its_problem_is_a_warning() -> None:
    state, readings, asked = camera(), (object(),), []

    def problem(*given: Any) -> str:
        asked.append(given)
        return "millimetres"

    state.depth_monitor = SimpleNamespace(problem=problem)  # type: ignore[assignment]
    state.begin(FRAME)
    state.check_depth(readings)  # type: ignore[arg-type]
    assert asked == [(FRAME, readings)]
    assert state.warnings[UNUSED_DEPTH] == "millimetres"


@pytest.mark.parametrize(
    ("tracker", "interval", "every"),
    [
        ({"active": True, "needs_detection": False}, 4 * SEARCH_INTERVAL, 4 * SEARCH_INTERVAL),
        ({"active": True, "needs_detection": True}, 4 * SEARCH_INTERVAL, SEARCH_INTERVAL),
        ({"active": True, "needs_detection": True}, SEARCH_INTERVAL - 1, SEARCH_INTERVAL - 1),
        ({"active": False, "needs_detection": False}, 4 * SEARCH_INTERVAL, 1),
    ],
)
@pytest.mark.parametrize("factor", [1, 2])
def test_a_detection_is_due_after_the_interval_that_the_tracks_need(
    tracker: dict[str, bool], interval: int, every: int, factor: int
) -> None:
    state = camera(**tracker)
    state.schedule.started()
    state.stamp_ns = 1  # no time passes: frames alone count
    frames = next(k for k in range(1, 1000) if state.due(interval, factor))
    assert frames == every * factor


@pytest.mark.parametrize(("interval_ns", "late"), [(0, False), (1, True), (MAX_AGE, True), (MAX_AGE + 1, False)])
def test_detections_may_be_late_where_frames_follow_closely(interval_ns: int, late: bool) -> None:
    state = camera()
    state.interval_ns = interval_ns
    assert state.can_detect_in_background(2) is late
    assert not state.can_detect_in_background(1)


def test_detections_may_not_be_late_where_a_track_needs_one_or_nobody_is_there() -> None:
    for tracker in ({"needs_detection": True}, {"active": False}):
        state = camera(**tracker)
        state.interval_ns = FRAME
        assert not state.can_detect_in_background(2)


def test_no_background_detection_is_none() -> None:
    assert camera().take_background_detection() is None


@pytest.mark.parametrize(("age", "taken"), [(DELAY - 1, False), (DELAY, True), (MAX_AGE, True)])
def test_a_background_detection_is_used_after_its_delay(age: int, taken: bool) -> None:
    state = with_background(FRAME)
    detection = state.background
    state.begin(FRAME + age)
    assert state.take_background_detection() is (detection if taken else None)
    assert (state.background is None) is taken
    assert not is_requested(state)


@pytest.mark.parametrize(
    ("tracker", "stamp"),
    [
        ({}, FRAME + MAX_AGE + 1),
        ({"needs_detection": True}, 2 * FRAME),
        ({"needs_detection": True}, FRAME + DELAY),
        ({"active": False}, FRAME + DELAY),
        ({}, 0),
    ],
)
def test_a_background_detection_that_does_not_fit_is_dropped_and_another_requested(
    tracker: dict[str, bool], stamp: int
) -> None:
    state = with_background(FRAME, **tracker)
    state.begin(FRAME)
    state.begin(stamp)
    assert state.take_background_detection() is None
    assert state.background is None
    assert is_requested(state)


@pytest.mark.parametrize("confirm", [False, True])
def test_boxes_go_to_the_tracker_with_their_stamp(confirm: bool) -> None:
    state, boxes = camera(), [Box(0, 0, 9, 9)]
    assert state.detected(boxes, FRAME, confirm=confirm) == ("event",)
    assert state.tracker.associated == [(boxes, FRAME, confirm)]  # type: ignore[attr-defined]
    assert state.schedule.detected_ns == FRAME
