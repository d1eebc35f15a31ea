"""Conversions of axis-angle vectors, quaternions and matrices in batches, fast for a few dozen joints."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, hypot, sin

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from smplerx_ros.arrays import FloatArray

_NEXT_AXIS = np.array([1, 2, 0])  # axis after x, y, z
# Preference among equal rows of 4 q q^T: SMPLer-X maps a zero matrix to a rotation of 180 degrees about y.
_ROWS = np.array([1, 0, 2, 3])
_TINY = np.finfo(np.float64).tiny


def _products() -> tuple[FloatArray, FloatArray]:
    """4 q q^T `(16,)` of q = x, y, z, w is affine in the matrix: its linear part `(9, 16)` and constant `(16,)`."""
    linear = np.zeros((3, 3, 4, 4))
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        linear[i, i] = -np.eye(4)
        linear[i, i, [i, 3], [i, 3]] = 1
        linear[[i, j], [j, i], i, j] = linear[[i, j], [j, i], j, i] = 1
        linear[[k, j], [j, k], i, 3] = linear[[k, j], [j, k], 3, i] = 1, -1
    return linear.reshape(9, 16), np.eye(4).ravel()


_PRODUCTS_FROM_MATRIX, _PRODUCTS_OF_IDENTITY = _products()


def matrix_from_rotvec(rotvec: ArrayLike) -> FloatArray:
    """Rotation matrices `(..., 3, 3)` of axis-angle vectors `(..., 3)`, radians."""
    vectors = np.asarray(rotvec, dtype=np.float64)
    if vectors.size == 0:  # SciPy 1.11 raises for empty arrays
        return np.zeros((*vectors.shape[:-1], 3, 3))
    matrices = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix()
    return np.asarray(matrices).reshape(*vectors.shape[:-1], 3, 3)


def rotvec_from_matrix(matrix: ArrayLike) -> FloatArray:
    """Axis-angle `(..., 3)`, angle in [0, pi], of rotation matrices `(..., 3, 3)`."""
    quaternions = quaternion_from_matrix(matrix)
    axes, cosines = quaternions[..., :3], quaternions[..., 3:]
    sines = _lengths(axes)
    return np.asarray(axes * (2 * np.arctan2(sines, cosines) / np.maximum(sines, _TINY)))


def quaternion_from_matrix(matrix: ArrayLike) -> FloatArray:
    """Unit quaternions `(..., 4)`, ROS order x, y, z, w with w >= 0, of rotation matrices `(..., 3, 3)`.

    The rows of 4 q q^T are multiples of q and affine in the matrix; the one with the largest diagonal entry is used
    (Shepperd, Quaternion from rotation matrix, 1978). Singular matrices give some finite quaternion, always the same.
    SciPy's `from_matrix` rejects those, and takes several times as long, since it also orthogonalises.
    """
    matrices = np.asarray(matrix, dtype=np.float64)
    products = (matrices.reshape(-1, 9) @ _PRODUCTS_FROM_MATRIX + _PRODUCTS_OF_IDENTITY).reshape(-1, 4, 4)
    largest = _ROWS[products[:, _ROWS, _ROWS].argmax(axis=1)]
    quaternions = products[np.arange(len(products)), largest]
    quaternions /= np.copysign(_lengths(quaternions), quaternions[:, 3:])
    return np.asarray(quaternions.reshape(*matrices.shape[:-2], 4))


def quaternion_from_rotvec(rotvec: Sequence[float]) -> tuple[float, float, float, float]:
    """Unit quaternion x, y, z, w (ROS order) of one axis-angle vector x, y, z in radians; without NumPy for speed."""
    x, y, z = rotvec
    angle = hypot(x, y, z)
    scale = sin(0.5 * angle) / angle if angle > _TINY else 0.5
    return scale * x, scale * y, scale * z, cos(0.5 * angle)


def rotation_between(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Smallest rotation `(..., 3, 3)` from direction `a (..., 3)` to direction `b (..., 3)`.

    Rodrigues' formula with the cross product; for opposite directions, the axis is some normal of `a`.
    """
    a_unit, b_unit = normalized(a), normalized(b)
    axis = cross(a_unit, b_unit)
    cosine = np.sum(a_unit * b_unit, axis=-1)[..., None, None]
    hat = skew(axis)
    near = np.eye(3) + hat + hat @ hat / np.maximum(1 + cosine, 1e-9)
    opposite = cosine < -1 + 1e-9
    if not opposite.any():
        return np.asarray(near)
    normal = normalized(cross(a_unit, np.eye(3)[np.argmin(np.abs(a_unit), axis=-1)]))
    opposed = 2 * normal[..., :, None] * normal[..., None, :] - np.eye(3)
    return np.where(opposite, opposed, near)


def right_jacobian_inverse(rotvec: ArrayLike) -> FloatArray:
    """Inverse right Jacobian `(..., 3, 3)` of SO(3) at an axis-angle vector `(..., 3)`.

    log(exp(v) exp(d)) = v + J d + O(d^2); eq. 144 of Sola et al., A micro Lie theory, arXiv 1812.01537.
    """
    v = np.asarray(rotvec, dtype=np.float64)
    angle = _lengths(v)[..., None]
    safe = np.minimum(np.maximum(angle, 1e-3), np.pi - 1e-3)
    curved = 1 / safe**2 - (1 + np.cos(safe)) / (2 * safe * np.sin(safe))
    hat = skew(v)
    return np.asarray(np.eye(3) + 0.5 * hat + np.where(angle < 1e-3, 1 / 12, curved) * (hat @ hat))


def cross(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Cross product `(..., 3)`; three times as fast as NumPy's for few vectors."""
    u, v = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    rotated = u * v.take(_NEXT_AXIS, axis=-1) - u.take(_NEXT_AXIS, axis=-1) * v  # z, x, y
    return np.asarray(rotated.take(_NEXT_AXIS, axis=-1))


def skew(vectors: ArrayLike) -> FloatArray:
    """Matrices `(..., 3, 3)` with `skew(v) @ u == cross(v, u)`."""
    v = np.asarray(vectors, dtype=np.float64)
    matrices = np.zeros((*v.shape, 3))
    matrices[..., 2, 1], matrices[..., 0, 2], matrices[..., 1, 0] = v[..., 0], v[..., 1], v[..., 2]
    matrices[..., 1, 2], matrices[..., 2, 0], matrices[..., 0, 1] = -v[..., 0], -v[..., 1], -v[..., 2]
    return matrices


def normalized(vectors: ArrayLike) -> FloatArray:
    """Unit vectors `(..., n)`; a zero vector stays zero."""
    v = np.asarray(vectors, dtype=np.float64)
    return np.asarray(v / np.maximum(_lengths(v), 1e-12))


def _lengths(vectors: FloatArray) -> FloatArray:
    """Lengths `(..., 1)`; twice as fast as `np.linalg.norm` for few vectors."""
    return np.asarray(np.sqrt(np.einsum("...i,...i->...", vectors, vectors))[..., None])
