"""Which frames are searched by which detector, and what trackers are told of it; time is that of the stamps."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from smplerx_ros.config.options import Options
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.pipeline.scheduling.camera_state import CameraState
from smplerx_ros.pipeline.scheduling.detection_runner import DetectionRunner
from smplerx_ros.types import Frame

FRAME = 33_000_000
PERSON = Box(10, 5, 40, 45, 0.9)
EVERY = 5  # frames between detections


class Detector:
    """Finds one person; notes the grey of the images that it is given, and the threads."""

    threshold = 0.0
    provider = "none"

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[int] = set()

    def detect(self, images: Any) -> list[list[Box]]:
        self.batches.append([int(image[0, 0, 0]) for image in images])
        self.threads.add(threading.get_ident())
        return [[PERSON] for _ in images]


class Tracker:
    """Has a person who needs no detection; notes what it is told."""

    def __init__(self, *, active: bool = True) -> None:
        self.active, self.needs_detection = ["p1"] if active else [], False
        self.told: list[tuple[list[Box], int, bool]] = []

    def associate(self, boxes: Any, stamp_ns: int, *, confirm: bool = False) -> tuple[str, ...]:
        self.told.append((list(boxes), stamp_ns, confirm))
        return (f"event {len(self.told)}",)


def frame(stamp_ns: int, grey: int = 0, detections: tuple[Box, ...] | None = None) -> Frame:
    return Frame(np.full((48, 64, 3), grey, np.uint8), stamp_ns=stamp_ns, detections=detections)


def camera(*, active: bool = True, searched: bool = False) -> CameraState:
    """With people or without; `searched`: no detection is requested."""
    state = CameraState(Tracker(active=active))  # type: ignore[arg-type]
    if searched:
        state.schedule.started()
    return state


def runner(detector: Any, background: Any = None, **options: Any) -> DetectionRunner:
    return DetectionRunner(detector, background, Options(**{"detection_interval": EVERY, **options}))


def run(runner: DetectionRunner, frames: list[Frame], states: list[CameraState], **options: Any) -> list[Any]:
    for one, state in zip(frames, states, strict=True):
        state.begin(one.stamp_ns)
    return runner.run(frames, states, options.pop("interval_factor", 1), confirm=options.pop("confirm", False))


def told(state: CameraState) -> list[tuple[list[Box], int, bool]]:
    return state.tracker.told  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("confirm", [False, True])
def test_new_cameras_are_searched_at_once_in_one_batch(confirm: bool) -> None:
    detector, states = Detector(), [camera(active=False) for _ in range(3)]
    frames = [frame(FRAME, 1), frame(2 * FRAME, 2, detections=()), frame(3 * FRAME, 3)]
    events = run(runner(detector), frames, states, confirm=confirm)
    assert detector.batches == [[1, 3]]  # the second frame brings its detections: nobody
    assert [told(state) for state in states] == [
        [([PERSON], FRAME, confirm)],
        [([], 2 * FRAME, confirm)],
        [([PERSON], 3 * FRAME, confirm)],
    ]
    assert events == [["event 1"]] * 3


@pytest.mark.parametrize("factor", [1, 2])
def test_frames_between_detections_are_not_searched(factor: int) -> None:
    """Frames too far apart for the background: one in EVERY times `factor` is searched while it waits."""
    detector, state = Detector(), camera(searched=True)
    search = runner(detector)
    for k in range(1, 2 * EVERY * factor + 1):
        stamp = 300_000_000 * k
        state.schedule.detected_ns = stamp - 1  # as if boxes had just come: the number of frames alone decides
        run(search, [frame(stamp, k)], [state], interval_factor=factor)
    assert detector.batches == [[EVERY * factor], [2 * EVERY * factor]]


def test_a_frame_that_is_given_again_is_not_searched_again() -> None:
    detector, state = Detector(), camera(active=False)
    search = runner(detector)
    for _ in range(2):
        run(search, [frame(FRAME)], [state])
    assert len(detector.batches) == len(told(state)) == 1


def test_known_people_are_searched_in_the_background_and_used_later() -> None:
    """By the detector for it, on a copy of the image; its boxes come with the stamp of the frame that was searched."""
    now, later, state = Detector(), Detector(), camera(searched=True)
    search = runner(now, later, detection_interval=2)
    images = {k: frame(k * FRAME, k) for k in range(1, 7)}
    events = []
    for one in images.values():
        events += run(search, [one], [state], confirm=True)
        if state.background is not None:
            state.background.boxes.result(10)
        one.image[:] = 99  # its memory is used again
    assert search.close(10)
    assert now.batches == []
    assert later.batches[0] == [2]
    assert later.threads.isdisjoint({threading.get_ident()})
    assert told(state)[0] == ([PERSON], 2 * FRAME, True)
    assert events == [[], [], [], [], ["event 1"], []]  # 90 ms after the frame of stamp 2


def test_a_single_detector_is_never_called_by_two_threads_at_once() -> None:
    class Alone(Detector):
        running = 0

        def detect(self, images: Any) -> list[list[Box]]:
            self.running += 1
            assert self.running == 1
            threading.Event().wait(0.02)
            found = super().detect(images)
            self.running -= 1
            return found

    detector = Alone()
    for background in (None, detector):
        search, state, other = (
            runner(detector, background, detection_interval=2),
            camera(searched=True),
            camera(active=False),
        )
        for k in range(1, 4):
            run(search, [frame(k * FRAME, k)], [state])
        run(search, [frame(k * FRAME, 50)], [other])
        assert state.background is not None
        assert state.background.boxes.result(10) == [PERSON]
        assert search.close(10)


def test_external_detections_below_the_threshold_are_left_out() -> None:
    state = camera(active=False)
    boxes = (PERSON, Box(1, 1, 20, 20, 0.5), Box(2, 2, 30, 30, 0.499))
    run(runner(None, detection_threshold=0.5), [frame(FRAME, detections=boxes)], [state])
    assert [box.score for box in told(state)[0][0]] == [0.9, 0.5]


@pytest.mark.parametrize(
    ("age", "confirm", "lost"), [(2_000_000_000, True, 0), (2_000_000_001, True, 1), (3_000_000_000, False, 0)]
)
def test_without_detections_unconfirmed_people_are_lost_after_two_seconds(age: int, confirm: bool, lost: int) -> None:
    state = camera(searched=True)
    state.schedule.detected(FRAME)
    events = run(runner(None), [frame(FRAME + age)], [state], confirm=confirm)
    assert told(state) == [([], FRAME + age, True)] * lost
    assert events == [["event 1"] * lost]


def test_an_earlier_detection_and_silence_give_the_events_of_both() -> None:
    """Boxes of a frame so long ago that, were they not of the background, everybody would be lost."""
    state = camera(searched=True)
    search = runner(None, Detector())
    state.begin(FRAME)
    state.background = search._start_background(frame(FRAME))
    state.background.boxes.result(10)
    state.schedule.detected_ns = FRAME - 3_000_000_000
    events = run(search, [frame(FRAME + 150_000_000)], [state], confirm=True)
    assert events == [["event 1"]]
    assert told(state) == [([PERSON], FRAME, True)]
    assert search.close(10)


def test_the_threshold_reaches_all_detectors() -> None:
    now, later = Detector(), Detector()
    search = runner(now, later, detection_threshold=0.3)
    assert (now.threshold, later.threshold) == (0.3, 0.3)
    search.update(Options(detection_threshold=0.6))
    assert (now.threshold, later.threshold) == (0.6, 0.6)
    search.warm_up(np.zeros((4, 4, 3), np.uint8))
    assert (now.batches, later.batches) == ([[0]], [[0]])
    assert search.close(10)
