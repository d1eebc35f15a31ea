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
    right_jacobian_inverse,
    rotation_between,
    rotvec_from_matrix,
    skew,
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


def test_a_skew_matrix_is_the_cross_product() -> None:
    a, b = np.random.default_rng(1).normal(size=(2, 6, 3))
    np.testing.assert_allclose((skew(a) @ b[..., None])[..., 0], np.cross(a, b), atol=1e-15)


def test_the_rotation_between_directions_is_the_smallest() -> None:
    a, b = np.random.default_rng(2).normal(size=(2, 40, 3))
    turns = rotation_between(a, b)
    np.testing.assert_allclose((turns @ normalized(a)[..., None])[..., 0], normalized(b), atol=1e-12)
    np.testing.assert_allclose(turns @ turns.swapaxes(1, 2), np.tile(np.eye(3), (40, 1, 1)), atol=1e-12)
    angles = np.arccos(np.sum(normalized(a) * normalized(b), axis=1))
    np.testing.assert_allclose(np.linalg.norm(rotvec_from_matrix(turns), axis=1), angles, atol=1e-9)
    np.testing.assert_allclose(rotation_between(a[0], 2 * a[0]), np.eye(3), atol=1e-12)


def test_opposite_directions_are_half_a_turn_apart_and_others_beside_them_stay() -> None:
    a = np.concatenate([AXES, [[0.0, 0, 1]]])
    b = np.concatenate([-3 * AXES, [[0.0, 1, 0]]])
    turns = rotation_between(a, b)
    np.testing.assert_allclose((turns @ a[..., None])[..., 0], normalized(b), atol=1e-12)
    np.testing.assert_allclose(turns @ turns.swapaxes(1, 2), np.tile(np.eye(3), (6, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turns), 1)
    np.testing.assert_allclose(turns[-1], Rotation.from_rotvec([-np.pi / 2, 0, 0]).as_matrix(), atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 1e-4, 0.3, 1.5, 3.0])
def test_the_inverse_jacobian_is_the_change_of_a_vector_whose_rotation_turns(angle: float) -> None:
    step = 1e-6
    for axis in AXES:
        rotation = Rotation.from_rotvec(angle * axis)
        changes = [(rotation * Rotation.from_rotvec(step * unit)).as_rotvec() - angle * axis for unit in np.eye(3)]
        jacobian = right_jacobian_inverse(angle * axis)
        np.testing.assert_allclose(jacobian, np.transpose(changes) / step, atol=1e-4)
