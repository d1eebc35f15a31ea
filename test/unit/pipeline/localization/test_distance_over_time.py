"""Distances from frame to frame: depth that comes and goes moves nobody, and size and distance go together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from smplerx_ros.config.options import Options
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.pipeline.localization.distance import Distances
from smplerx_ros.types import BodyEstimate, DistanceSource, Estimated, Frame, Observation, Person, SmplxParams
from support.bodies import standin

BODY = standin()
CAMERA = Camera(640, 480, np.array([[460.0, 0, 320], [0, 460.0, 240], [0, 0, 1]]))
IMAGE = np.zeros((480, 640, 3), np.uint8)
SECOND = 1_000_000_000
RATE = 30
START, VELOCITY = np.array([-0.8, 0.1, 3.6]), np.array([0.3, 0.0, -0.3])  # as the image alone has them
SECONDS = 3.0
BOXES = (Box(150, 100, 370, 360, 0.9),)  # with the first image; then the body tells where the person is


class Walker:
    """Somebody whom the backbone takes for 1.65 m tall, arms spread, and who walks past, or stands."""

    name, runtime, confirms_people = "walker", "none", True

    def __init__(self, *, walks: bool = True) -> None:
        self._walks = walks

    def estimate(self, observations: list[Observation]) -> list[BodyEstimate]:
        return [self._body(o.frame.stamp_ns) for o in observations]

    def _body(self, stamp_ns: int) -> BodyEstimate:
        params = replace(SmplxParams.rest(), global_orient=[np.pi, 0, 0], estimated=Estimated.TRANSL)
        transl = at(stamp_ns if self._walks else SECOND) - BODY.rest_joints(params.betas)[0, 0]
        return BodyEstimate(0.9, replace(params, transl=transl), np.ones(55))

    def forget(self, ids: object) -> None:
        pass

    def reset(self) -> None:
        pass


def at(stamp_ns: int) -> NDArray[np.float64]:
    return START + VELOCITY * (stamp_ns / SECOND)


def pelvis_depth(stamp_ns: int) -> float:
    """What a depth camera measures where the image says `at`: the skin is nearer than the pelvis."""
    return float(at(stamp_ns)[2]) - 0.1


@dataclass(frozen=True)
class Run:
    people: list[Person]  # one an image
    stamps: list[int]

    def true(self, factor: float) -> NDArray[np.float64]:
        return factor * np.array([at(stamp) for stamp in self.stamps])


@cache
def run(factor: float, has_depth: Callable[[int], bool], *, smoothing: bool = True, rate: int = RATE) -> Run:
    """The walker is in truth `factor` times as far and as tall, as images with depth show."""
    options = Options(smoothing_enabled=smoothing)
    estimator = Estimator(Walker(), None, BODY, options)
    people, stamps = [], [SECOND + round(k * SECOND / rate) for k in range(round(SECONDS * rate))]
    for k, stamp in enumerate(stamps):
        depth = np.full(IMAGE.shape[:2], factor * pelvis_depth(stamp), np.float32) if has_depth(k) else None
        (person,) = estimator.estimate(Frame(IMAGE, CAMERA, stamp, depth=depth, detections=None if k else BOXES))
        assert (person.distance_source is DistanceSource.DEPTH) == has_depth(k)
        people.append(person)
    return Run(people, stamps)


def never(k: int) -> bool:
    return False


SCHEDULES: dict[str, Callable[[int], bool]] = {
    "always": lambda k: True,
    "later": lambda k: k >= 40,
    "at first": lambda k: k < 40,
    "every second": lambda k: k % 2 == 0,
    "every tenth": lambda k: k % 10 == 3,
    "a second each": lambda k: k // RATE % 2 == 1,
    "by chance": lambda k: bool(np.random.default_rng(k).random() < 0.5),
}


@pytest.mark.parametrize("smoothing", [True, False])
@pytest.mark.parametrize("factor", [0.75, 1.2])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_depth_that_comes_and_goes_neither_moves_people_nor_changes_their_picture(
    schedule: str, factor: float, smoothing: bool
) -> None:
    has_depth = SCHEDULES[schedule]
    seen, alone = (run(factor, s, smoothing=smoothing) for s in (has_depth, never))
    assert {person.id for person in seen.people} == {"p1"}
    first = next(k for k in range(len(seen.people)) if has_depth(k))
    for k, (person, image, true) in enumerate(zip(seen.people, alone.people, seen.true(factor), strict=True)):
        assert person.box.height == pytest.approx(image.box.height, rel=0.06)
        assert np.linalg.norm(person.joints_image - image.joints_image, axis=1)[:22].max() < 0.04 * image.box.height
        if k >= first:
            assert np.linalg.norm(person.joints[0]) == pytest.approx(np.linalg.norm(true), rel=0.04)
        if k == first > 0:
            assert np.isnan(person.root_velocity).all()
        speed = np.linalg.norm(person.root_velocity - (factor if k > first else 1.0) * VELOCITY)
        assert k in (0, first) or speed < 0.4


def test_another_size_is_believed_when_it_is_seen_twice() -> None:
    """Depth remembers the last size that was seen, not the first; forgotten people have none."""
    distances = Distances(BODY)
    walker = Walker()

    def placed(factor: float | None) -> float:
        depth = None if factor is None else np.full(IMAGE.shape[:2], factor * pelvis_depth(SECOND), np.float32)
        observation = Observation(Frame(IMAGE, CAMERA, SECOND, depth=depth), "p1", Box(0, 0, 9, 9))
        (estimate,) = distances.localize([observation], walker.estimate([observation]))
        assert estimate is not None
        return float(np.linalg.norm(BODY.joints(estimate.params)[0, 0]) / np.linalg.norm(at(SECOND)))

    assert placed(None) == pytest.approx(1.0)
    for before, factor in ((1.2, 1.2), (1.2, 0.8), (0.8, 1.1)):
        assert placed(factor) == pytest.approx(before, rel=0.02)
        assert placed(None) == pytest.approx(before, rel=0.02)
        assert placed(factor) == pytest.approx(factor, rel=0.02)
        assert placed(None) == pytest.approx(factor, rel=0.02)
    distances.forget(["p1", "nobody"])
    assert placed(None) == pytest.approx(1.0)


@pytest.mark.parametrize("has_depth", [True, False])
def test_the_right_camera_of_a_stereo_pair_sees_the_same_picture_too(has_depth: bool) -> None:
    """Its rays begin beside the origin of its frame."""
    camera = replace(CAMERA, centre=np.array([0.5, 0.0, 0.0]))
    distances, walker = Distances(BODY), Walker()
    for with_depth in (True, has_depth):
        depth = np.full(IMAGE.shape[:2], 0.75 * pelvis_depth(SECOND), np.float32) if with_depth else None
        observation = Observation(Frame(IMAGE, camera, SECOND, depth=depth), "p1", Box(0, 0, 9, 9))
        (before,) = walker.estimate([observation])
        (after,) = distances.localize([observation], [before])
    assert after is not None
    joints = [BODY.joints(estimate.params)[0, :22] for estimate in (before, after)]
    assert joints[1][0, 2] == pytest.approx(0.75 * joints[0][0, 2], rel=0.02)
    np.testing.assert_allclose(camera.project(joints[1]), camera.project(joints[0]), atol=10)
    np.testing.assert_allclose(camera.project(joints[1])[0], camera.project(joints[0])[0], atol=0.1)


def still(factors: list[float], *, smoothing: bool = True) -> list[Person]:
    """Somebody who stands, while depth puts them so many times as far as the image, from image to image."""
    options = Options(smoothing_enabled=smoothing)
    estimator = Estimator(Walker(walks=False), None, BODY, options)
    people = []
    for k, factor in enumerate(factors):
        depth = np.full(IMAGE.shape[:2], factor * pelvis_depth(SECOND), np.float32)
        stamp = SECOND + k * SECOND // RATE
        people += estimator.estimate(Frame(IMAGE, CAMERA, stamp, depth=depth, detections=None if k else BOXES))
    return people


def test_distance_and_size_go_through_one_filter() -> None:
    """Depth that is off for a while, by what stands before a person: nearer is smaller, in every image."""
    noise = np.random.default_rng(0).normal(0, 0.02, 150)
    people = still((1 + 0.15 * np.sin(np.arange(150) / 10) + noise).tolist())
    scales = [[p.joints[0, 2], BODY.stature(p.params.betas)[0], p.box.height] for p in people]
    distance, stature, height = np.array(scales).T
    assert np.ptp(distance) > 0.15 * distance.mean()
    np.testing.assert_allclose(distance / distance.mean(), stature / stature.mean(), rtol=0.03)
    assert np.ptp(height) < 0.05 * height.mean()


def test_another_size_moves_nobody() -> None:
    """Somebody passes before the person: distances jump, and nobody has a speed of metres a second."""
    changes = {30: 0.85, 40: 1.0, 70: 0.8, 100: 1.1}
    factors, factor = [], 1.0
    for k in range(120):
        factor = changes.get(k, factor)
        factors.append(factor)
    people = still(factors)
    assert {person.id for person in people} == {"p1"}
    believed = [*factors[:1], *factors[:-1]]  # from the second image that shows it
    changes = {k + 1: factor for k, factor in changes.items()}
    for k, (person, true) in enumerate(zip(people, believed, strict=True)):
        assert person.joints[0, 2] == pytest.approx(true * at(SECOND)[2], rel=0.03)
        assert person.box.height == pytest.approx(people[0].box.height, rel=0.05)
        assert np.isnan(person.root_velocity).all() == (k in {0, *changes})
        assert np.isnan(person.root_velocity).all() or np.linalg.norm(person.root_velocity) < 0.05


@pytest.mark.parametrize("smoothing", [True, False])
@pytest.mark.parametrize(
    "wrong", [lambda k: 1.4 if k % 10 == 5 else 1.0, lambda k: 1.2 if k % 2 else 1.0, lambda k: (1.0, 1.5, 0.6)[k % 3]]
)
def test_outliers_of_depth_move_nobody(wrong: Callable[[int], float], smoothing: bool) -> None:
    """One image in ten, every second one, and two of three that do not agree: the known size holds on."""
    factors = [wrong(k) for k in range(60)]
    people = still(factors, smoothing=smoothing)
    assert {person.id for person in people} == {"p1"}
    for k, (person, factor) in enumerate(zip(people, factors, strict=True)):
        assert person.joints[0, 2] == pytest.approx(at(SECOND)[2], rel=0.03)
        assert person.distance_source is (DistanceSource.DEPTH if factor == 1.0 else DistanceSource.MEASURED_STATURE)
        assert k == 0 or np.linalg.norm(person.root_velocity) < 0.05
        assert np.sqrt(person.pose_covariance[2, 2]) > (0.1 if factor != 1.0 else 0.0)
