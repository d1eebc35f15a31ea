"""When people are looked for: by frames, by time, and when somebody becomes doubtful."""

from __future__ import annotations

import math

import pytest

from smplerx_ros.pipeline.scheduling.detection import ConfidenceWatch, DetectionSchedule

FRAME_NS = 33_000_000


def detections(frames: int, every: int, *, spared: int = 1, frame_ns: int = FRAME_NS, soon: int | None = None):
    """Numbers of the frames in which a schedule detects; before frame `soon` it is asked to."""
    schedule, found = DetectionSchedule(), []
    for k in range(frames):
        if k == soon:
            schedule.soon()
        if schedule.due(k * frame_ns, every, spared=spared):
            schedule.begun()
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


@pytest.mark.parametrize("spared", [2, 3])
def test_sparing_makes_all_of_it_more_seldom(spared):
    assert detections(40, 5, spared=spared) == list(range(spared - 1, 40, 5 * spared))
    assert detections(40, 1, spared=spared) == list(range(spared - 1, 40, spared))


def test_nothing_is_spared_unless_asked_for():
    assert DetectionSchedule().due(0, 5)


def test_a_detection_that_takes_a_while_is_not_begun_again():
    schedule = DetectionSchedule()
    begun = []
    for k in range(8):
        if schedule.due(k * FRAME_NS, 5):
            schedule.begun()  # and its boxes are not there before the end
            begun.append(k)
    assert begun == [0, 5]


def test_a_fall_of_confidence_is_noticed_once():
    watch = ConfidenceWatch()
    assert not any(watch.falls("p1", value) for value in (0.9, 0.8, 0.9, 0.85))
    assert watch.falls("p1", 0.5)
    assert not watch.falls("p1", 0.5)
    assert watch.falls("p1", 0.2)


def test_a_fall_within_a_few_frames_is_noticed():
    watch = ConfidenceWatch()
    assert [watch.falls("p1", value) for value in (0.9, 0.75, 0.6)] == [False, False, True]


def test_an_unknown_confidence_says_nothing():
    watch = ConfidenceWatch()
    assert [watch.falls("p1", value) for value in (math.nan, 0.9, math.nan, 0.5)] == [False, False, False, True]


def test_slow_change_is_no_fall_and_people_are_told_apart():
    watch = ConfidenceWatch()
    assert not any(watch.falls("p1", 0.9 - 0.005 * k) for k in range(120))
    assert not watch.falls("p2", 0.3)
    watch.forget(["p2", "p9"])
    assert not watch.falls("p2", 0.1)
