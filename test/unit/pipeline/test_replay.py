"""The same frames give the same identities and the same numbers, however long anything takes."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import smplerx_ros
from smplerx_ros.io.video import VideoReader
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.types import PARAM_SIZES, Frame, People

CLIP = Path(smplerx_ros.__file__).parent / "assets" / "demo_walk.mp4"
FRAMES, STEP = 8, 3


@pytest.fixture(scope="module")
def frames():
    with VideoReader(CLIP) as reader:
        seen = list(islice(reader, 0, FRAMES * STEP, STEP))
    return [Frame(frame.image, stamp_ns=1 + round(frame.seconds * 1e9)) for frame in seen]


def replay(frames, **values: object) -> list[People]:
    with Estimator.from_config({"device": "cpu", "detection.interval": 3, **values}) as estimator:
        return [estimator.process([frame])[0] for frame in frames]


def numbers(result: People) -> list[np.ndarray]:
    found = []
    for person in result.people:
        found += [getattr(person.params, name) for name in PARAM_SIZES]
        found += [person.joints, person.joints_image, person.confidence, person.box.xyxy, person.pose_covariance]
        found += [person.root_velocity, person.left_wrist_velocity, person.right_wrist_velocity]
    return found


def test_lite_gives_the_same_bits_twice_however_long_it_takes(frames, monkeypatch):
    first = replay(frames)
    clock = iter(np.random.default_rng(1).uniform(0, 1e6, 10_000))
    monkeypatch.setattr("smplerx_ros.pipeline.estimator.perf_counter", lambda: next(clock))
    second = replay(frames)
    assert sum(len(result.people) for result in first) >= FRAMES - 1
    for one, other in zip(first, second, strict=True):
        assert [person.id for person in one.people] == [person.id for person in other.people]
        for a, b in zip(numbers(one), numbers(other), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_reset_gives_the_same_numbers_under_new_identities(frames):
    runs = []
    with Estimator.from_config({"device": "cpu"}) as estimator:
        for _ in range(2):
            runs.append([estimator.process([frame])[0] for frame in frames[:3]])
            estimator.reset()
    ids = [{person.id for result in run for person in result.people} for run in runs]
    assert ids[0]
    assert not ids[0] & ids[1]
    for one, other in zip(*runs, strict=True):
        for a, b in zip(numbers(one), numbers(other), strict=True):
            np.testing.assert_array_equal(a, b)
