"""Whose velocity is whose: the root's and either wrist's, of the person that they are told of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.config.options import Options
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.types import BodyEstimate, Estimated, Frame, Observation, Person, SmplxParams
from support.bodies import standin

BODY = standin()
IMAGE = np.zeros((480, 640, 3), np.uint8)
SECOND = 1_000_000_000
TURNING = 1.0  # rad/s
WALKING = np.array([0.2, 0.0, 0.0])  # m/s
PARTS = {"root": "pelvis", "left_wrist": "left_wrist", "right_wrist": "right_wrist"}


class OneArm:
    """Everybody walks, and turns one forearm: people with odd numbers the left one, the others the right one."""

    name, runtime, confirms_people = "one arm", "none", True

    def estimate(self, observations: list[Observation]) -> list[BodyEstimate]:
        return [self._body(o) for o in observations]

    def _body(self, observation: Observation) -> BodyEstimate:
        seconds, number = observation.frame.stamp_ns / SECOND, int(observation.id[1:])
        pose = np.zeros((21, 3))
        pose[JOINT_INDEX["left_elbow" if number % 2 else "right_elbow"] - 1, 1] = TURNING * (seconds - 1)
        place = np.array([-1.0 + 1.2 * (number - 1), 0.0, 4.0]) + WALKING * (seconds - 1)
        params = replace(
            SmplxParams.rest(),
            global_orient=[np.pi, 0, 0],
            body_pose=pose.ravel(),
            transl=place,
            estimated=Estimated.TRANSL,
        )
        return BodyEstimate(0.9, params, np.ones(55))

    def forget(self, ids: object) -> None:
        pass

    def reset(self) -> None:
        pass


def seen(smoothing: bool, images: int) -> list[list[Person]]:
    """The people of the images of a third of a second; at first where the backbone has them."""
    options = Options(smoothing_enabled=smoothing)
    estimator = Estimator(OneArm(), None, BODY, options)
    boxes = tuple(Box(x, 130, x + 130, 350, 0.9) for x in (85, 251))
    frames = [Frame(IMAGE, stamp_ns=SECOND + k * SECOND // 30, detections=None if k else boxes) for k in range(images)]
    return [estimator.estimate(frame) for frame in frames]


@pytest.mark.parametrize("smoothing", [False, True])
def test_the_wrist_that_moves_is_the_one_that_is_told(smoothing: bool) -> None:
    *_, before, last = seen(smoothing, 10)
    assert [person.id for person in last] == ["p1", "p2"]
    for moving, still, person in zip(("left", "right"), ("right", "left"), last, strict=True):
        moves = getattr(person, f"{moving}_wrist_velocity") - person.root_velocity
        rests = getattr(person, f"{still}_wrist_velocity") - person.root_velocity
        assert np.linalg.norm(moves) > 0.15
        assert np.linalg.norm(rests) < 0.02
        np.testing.assert_allclose(person.root_velocity, WALKING, atol=0.08)
    for person, earlier in zip(last, before, strict=True):
        for name, joint in PARTS.items():
            moved = (person.joints - earlier.joints)[JOINT_INDEX[joint]] * 30.0
            np.testing.assert_allclose(getattr(person, f"{name}_velocity"), moved, atol=0.06, err_msg=name)


def test_cameras_at_different_rates_in_one_call_are_filtered_by_their_own() -> None:
    """One camera at 30 Hz, another at 1 Hz: neither's interval is the other's gap."""
    estimator = Estimator(OneArm(), None, BODY, Options())
    boxes = {"quick": (Box(85, 130, 215, 350, 0.9),), "slow": (Box(251, 130, 381, 350, 0.9),)}
    found: dict[str, list[Person]] = {"quick": [], "slow": []}

    def process(stamp: int, sources: list[str]) -> None:
        frames = [
            Frame(IMAGE, stamp_ns=stamp, source=source, detections=None if found[source] else boxes[source])
            for source in sources
        ]
        for frame, result in zip(frames, estimator.process(frames), strict=True):
            found[frame.source] += result.people

    for k in range(100):
        process(SECOND + k * SECOND // 30, ["quick"] if k % 30 else ["quick", "slow"])
    assert {source: len(people) for source, people in found.items()} == {"quick": 100, "slow": 4}
    for people in found.values():
        assert len({person.id for person in people}) == 1
        assert np.isnan(people[0].root_velocity).all()
        np.testing.assert_allclose(people[-1].root_velocity, WALKING, atol=0.08)
    process(SECOND + 5 * SECOND, ["quick", "slow"])  # a pause for the one, a missing image for the other
    assert np.isnan(found["quick"][-1].root_velocity).all()
    np.testing.assert_allclose(found["slow"][-1].root_velocity, WALKING, atol=0.08)


TODAY = 1_700_000_000 * SECOND
TICK = SECOND // 30


class Stepping(OneArm):
    """Everybody is 5 cm further on in each image."""

    def __init__(self) -> None:
        self.images = 0

    def _body(self, observation: Observation) -> BodyEstimate:
        self.images += 1
        params = replace(
            SmplxParams.rest(),
            global_orient=[np.pi, 0, 0],
            transl=[0.05 * self.images, 0, 4],
            estimated=Estimated.TRANSL,
        )
        return BodyEstimate(0.9, params, np.ones(55))


@pytest.mark.parametrize("smoothing", [False, True])
@pytest.mark.parametrize(
    ("stamps", "known"),
    [
        ((0, TODAY, TODAY + TICK, TODAY + 2 * TICK), "--vv"),  # the first image has no time
        ((0, TICK, 2 * TICK), "--v"),  # the same in a simulation
        ((TODAY, TODAY + 300 * SECOND, TODAY + 300 * SECOND + TICK), "--v"),
        ((TODAY, TODAY + 3 * SECOND, TODAY + 6 * SECOND), "-vv"),  # rare images are no gaps
        ((TODAY, TODAY + TICK, 0, TODAY + 3 * TICK, TODAY + 4 * TICK), "-v--v"),
        ((TICK, 2 * TICK, 0, 4 * TICK, 5 * TICK), "-v--v"),
        ((TODAY, TODAY + TICK, 0, 0, 0, TODAY + 6 * TICK, TODAY + 7 * TICK), "-v----v"),
    ],
)
def test_times_that_are_not_known_and_gaps_are_no_intervals(
    stamps: tuple[int, ...], known: str, smoothing: bool
) -> None:
    options = Options(smoothing_enabled=smoothing)
    estimator = Estimator(Stepping(), None, BODY, options)
    box = (Box(250, 130, 400, 350, 0.9),)
    for k, (stamp, has_velocity) in enumerate(zip(stamps, known, strict=True)):
        (person,) = estimator.estimate(Frame(IMAGE, stamp_ns=stamp, detections=box))
        assert person.id == "p1"
        assert np.isfinite(person.root_velocity).all() == (has_velocity == "v"), k
        if has_velocity == "-":  # filters begin anew
            assert person.params.transl[0] == pytest.approx(0.05 * (k + 1), abs=1e-3)
