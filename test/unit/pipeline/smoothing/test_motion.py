"""What is known of people's motion: filtered where asked for, with the options asked for, and forgotten with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from smplerx_ros.body.skeleton import JOINT_NAMES
from smplerx_ros.config.options import Options
from smplerx_ros.pipeline.smoothing.motion import VELOCITY_JOINTS, Motion, smoothing_options
from smplerx_ros.pipeline.smoothing.one_euro import Cutoff
from smplerx_ros.pipeline.smoothing.person_smoother import PeopleSmoother, Sample, SmoothingOptions
from smplerx_ros.types import SmplxParams
from support.bodies import standin

BODY = standin()
FRAME_NS = 33_333_333


def sample(k: int, person: str = "p1", size_source: int = 0) -> Sample:
    params = replace(SmplxParams.rest(), transl=np.array([0.1 * k, 0.0, 4.0]), body_pose=np.full(63, 0.004 * k))
    return Sample(person, params, (k + 1) * FRAME_NS, size_source=size_source)


def joints(k: int) -> np.ndarray:
    """Each joint moves along x at a speed of its own: its number in m/s."""
    places = np.zeros((55, 3))
    places[:, 0] = np.arange(55) * k * FRAME_NS * 1e-9
    return places


def velocities(motion: Motion, *frames: int, size_source: int = 0) -> np.ndarray:
    return [motion.velocities(sample(k, size_source=size_source), joints(k)) for k in frames][-1]


def test_without_smoothing_estimates_stay_as_they_are() -> None:
    motion = Motion(None, BODY)
    for k in range(3):
        np.testing.assert_array_equal(motion.smooth([sample(k)])[0].transl, sample(k).params.transl)


def test_with_smoothing_they_are_those_of_the_filters() -> None:
    options = SmoothingOptions(rotation=Cutoff(0.5, 0.0), distance=Cutoff(0.3, 0.0))
    motion, smoother = Motion(options, BODY), PeopleSmoother(options, BODY)
    for k in range(4):
        (found,), (expected,) = motion.smooth([sample(k)]), smoother.smooth([sample(k)])
        np.testing.assert_array_equal(found.body_pose, expected.body_pose)
        np.testing.assert_array_equal(found.transl, expected.transl)
    assert found.body_pose[0] < 0.9 * sample(3).params.body_pose[0]


def test_smoothing_can_begin_change_and_end() -> None:
    slow, slower = (SmoothingOptions(rotation=Cutoff(hertz, 0.0)) for hertz in (1.0, 0.01))
    motion = Motion(None, BODY)
    motion.update(slow)
    first = motion.smooth([sample(0)])[0]
    motion.update(slower)
    second = motion.smooth([sample(1)])[0]
    np.testing.assert_allclose(second.body_pose, first.body_pose, atol=0.0003)  # from where it was, at the new speed
    motion.update(None)
    np.testing.assert_array_equal(motion.smooth([sample(2)])[0].body_pose, sample(2).params.body_pose)


def test_velocities_are_those_of_the_root_and_the_left_and_the_right_wrist() -> None:
    assert [JOINT_NAMES[joint] for joint in VELOCITY_JOINTS] == ["pelvis", "left_wrist", "right_wrist"]
    found = velocities(Motion(None, BODY), 0, 1, 2)
    np.testing.assert_allclose(found, [[joint, 0, 0] for joint in VELOCITY_JOINTS], rtol=1e-6)


def test_what_is_forgotten_has_no_velocity_and_no_filters() -> None:
    for forget in (lambda motion: motion.forget(["p1", "p9"]), Motion.reset):
        motion = Motion(SmoothingOptions(), BODY)
        motion.smooth([sample(0)])
        assert np.isfinite(velocities(motion, 0, 1)).all()
        forget(motion)
        assert not motion._velocities._people
        assert not motion._size_sources
        np.testing.assert_allclose(motion.smooth([sample(2)])[0].body_pose, sample(2).params.body_pose, atol=1e-6)
        assert np.isnan(velocities(motion, 2)).all()
        assert np.isfinite(velocities(motion, 3)).all()


def test_who_is_seen_after_just_the_longest_gap_has_a_velocity() -> None:
    for gap_ns, known in ((1_000_000_000, True), (999_999_999, False)):
        later = replace(sample(0), stamp_ns=FRAME_NS + 1_000_000_000, max_gap_ns=gap_ns)
        fresh = Motion(None, BODY)
        velocities(fresh, 0)
        assert np.isfinite(fresh.velocities(later, joints(1))).all() == known


def test_another_source_of_the_distance_moves_nobody() -> None:
    motion = Motion(None, BODY)
    velocities(motion, 0, 1)
    assert np.isnan(velocities(motion, 2, size_source=1)).all()
    assert np.isfinite(velocities(motion, 3, size_source=1)).all()


def test_the_parameters_become_options() -> None:
    values = {
        "smoothing.rotation_cutoff": 1.5,
        "smoothing.rotation_per_speed": 0.25,
        "smoothing.distance_cutoff": 0.75,
        "smoothing.distance_per_speed": 2.0,
    }
    expected = SmoothingOptions(rotation=Cutoff(1.5, 0.25), distance=Cutoff(0.75, 2.0))
    assert smoothing_options(Options.from_config({**values, "smoothing.enabled": True})) == expected
    assert smoothing_options(Options.from_config({**values, "smoothing.enabled": False})) is None
