"""When people are looked for: by frames, by time, and when somebody becomes doubtful."""

from __future__ import annotations

import math

import pytest

from smplerx_ros.pipeline.scheduling.detection_schedule import ConfidenceMonitor, DetectionSchedule

FRAME_NS = 33_000_000


def detections(frames: int, every: int, *, factor: int = 1, frame_ns: int = FRAME_NS, soon: int | None = None):
    """Numbers of the frames in which a schedule detects; before frame `soon` it is asked to."""
    schedule, found = DetectionSchedule(), []
    for k in range(frames):
        if k == soon:
            schedule.request()
        if schedule.due(k * frame_ns, every, interval_factor=factor):
            schedule.started()
            schedule.detected(k * frame_ns)
            found.append(k)
    return found


def test_the_first_frame_and_every_nth_after_it():
    assert detections(12, 5) == [0, 5, 10]
    assert detections(3, 1) == [0, 1, 2]


def test_rare_frames_are_not_kept_waiting():
    assert detections(4, 10, frame_ns=600_000_000) == [0, 1, 2, 3]


def test_at_once_when_asked():
    assert detections(12, 10, soon=4) == [0, 4]


@pytest.mark.parametrize("factor", [2, 3])
def test_sparing_makes_all_of_it_more_seldom(factor):
    assert detections(40, 5, factor=factor) == list(range(factor - 1, 40, 5 * factor))
    assert detections(40, 1, factor=factor) == list(range(factor - 1, 40, factor))


def test_nothing_is_spared_unless_asked_for():
    assert DetectionSchedule().due(0, 5)


def test_a_detection_that_takes_a_while_is_not_begun_again():
    schedule = DetectionSchedule()
    begun = []
    for k in range(8):
        if schedule.due(k * FRAME_NS, 5):
            schedule.started()  # and its boxes are not there before the end
            begun.append(k)
    assert begun == [0, 5]


def test_a_fall_of_confidence_is_noticed_once():
    watch = ConfidenceMonitor()
    assert not any(watch.has_dropped("p1", value) for value in (0.9, 0.8, 0.9, 0.85))
    assert watch.has_dropped("p1", 0.5)
    assert not watch.has_dropped("p1", 0.5)
    assert watch.has_dropped("p1", 0.2)


def test_a_fall_within_a_few_frames_is_noticed():
    watch = ConfidenceMonitor()
    assert [watch.has_dropped("p1", value) for value in (0.9, 0.75, 0.6)] == [False, False, True]


def test_an_unknown_confidence_says_nothing():
    watch = ConfidenceMonitor()
    assert [watch.has_dropped("p1", value) for value in (math.nan, 0.9, math.nan, 0.5)] == [False, False, False, True]


def test_slow_change_is_no_fall_and_people_are_told_apart():
    watch = ConfidenceMonitor()
    assert not any(watch.has_dropped("p1", 0.9 - 0.005 * k) for k in range(120))
    assert not watch.has_dropped("p2", 0.3)
    watch.forget(["p2", "p9"])
    assert not watch.has_dropped("p2", 0.1)
