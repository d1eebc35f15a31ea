"""Error measures: known motions are undone, known errors come out as they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smplerx_ros.research.evaluation.alignment import (
    accelerations,
    joint_errors,
    root_aligned_errors,
    similarity,
    similarity_aligned_errors,
)

JOINTS = np.random.default_rng(0).normal(0, 0.5, (4, 12, 3))
coordinates = st.floats(-3, 3)


@given(
    st.tuples(coordinates, coordinates, coordinates),
    st.tuples(coordinates, coordinates, coordinates),
    st.floats(0.1, 10),
)
def test_a_similarity_is_found_and_undone(turn: tuple[float, ...], shift: tuple[float, ...], scale: float) -> None:
    rotation = Rotation.from_rotvec(turn).as_matrix()
    moved = scale * JOINTS @ rotation.T + shift
    found = similarity(JOINTS, moved)
    np.testing.assert_allclose(found.scale, scale)
    np.testing.assert_allclose(found.rotation, np.broadcast_to(rotation, (4, 3, 3)), atol=1e-9)
    np.testing.assert_allclose(found.apply(JOINTS), moved, atol=1e-8)
    np.testing.assert_allclose(similarity_aligned_errors(JOINTS, moved), 0, atol=1e-8)


def test_a_mirrored_body_is_not_the_body() -> None:
    mirrored = JOINTS * [-1, 1, 1]
    assert (np.linalg.det(similarity(JOINTS, mirrored).rotation) > 0.99).all()
    assert similarity_aligned_errors(JOINTS, mirrored).mean() > 0.1


def test_the_similarity_is_the_best_one() -> None:
    """No small change of it makes the sum of squares smaller."""
    rng = np.random.default_rng(1)
    noisy = JOINTS + rng.normal(0, 0.1, JOINTS.shape)
    least = (similarity_aligned_errors(JOINTS, noisy) ** 2).sum()
    best = similarity(JOINTS, noisy)
    for _ in range(50):
        turn = Rotation.from_rotvec(rng.normal(0, 0.01, 3)).as_matrix()
        other = best.scale[:, None, None] * (1 + rng.normal(0, 0.01)) * JOINTS @ (turn @ best.rotation).swapaxes(-1, -2)
        other = other + (noisy - other).mean(axis=1, keepdims=True)
        assert (joint_errors(other, noisy) ** 2).sum() >= least


def test_points_that_coincide_have_no_scale() -> None:
    found = similarity(np.ones((12, 3)), JOINTS[0])
    assert found.scale == 0
    np.testing.assert_allclose(found.apply(np.ones((12, 3))), np.tile(JOINTS[0].mean(axis=0), (12, 1)))


def test_root_alignment_ignores_where_the_body_is() -> None:
    moved = JOINTS + [5.0, -2, 1]
    moved[:, 3] += [0.03, 0.04, 0]
    errors = root_aligned_errors(moved, JOINTS, root=[6, 7])
    np.testing.assert_allclose(errors[:, 3], 0.05)
    np.testing.assert_allclose(np.delete(errors, 3, axis=1), 0, atol=1e-12)


@pytest.mark.parametrize("rate", [30.0, 60.0])
def test_a_falling_body_accelerates_with_g(rate: float) -> None:
    times = np.arange(10)[:, None, None] / rate
    falling = JOINTS[0] + [1.0, 0, 2] * times + 0.5 * np.array([0, 9.81, 0]) * times**2
    np.testing.assert_allclose(accelerations(falling, rate), np.full((8, 12), 9.81))
