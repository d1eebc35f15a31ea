"""Every person has filters of their own, which start anew after gaps and jumps; unknown values stay unknown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smplerx_ros.pipeline.smoothing.one_euro import Cutoff
from smplerx_ros.pipeline.smoothing.person_smoother import MAX_GAP_NS, PeopleSmoother, Sample, SmoothingOptions
from smplerx_ros.pipeline.smoothing.velocity import VelocityEstimator
from smplerx_ros.types import PARAM_SIZES, SmplxParams
from support.bodies import standin

BODY = standin()
SECOND = 1_000_000_000
FRAME_NS = 33_333_333


def params(x: float) -> SmplxParams:
    values = {name: np.full(size, 0.1 * x) for name, size in PARAM_SIZES.items()}
    return replace(SmplxParams.rest(), **values | {"transl": np.array([x, 0.0, 4.0])})


def smooth(smoother: PeopleSmoother, person: str, one: SmplxParams, stamp_ns: int) -> SmplxParams:
    return smoother.smooth([Sample(person, one, stamp_ns)])[0]


@pytest.fixture
def smoother() -> PeopleSmoother:
    return PeopleSmoother(SmoothingOptions(), BODY)


def test_a_step_is_followed_slowly_and_by_its_own_person_only(smoother):
    smooth(smoother, "p1", params(0), FRAME_NS)
    smooth(smoother, "p2", params(1), FRAME_NS)
    first = smooth(smoother, "p1", params(0.2), 2 * FRAME_NS)
    second = smooth(smoother, "p2", params(1), 2 * FRAME_NS)
    assert 0 < first.body_pose[0] < 0.02
    assert 0 < first.betas[0] < 0.004  # of 0.02; what makes a person taller goes with the distance
    np.testing.assert_allclose(second.body_pose, params(1).body_pose, atol=1e-6)


@pytest.mark.parametrize("stamp", [FRAME_NS, 0, FRAME_NS + MAX_GAP_NS + 1], ids=["same stamp", "back", "gap"])
def test_a_jump_in_time_starts_anew(smoother, stamp):
    smooth(smoother, "p1", params(0), FRAME_NS)
    out = smooth(smoother, "p1", params(1), stamp)
    np.testing.assert_allclose(out.body_pose, params(1).body_pose, atol=1e-6)
    np.testing.assert_allclose(out.transl, params(1).transl, atol=1e-6)


def test_who_was_forgotten_starts_anew(smoother):
    smooth(smoother, "p1", params(0), FRAME_NS)
    smoother.forget(["p1", "nobody"])
    np.testing.assert_allclose(smooth(smoother, "p1", params(1), 2 * FRAME_NS).jaw_pose, params(1).jaw_pose, atol=1e-6)


def test_eyes_that_are_not_known_stay_unknown_and_come_back(smoother):
    unknown = replace(params(0), leye_pose=np.full(3, np.nan))
    assert np.isnan(smooth(smoother, "p1", unknown, FRAME_NS).leye_pose).all()
    out = smooth(smoother, "p1", params(1), 2 * FRAME_NS)
    assert np.isfinite(out.leye_pose).all()
    assert np.isfinite(out.body_pose).all()
    assert np.isnan(smooth(smoother, "p1", unknown, 3 * FRAME_NS).leye_pose).all()


def test_together_is_as_each_alone():
    """People of other ages in one call, somebody new among them: nobody sees the others."""
    together, apart = PeopleSmoother(SmoothingOptions(), BODY), PeopleSmoother(SmoothingOptions(), BODY)
    frames = [
        {"a": (params(0.1), 10), "b": (params(0.2), 10)},
        {"a": (params(0.3), 20)},
        {"b": (params(0.5), 31), "c": (params(0.4), 30), "a": (params(0.2), 30)},
        {"c": (params(0.6), 40), "a": (replace(params(0.1), leye_pose=np.full(3, np.nan)), 40)},
    ]
    for frame in frames:
        samples = [Sample(name, one, stamp * 1_000_000) for name, (one, stamp) in frame.items()]
        ours = together.smooth(samples)
        theirs = [apart.smooth([sample])[0] for sample in samples]
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a.flat, b.flat, atol=1e-6)


def test_a_place_behind_the_camera_passes_and_is_forgotten(smoother):
    smooth(smoother, "p1", params(0), FRAME_NS)
    behind = replace(params(0), transl=np.array([1.0, 0.0, -1.0]))
    np.testing.assert_allclose(smooth(smoother, "p1", behind, 2 * FRAME_NS).transl, behind.transl, atol=1e-6)
    ahead = smooth(smoother, "p1", params(1), 3 * FRAME_NS)
    np.testing.assert_allclose(BODY.joints(ahead)[0, 0], BODY.joints(params(1))[0, 0], atol=1e-5)
    assert 0 < smooth(smoother, "p1", params(0), 4 * FRAME_NS).transl[0] < 1


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(lambda t: (0.4, 0.1, 2 - 1.2 * t), id="past the camera"),
        pytest.param(lambda t: (0.4, 0.1, -0.4 + 0.6 * t), id="from behind it"),
        pytest.param(lambda t: (0.4, 0.2, 0.02 * np.sin(40 * t)), id="beside it"),
        pytest.param(lambda t: (0.4, 0.2, 0.05 + 0.04 * np.sin(23 * t)), id="hardly before it"),
    ],
)
def test_near_the_cameras_plane_nobody_is_put_aside(smoother, path):
    """A ray that is followed at once, times a distance that lags behind it, was a quarter of a metre off."""
    worst = 0.0
    for k in range(60):
        place = np.array(path(k / 30))
        given = replace(params(0), transl=place - BODY.rest_joints(params(0).betas, params(0).expression)[0, 0])
        out = smooth(smoother, "p1", given, SECOND + k * FRAME_NS)
        pelvis = out.transl + BODY.rest_joints(out.betas, out.expression)[0, 0]
        worst = max(worst, float(np.linalg.norm(pelvis - place)))
    assert worst < 0.08  # that of the distance alone, 1.8 m away


def test_distance_is_steadied_more_than_direction(smoother):
    rng = np.random.default_rng(1)
    places = np.array([0.5, 0.2, 4.0]) * (1 + rng.normal(0, 0.02, (300, 1)))
    out = np.array(
        [
            smooth(smoother, "p1", replace(params(0), transl=place), (k + 1) * FRAME_NS).transl
            for k, place in enumerate(places)
        ]
    )
    assert np.abs(np.diff(out[60:, 2])).mean() < np.abs(np.diff(places[60:, 2])).mean() / 5
    np.testing.assert_allclose(out[:, 0] / out[:, 2], 0.125, atol=1e-5)


def test_velocities_of_a_steady_walk():
    velocities = VelocityEstimator()
    step = np.array([[0.04, 0.0, -0.01]])
    assert np.isnan(velocities.update("p1", 0 * step, FRAME_NS)).all()
    for k in range(1, 30):
        found = velocities.update("p1", k * step, (k + 1) * FRAME_NS)
    np.testing.assert_allclose(found, step / (FRAME_NS * 1e-9), rtol=1e-6)
    assert np.isnan(velocities.update("p1", 99 * step, 31 * FRAME_NS + MAX_GAP_NS)).all()


@pytest.mark.parametrize("rate", [15.0, 30.0, 60.0])
def test_velocity_of_a_waving_hand(rate):
    """1 Hz, 0.3 m: speeds less than 10 % off, late by the filter and half the step that they are taken from."""
    velocities, reach, speeds = VelocityEstimator(), 0.3, []
    times = np.arange(0, 6, 1 / rate)
    for time in times:
        place = np.array([[reach * np.sin(2 * np.pi * time), 0.0, 3.0]])
        speeds.append(velocities.update("p1", place, round(1e9 * (1 + time)))[0])
    late = times > 2
    found, peak = np.array(speeds)[late], 2 * np.pi * reach
    basis = np.stack([np.cos(2 * np.pi * times[late]), np.sin(2 * np.pi * times[late])], axis=1)
    cosine, sine = np.linalg.lstsq(basis, found[:, 0], rcond=None)[0]
    assert np.hypot(cosine, sine) == pytest.approx(peak, rel=0.10)
    assert np.arctan2(sine, cosine) / (2 * np.pi) < 0.050 + 0.5 / rate  # seconds
    np.testing.assert_allclose(found[:, 1:], 0, atol=1e-9)


def test_velocity_of_a_walking_root_with_smoothing(smoother):
    """Place filtered and differentiated as the estimator does: 1.2 m/s across the view, within 10 % after a second."""
    velocities, speed = VelocityEstimator(), np.array([1.2, 0.0, 0.3])
    for k in range(60):
        at = np.array([-1.0, 0.2, 4.0]) + speed * k * FRAME_NS * 1e-9
        out = smooth(smoother, "p1", replace(params(0), transl=at), (k + 1) * FRAME_NS)
        found = velocities.update("p1", out.transl[None].astype(float), (k + 1) * FRAME_NS)[0]
        if k > 30:
            assert np.linalg.norm(found - speed) < 0.1 * np.linalg.norm(speed)


def step(smoother: PeopleSmoother, part: str, index: int, size: float) -> float:
    """Share of a step of one number that the next image, a thirtieth of a second later, shows."""
    before = replace(params(0), transl=np.array([0.0, 0.0, 4.0]))
    value = getattr(before, part).copy()
    value[index] += size
    smooth(smoother, "p1", before, SECOND)
    after = smooth(smoother, "p1", replace(before, **{part: value}), SECOND + SECOND // 30)
    return float(getattr(after, part)[index] - getattr(before, part)[index]) / size


def first_order(hertz: float) -> float:
    """What a low pass of that cutoff lets through of a step in its first thirtieth of a second."""
    return 1 - 1 / (1 + 2 * np.pi * hertz / 30)


@pytest.mark.parametrize(
    ("part", "index", "size", "hertz"),
    [
        ("expression", 3, 1e-3, 2.0),  # a face at rest
        ("expression", 3, 1.0, 2.0 + 2.0 * first_order(2.0) * 30),  # 2 Hz more for each unit a second
        ("transl", 0, 1e-3, 8.0 + 100.0 * first_order(2.0) * 30 * 1e-3 / 4.0),  # across the ray, 4 m away
    ],
)
def test_each_part_has_its_own_cutoff(smoother, part, index, size, hertz):
    assert step(smoother, part, index, size) == pytest.approx(first_order(hertz), rel=0.02)


def test_a_shape_has_a_slow_filter_and_its_size_that_of_the_distance(smoother):
    """Along a direction that makes nobody taller: 0.2 Hz, however far the step."""
    slopes = BODY.stature(np.eye(10)) - BODY.stature(np.zeros(10))
    thicker = np.eye(10)[3] - slopes[3] * slopes / (slopes @ slopes)
    smooth(smoother, "p1", params(0), SECOND)
    for size in (0.01, 1.0):
        smoother.forget(["p1"])
        smooth(smoother, "p1", params(0), SECOND)
        out = smooth(smoother, "p1", replace(params(0), betas=size * thicker), SECOND + SECOND // 30)
        assert out.betas @ thicker / (size * thicker @ thicker) == pytest.approx(first_order(0.2), rel=0.02)


def test_a_stature_is_filtered_as_the_distance_is():
    smoother = PeopleSmoother(SmoothingOptions(distance=Cutoff(0.5, 0.0)), BODY)
    taller = 2 * np.eye(10)[0]
    before, after = np.log(BODY.stature(np.stack([np.zeros(10), taller])))
    assert abs(after - before) > 0.02
    smooth(smoother, "p1", replace(params(0), betas=np.zeros(10)), SECOND)
    out = smooth(smoother, "p1", replace(params(0), betas=taller), SECOND + SECOND // 30)
    (shown,) = np.log(BODY.stature(out.betas))
    assert (shown - before) / (after - before) == pytest.approx(first_order(0.5), rel=0.02)


def test_eyes_that_are_not_known_do_not_keep_the_rest_from_being_filtered(smoother):
    known, unknown = ([replace(params(x), leye_pose=np.full(3, eye)) for x in (0, 0.2)] for eye in (0.0, np.nan))
    for k in range(2):
        one, other = (
            smooth(smoother, name, eyes[k], (1 + k) * FRAME_NS) for name, eyes in (("p1", known), ("p2", unknown))
        )
    np.testing.assert_array_equal(other.body_pose, one.body_pose)
    np.testing.assert_array_equal(other.transl, one.transl)


def test_a_smile_is_followed_at_once_and_trembling_is_not(smoother):
    def shown(values: np.ndarray) -> np.ndarray:
        smoother.reset()
        faces = [replace(params(0), expression=value * np.eye(10)[0]) for value in values]
        out = [smooth(smoother, "p1", face, SECOND + k * SECOND // 30) for k, face in enumerate(faces)]
        return np.array([one.expression[0] for one in out])

    assert shown(np.repeat([0.0, 1.0], 8))[10] > 0.98  # a tenth of a second later
    noise = np.random.default_rng(0).normal(0, 0.1, 300)
    assert np.abs(np.diff(shown(noise))).mean() < 0.5 * np.abs(np.diff(noise)).mean()
