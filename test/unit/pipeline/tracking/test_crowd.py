"""Identities in a synthetic crowd, through the estimator, against what is known; benchmarks/crowd.py has more of it."""

from __future__ import annotations

import numpy as np
import pytest

from smplerx_ros.pipeline.tracking.tracker import MAX_AGE
from support.bodies import standin
from support.crowd import VISIBLE, Crowd, make_crowd
from support.crowd_tracking import NOISY, TRUE, Noise, follow, identity_scores

BODY = standin()
PEOPLE = (2, 5)
MARKS = pytest.mark.parametrize(("noise", "least"), [(TRUE, 0.95), (NOISY, 0.85)], ids=["true", "noisy"])


@pytest.fixture(scope="module")
def crowds() -> list[Crowd]:
    return [make_crowd(BODY, people, 8.0, seed=1) for people in PEOPLE]


def idf1(crowd: Crowd, noise: Noise, every: int) -> float:
    answers = follow(crowd, BODY, noise, seed=1, detection_interval=every)
    published = [[(person.id, person.box) for person in people] for people in answers]
    return identity_scores(crowd, published, MAX_AGE)["idf1"]


def test_people_of_the_crowd_hide_leave_and_come_back(crowds):
    visible = np.array([[person.visible for person in frame] for frame in crowds[1].frames])
    assert (visible >= VISIBLE).any(axis=0).all()
    assert ((visible < VISIBLE).any(axis=0)).sum() >= 3
    names = {name for row in crowds[1].identities(MAX_AGE) for name in row.values()}
    assert len(names) > PEOPLE[1]


@pytest.mark.parametrize("every", [1, 10])
@MARKS
def test_identities_are_kept(crowds, noise, least, every):
    for crowd in crowds:
        assert idf1(crowd, noise, every) >= least


def test_twelve_people_with_true_boxes_keep_their_identities():
    assert idf1(make_crowd(BODY, 12, 6.0, seed=1), TRUE, 1) >= 0.95


@pytest.mark.slow
@MARKS
def test_identities_are_kept_on_average_in_larger_crowds(noise, least):
    crowds = [make_crowd(BODY, people, 15.0, seed=101) for people in (4, 6, 8, 10)]
    assert np.mean([idf1(crowd, noise, every) for crowd in crowds for every in (1, 10)]) >= least


def test_the_same_crowd_gives_the_same_ids_and_numbers(crowds):
    first, second = (follow(crowds[0], BODY, NOISY, seed=1, detection_interval=3) for _ in range(2))
    assert [[p.id for p in row] for row in first] == [[p.id for p in row] for row in second]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal([p.joints for p in a], [p.joints for p in b])


def test_the_score_falls_with_ids_that_change():
    crowd = make_crowd(BODY, 2, 2.0, seed=1)
    published = [[(f"p{k}", person.box) for person in crowd.seen(k)[:1]] for k in range(len(crowd.frames))]
    assert identity_scores(crowd, published, MAX_AGE)["idf1"] < 0.1
