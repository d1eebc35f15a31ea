"""Standard joint error metrics: root-aligned (MPJPE), similarity-aligned (PA-MPJPE), and acceleration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from smplerx_ros.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class Similarity:
    """Similarity transform: `target = scale * rotation @ source + translation`."""

    scale: FloatArray  # (...)
    rotation: FloatArray  # (..., 3, 3)
    translation: FloatArray  # (..., 3)

    def apply(self, points: ArrayLike) -> FloatArray:
        """Transform points `(..., J, 3)` from the source frame to the target frame."""
        rotated = np.asarray(points, np.float64) @ np.swapaxes(self.rotation, -1, -2)
        return np.asarray(self.scale[..., None, None] * rotated + self.translation[..., None, :])


def similarity(source: ArrayLike, target: ArrayLike) -> Similarity:
    """Fit the least-squares similarity transform from `source` to `target` (Umeyama, PAMI 1991).

    Reflections are excluded.

    Args:
        source: Points `(..., J, 3)`.
        target: Corresponding points `(..., J, 3)`.

    Returns:
        The transform. Its scale is 0 where all source points coincide.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    source_mean, target_mean = source.mean(axis=-2), target.mean(axis=-2)
    source_centred, target_centred = source - source_mean[..., None, :], target - target_mean[..., None, :]
    u, singular, v_transposed = np.linalg.svd(np.swapaxes(target_centred, -1, -2) @ source_centred)
    signs = np.ones_like(singular)
    signs[..., 2] = np.where(np.linalg.det(u @ v_transposed) < 0, -1.0, 1.0)
    rotation = u @ (signs[..., None] * v_transposed)
    spread = np.sum(source_centred**2, axis=(-2, -1))
    total = np.sum(singular * signs, axis=-1)
    scale = np.divide(total, spread, out=np.zeros_like(total), where=spread > 0)
    translation = target_mean - scale[..., None] * (rotation @ source_mean[..., None])[..., 0]
    return Similarity(scale, rotation, translation)


def joint_errors(joints: ArrayLike, truth: ArrayLike) -> FloatArray:
    """Return the Euclidean distances `(..., J)` between `joints (..., J, 3)` and `truth`, in their unit."""
    return np.asarray(np.linalg.norm(np.asarray(joints, np.float64) - np.asarray(truth, np.float64), axis=-1))


def root_aligned_errors(joints: ArrayLike, truth: ArrayLike, root: list[int]) -> FloatArray:
    """Return errors `(..., J)` after moving the mean of the `root` joints of both to the origin (MPJPE)."""
    return joint_errors(from_root(joints, root), from_root(truth, root))


def similarity_aligned_errors(joints: ArrayLike, truth: ArrayLike) -> FloatArray:
    """Return errors `(..., J)` after a similarity alignment of each frame separately (PA-MPJPE)."""
    return joint_errors(similarity(joints, truth).apply(joints), truth)


def accelerations(joints: ArrayLike, rate: float) -> FloatArray:
    """Return acceleration magnitudes `(T - 2, J)`, unit/s^2: second differences of `joints (T, J, 3)` at `rate` Hz."""
    return np.asarray(np.linalg.norm(np.diff(np.asarray(joints, np.float64), n=2, axis=0), axis=-1) * rate**2)


def from_root(joints: ArrayLike, root: list[int]) -> FloatArray:
    """Return `joints (..., J, 3)` relative to the mean of the `root` joints."""
    joints = np.asarray(joints, np.float64)
    return np.asarray(joints - joints[..., root, :].mean(axis=-2, keepdims=True))
