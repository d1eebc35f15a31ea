"""Detections against the people of the truth, and AGORA's normalised errors."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from smplerx_ros.research.evaluation.matching import f1_normalized, f1_score, match_people


def person(x: float, y: float = 0.0, size: float = 100.0) -> np.ndarray:
    """Five joints of a person in pixels."""
    return np.array([[0, 0], [1, 0], [0.5, 1], [0, 2], [1, 2]]) * size + [x, y]


def test_people_are_matched_whatever_their_order() -> None:
    truth = np.array([person(0), person(300), person(600)])
    for order in permutations(range(3)):
        pairs = match_people(truth[list(order)] + 4, truth)
        assert sorted(pairs) == sorted((k, true) for k, true in enumerate(order))


def test_the_closest_pair_wins_and_each_is_used_once() -> None:
    truth = np.array([person(0)])
    assert match_people(np.array([person(30), person(5), person(-20)]), truth) == [(1, 0)]


def test_a_detection_elsewhere_is_no_match() -> None:
    assert match_people(np.array([person(900)]), np.array([person(0)])) == []
    assert match_people(np.array([person(95)]), np.array([person(0)])) == []  # boxes overlap by 2 percent


def test_hidden_joints_do_not_decide() -> None:
    truth = np.array([person(0)])
    wild = truth.copy()
    wild[0, 4] = 1e6
    valid = np.array([[True, True, True, True, False]])
    assert match_people(wild, truth, valid) == [(0, 0)]
    assert match_people(wild, truth) == []
    assert match_people(wild, truth, np.zeros((1, 5), bool)) == []


def test_nobody_and_no_numbers() -> None:
    truth = np.array([person(0)])
    assert match_people(np.zeros((0, 5, 2)), truth) == []
    assert match_people(truth, np.zeros((0, 5, 2))) == []
    assert match_people(np.full((1, 5, 2), np.nan), truth) == []


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    precision, recall = 6 / 8, 6 / 10
    assert f1_score(6, 8, 10) == pytest.approx(2 * precision * recall / (precision + recall))
    assert f1_score(5, 5, 5) == 1
    assert f1_score(0, 3, 2) == 0
    assert np.isnan(f1_score(0, 0, 0))


def test_missed_people_raise_the_error() -> None:
    assert f1_normalized(80.0, 0.8) == pytest.approx(100)
    assert f1_normalized(80.0, 1.0) == 80
    assert f1_normalized(80.0, 0.0) == float("inf")
