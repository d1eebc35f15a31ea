"""Conversions against SciPy's, at half turns and at rest too."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplerx_ros.geometry.rotations import (
    cross,
    matrix_from_rotvec,
    normalized,
    quaternion_from_matrix,
    rotvec_from_matrix,
)

AXES = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, 1], [0.6, 0, -0.8], [-0.48, 0.6, 0.64]])
ANGLES = np.array([0.0, 1e-12, 1e-6, 0.1, 1.0, np.pi / 2, 2.0, 3.0, np.pi - 1e-6, np.pi])
VECTORS = (AXES[:, None] * ANGLES[:, None]).reshape(-1, 3)


def test_quaternions_are_scipys_with_w_positive() -> None:
    rotations = Rotation.concatenate([Rotation.random(500, random_state=1), Rotation.from_rotvec(VECTORS)])
    ours, theirs = quaternion_from_matrix(rotations.as_matrix()), rotations.as_quat()
    assert (ours[:, 3] >= 0).all()
    np.testing.assert_allclose(np.abs(np.sum(ours * theirs, axis=1)), 1, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-15)


def test_vectors_come_back() -> None:
    back = rotvec_from_matrix(matrix_from_rotvec(VECTORS))
    half_turns = np.linalg.norm(VECTORS, axis=1) > np.pi - 1e-9
    np.testing.assert_allclose(back[~half_turns], VECTORS[~half_turns], atol=1e-9)
    np.testing.assert_allclose(matrix_from_rotvec(back), matrix_from_rotvec(VECTORS), atol=1e-12)
    assert (np.linalg.norm(back, axis=1) <= np.pi + 1e-12).all()


def test_nan_stays_in_its_own_rotation() -> None:
    matrices = matrix_from_rotvec(VECTORS[:4])
    matrices[1, 0, 0] = np.nan
    for answer in (quaternion_from_matrix(matrices), rotvec_from_matrix(matrices)):
        np.testing.assert_array_equal(np.isfinite(answer).all(axis=1), [True, False, True, True])


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 5)])
def test_shapes(shape: tuple[int, ...]) -> None:
    matrices = np.broadcast_to(np.eye(3), (*shape, 3, 3))
    assert quaternion_from_matrix(matrices).shape == (*shape, 4)
    assert rotvec_from_matrix(matrices).shape == (*shape, 3)


def test_vectors_products() -> None:
    a, b = np.random.default_rng(2).normal(size=(2, 7, 3))
    np.testing.assert_allclose(cross(a, b), np.cross(a, b), atol=1e-15)
    np.testing.assert_allclose(cross(a, b[0]), np.cross(a, b[0]), atol=1e-15)
    np.testing.assert_allclose(np.linalg.norm(normalized(a), axis=1), 1, atol=1e-15)
    np.testing.assert_array_equal(normalized(np.zeros(3)), np.zeros(3))
