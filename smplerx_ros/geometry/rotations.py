"""Axis-angle and matrices in batches, over SciPy's rotations, and the few helpers it lacks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

FloatArray = NDArray[np.floating[Any]]


def matrix_from_rotvec(rotvec: ArrayLike) -> FloatArray:
    """`(..., 3, 3)` matrices of axis-angle vectors `(..., 3)`, radians."""
    vectors = np.asarray(rotvec, dtype=np.float64)
    if vectors.size == 0:  # SciPy 1.11 refuses to make no rotations, here and below
        return np.zeros((*vectors.shape[:-1], 3, 3))
    matrices = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix()
    return np.asarray(matrices).reshape(*vectors.shape[:-1], 3, 3)


def rotvec_from_matrix(matrix: ArrayLike) -> FloatArray:
    """Axis-angle `(..., 3)`, angle in [0, pi], of matrices `(..., 3, 3)` (orthogonalised if slightly off)."""
    matrices = np.asarray(matrix, dtype=np.float64)
    if matrices.size == 0:
        return np.zeros((*matrices.shape[:-2], 3))
    rotvecs = Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec()
    return np.asarray(rotvecs).reshape(*matrices.shape[:-2], 3)


def quaternion_from_matrix(matrix: ArrayLike) -> FloatArray:
    """Unit quaternions `(..., 4)`, ROS order x, y, z, w with w >= 0, of matrices `(..., 3, 3)`."""
    matrices = np.asarray(matrix, dtype=np.float64)
    if matrices.size == 0:
        return np.zeros((*matrices.shape[:-2], 4))
    quaternions = Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_quat()
    quaternions *= np.where(quaternions[:, 3:] < 0, -1.0, 1.0)
    return np.asarray(quaternions).reshape(*matrices.shape[:-2], 4)


def rotation_between(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Smallest rotation `(..., 3, 3)` taking direction `a (..., 3)` to direction `b (..., 3)`.

    Rodrigues' formula with the cross product; for opposite directions it turns about any normal of `a`.
    """
    a_unit, b_unit = normalized(a), normalized(b)
    axis = cross(a_unit, b_unit)
    cosine = np.sum(a_unit * b_unit, axis=-1)[..., None, None]
    turn = skew(axis)
    near = np.eye(3) + turn + turn @ turn / np.maximum(1 + cosine, 1e-9)
    normal = normalized(cross(a_unit, np.eye(3)[np.argmin(np.abs(a_unit), axis=-1)]))
    half_turn = 2 * normal[..., :, None] * normal[..., None, :] - np.eye(3)
    return np.where(cosine < -1 + 1e-9, half_turn, near)


def right_jacobian_inverse(rotvec: ArrayLike) -> FloatArray:
    """`(..., 3, 3)`: change of an axis-angle vector `(..., 3)` when its rotation is turned in its own frame.

    log(exp(v) exp(d)) = v + J d + O(d^2); eq. 144 of Sola et al., A micro Lie theory, arXiv 1812.01537.
    """
    v = np.asarray(rotvec, dtype=np.float64)
    angle = np.linalg.norm(v, axis=-1)[..., None, None]
    safe = np.clip(angle, 1e-3, np.pi - 1e-3)
    curved = 1 / safe**2 - (1 + np.cos(safe)) / (2 * safe * np.sin(safe))
    turn = skew(v)
    return np.asarray(np.eye(3) + 0.5 * turn + np.where(angle < 1e-3, 1 / 12, curved) * (turn @ turn))


def cross(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Cross product `(..., 3)`; for few vectors NumPy's own takes twice as long."""
    u, v = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    ux, uy, uz, vx, vy, vz = u[..., 0], u[..., 1], u[..., 2], v[..., 0], v[..., 1], v[..., 2]
    return np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx], axis=-1)


def skew(vectors: ArrayLike) -> FloatArray:
    """Matrices `(..., 3, 3)` with `skew(v) @ u == cross(v, u)`."""
    v = np.asarray(vectors, dtype=np.float64)
    zero = np.zeros(v.shape[:-1])
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return np.stack(rows, axis=-1).reshape(*v.shape[:-1], 3, 3)


def normalized(vectors: ArrayLike) -> FloatArray:
    """Unit vectors `(..., n)`; a zero vector stays zero."""
    v = np.asarray(vectors, dtype=np.float64)
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12))
