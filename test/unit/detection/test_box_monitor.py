"""Boxes from which nobody is taken are told of after some seconds, with what came; an empty place is not, later on."""

from __future__ import annotations

import pytest

from smplerx_ros.detection.box_monitor import REJECTED_AFTER_S, RENAMED_AFTER_S, BoxMonitor
from smplerx_ros.geometry.boxes import Box

PERSON, UNSCORED, SHARE = Box(10, 10, 50, 90, 0.9), Box(10, 10, 50, 90, 0.0), Box(0.1, 0.1, 0.5, 0.9, 0.9)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Detector:
    """Boxes that come ten times a second."""

    def __init__(self, person_class: str = "person") -> None:
        self.clock = Clock()
        self._box_monitor = BoxMonitor(person_class, self.clock)

    def sends(self, classes: dict[str, float], *boxes: Box, seconds: float = 6.0, threshold: float = 0.2) -> str:
        warning = ""
        for _ in range(round(seconds * 10)):
            warning = self._box_monitor.warning(classes, boxes, threshold)
            self.clock.now += 0.1
        return warning


@pytest.mark.parametrize(
    ("person_class", "classes", "words"),
    [
        (
            "person",
            {"0": 0.9},
            ["none is of class 'person' (detection.topic_class)", "'0' (score up to 0.90)", "set detecti"],
        ),
        (
            "Person",
            {"person": 0.8, "dog": 0.4},
            ["class 'Person'", "did you mean 'person'?", "'dog' (score up to 0.40)"],
        ),
        ("person", {"Person": 0.8}, ["class 'person'", "did you mean 'Person'?"]),
        ("0", {"person": 0.8}, ["class '0'", "'person'"]),
        ("person", {"": 1.0}, ["'' (score up to 1.00)"]),
        ("person", {f"c{k}" * 99: 0.5 for k in range(99)}, ["and 89 more"]),
    ],
)
def test_a_class_of_another_name(person_class: str, classes: dict[str, float], words: list[str]) -> None:
    warning = Detector(person_class).sends(classes)
    assert warning.startswith("boxes arrived for 6 s, but none was accepted: ")
    for word in words:
        assert word in warning
    assert len(warning) < 1000


@pytest.mark.parametrize("person_class", ["", "person"])
def test_scores_that_nobody_set(person_class: str) -> None:
    warning = Detector(person_class).sends({"person": 0.0}, UNSCORED)
    assert "no score reaches detection.threshold, 0.2; received: 'person' (score up to 0.00)" in warning
    assert "were the scores left unset?" in warning


def test_boxes_in_shares_of_the_image() -> None:
    assert "boxes must be in pixels, not normalized" in Detector().sends({"person": 0.9}, SHARE)


def test_nothing_is_said_before_some_seconds_or_without_boxes() -> None:
    assert Detector().sends({"0": 0.9}, seconds=REJECTED_AFTER_S - 0.1) == ""
    assert Detector().sends({}, seconds=60) == ""


def test_boxes_that_come_now_and_then_are_not_seconds_of_boxes() -> None:
    detector = Detector()
    for _ in range(20):
        assert detector.sends({"dog": 0.9}, seconds=1) == ""
        assert detector.sends({}, seconds=REJECTED_AFTER_S + 1) == ""


def test_a_detector_that_misses_some_images_is_told_of() -> None:
    detector = Detector()
    for _ in range(5):
        assert detector.sends({"0": 0.9}, seconds=0.5) == ""
        assert detector.sends({}, seconds=0.5) == ""
    assert detector.sends({"0": 0.9}, seconds=0.5) != ""


def test_once_somebody_was_taken_dogs_are_dogs() -> None:
    detector = Detector()
    assert detector.sends({"0": 0.9}) != ""
    assert detector.sends({"person": 0.9}, PERSON, seconds=0.1) == ""
    assert detector.sends({"dog": 0.9}, seconds=60) == ""
    assert detector.sends({"person": 0.1}, Box(1, 1, 9, 9, 0.1), seconds=60) == ""


def test_a_threshold_that_is_raised_above_all_scores() -> None:
    detector = Detector()
    assert detector.sends({"person": 0.9}, PERSON) == ""
    assert "no score reaches detection.threshold, 0.95" in detector.sends({"person": 0.9}, PERSON, threshold=0.95)
    assert detector.sends({"person": 0.9}, PERSON, threshold=0.8) == ""


@pytest.mark.parametrize(
    ("person_class", "classes", "words"),
    [
        ("person", {"0": 0.9, "16": 0.3}, "none is of class 'person' (detection.topic_class); received: '0'"),
        ("person", {"Person": 0.9}, "did you mean 'Person'?"),
        ("person", {"": 1.0}, "none is of class 'person' (detection.topic_class); received: ''"),
    ],
)
def test_a_detector_that_is_replaced_by_one_with_other_classes(
    person_class: str, classes: dict[str, float], words: str
) -> None:
    detector = Detector(person_class)
    assert detector.sends({person_class: 0.9, "dog": 0.5}, PERSON, seconds=600) == ""
    assert detector.sends(classes, seconds=RENAMED_AFTER_S - 1) == ""
    assert words in detector.sends(classes, seconds=2)
    assert detector.sends({person_class: 0.9}, PERSON, seconds=0.1) == ""


@pytest.mark.parametrize("classes", [{"person": 0.0}, {"person": 0.0, "dog": 0.0}, {"0": 0.0}])
def test_scores_that_are_no_longer_set(classes: dict[str, float]) -> None:
    """One score above the threshold proves nothing where all that follow are 0."""
    detector = Detector("")
    assert detector.sends({"person": 0.9}, PERSON, seconds=0.1) == ""
    assert "were the scores left unset?" in detector.sends(classes, UNSCORED)


def test_furniture_is_known_from_people_and_from_other_furniture() -> None:
    detector = Detector()
    assert detector.sends({"person": 0.9, "chair": 0.5}, PERSON, seconds=1) == ""
    assert detector.sends({"chair": 0.5, "sink": 0.4}, seconds=1) == ""
    for thing in ("sink", "chair", "person"):
        assert detector.sends({thing: 0.1}, seconds=300) == ""


def test_dogs_who_look_in_are_not_a_minute_of_dogs() -> None:
    detector = Detector()
    assert detector.sends({"person": 0.9}, PERSON, seconds=1) == ""
    for _ in range(20):
        assert detector.sends({"dog": 0.9}, seconds=10) == ""
        assert detector.sends({}, seconds=REJECTED_AFTER_S + 1) == ""
