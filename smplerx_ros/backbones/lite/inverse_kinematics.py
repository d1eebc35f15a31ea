"""Closed-form initial pose from 3-D landmarks, from which the refinement starts.

Pelvis, chest and head are aligned with frames spanned by their landmarks; each limb is swung from its parent's
orientation to its direction, and rolled so that elbow or knee bends in the plane of the limb.
"""

from __future__ import annotations

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.skeleton import JOINT_INDEX, PARENTS
from smplerx_ros.geometry.camera import NEAR
from smplerx_ros.geometry.rotations import cross, matrix_from_rotvec, normalized, rotation_between, rotvec_from_matrix

from .points import NUM_BODY_JOINTS, POINT_INDEX, BodyPoints

_STRAIGHT = 0.15  # sine of the bend below which a limb's plane is undetermined
_CLEARLY_BENT = 0.5  # sine of the bend from which it is fully used

_PARENT_OF = np.maximum(PARENTS[:NUM_BODY_JOINTS], 0)
_SPINE = [JOINT_INDEX[f"spine{i}"] for i in (1, 2)]
_CHEST = [JOINT_INDEX[name] for name in ("spine3", "left_collar", "right_collar")]
_FEET = [JOINT_INDEX[f"{side}_foot"] for side in ("left", "right")]
# Both arms and both legs: their joints; the axis about which the lower half bends at rest (forearms to the front, shins
# to the back); the maximum roll in radians; BlazePose's landmarks from shoulder to wrist or from hip to ankle.
_LIMBS = np.array(
    [
        [JOINT_INDEX[f"{side}_{part}"] for part in parts]
        for parts in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
        for side in ("left", "right")
    ]
)
_HINGES = np.array([[0.0, -1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
_MAX_ROLL = np.array([1.9, 1.9, 0.8, 0.8])
_LIMB_LANDMARKS = np.array([[11, 13, 15], [12, 14, 16], [23, 25, 27], [24, 26, 28]])
_HEELS, _TOES = [29, 30], [31, 32]


class InitialPose:
    """Computes initial rotations of a body."""

    def __init__(self, points: BodyPoints) -> None:
        at = {name: points.points_rest[i, :, 0] for name, i in POINT_INDEX.items()}
        ears = (at["left_ear"] + at["right_ear"]) / 2
        up = (at["left_shoulder"] + at["right_shoulder"] - at["left_hip"] - at["right_hip"]) / 2
        across = [at[f"left_{part}"] - at[f"right_{part}"] for part in ("hip", "shoulder", "ear")]
        self._trunk = np.swapaxes(_frame(np.stack(across), np.stack([up, up, at["nose"] - ears])), -1, -2)
        joints = points.joints_rest[_LIMBS, :, 0]
        self._upper, self._lower = joints[:, 1] - joints[:, 0], joints[:, 2] - joints[:, 1]  # (4, 3) bones
        self._soles = np.stack([at[f"{side}_big_toe"] - at[f"{side}_heel"] for side in ("left", "right")])

    def rotations(self, world: FloatArray) -> FloatArray:
        """Compute rotations parent_from_joint.

        Args:
            world: `(N, 33, 3)` BlazePose landmarks, metres, axes of the optical frame.

        Returns:
            `(N, 22, 3, 3)` rotations.
        """
        frames = np.empty((len(world), NUM_BODY_JOINTS, 3, 3))
        self._orient_trunk(frames, world)
        self._orient_limbs(frames, world)
        rotations = np.swapaxes(frames[:, _PARENT_OF], -1, -2) @ frames
        rotations[:, 0] = frames[:, 0]
        rotations[:, _FEET] = np.eye(3)
        return rotations

    def _orient_trunk(self, frames: FloatArray, world: FloatArray) -> None:
        """Orient pelvis, spine, collars, neck and head."""
        hips, shoulders = (world[:, 23] + world[:, 24]) / 2, (world[:, 11] + world[:, 12]) / 2
        up, front = shoulders - hips, world[:, 0] - (world[:, 7] + world[:, 8]) / 2
        across = world[:, [23, 11, 7]] - world[:, [24, 12, 8]]
        trunk = _frame(across, np.stack([up, up, front], axis=1)) @ self._trunk  # pelvis, chest, head
        rotvecs = rotvec_from_matrix(np.swapaxes(trunk[:, :2], -1, -2) @ trunk[:, 1:])
        partial = matrix_from_rotvec(rotvecs[:, [0, 0, 1]] * np.array([1 / 3, 2 / 3, 1 / 2])[:, None])
        frames[:, JOINT_INDEX["pelvis"]] = trunk[:, 0]
        frames[:, _SPINE] = trunk[:, :1] @ partial[:, :2]
        frames[:, _CHEST] = trunk[:, 1:2]
        frames[:, JOINT_INDEX["neck"]] = trunk[:, 1] @ partial[:, 2]
        frames[:, JOINT_INDEX["head"]] = trunk[:, 2]

    def _orient_limbs(self, frames: FloatArray, world: FloatArray) -> None:
        """Orient shoulders, elbows, wrists, hips, knees and ankles; hands follow the forearms, feet the ankles."""
        first, second = self._limbs(frames[:, _PARENT_OF[_LIMBS[:, 0]]], world[:, _LIMB_LANDMARKS])
        frames[:, _LIMBS[:, 0]], frames[:, _LIMBS[:, 1]] = first, second
        frames[:, _LIMBS[:2, 2]] = second[:, :2]
        shins = second[:, 2:]
        ankles = rotation_between(_rotated(shins, self._soles), world[:, _TOES] - world[:, _HEELS]) @ shins
        frames[:, _LIMBS[2:, 2]] = frames[:, _FEET] = ankles

    def _limbs(self, parents: FloatArray, chains: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Orientations (N, 4, 3, 3) of the upper and lower halves of the limbs with landmarks `chains (N, 4, 3, 3)`."""
        upper, lower = np.moveaxis(normalized(np.diff(chains, axis=2)), 2, 0)
        first = rotation_between(_rotated(parents, self._upper), upper) @ parents
        wanted = cross(upper, lower)
        bend = np.sqrt(np.sum(wanted * wanted, axis=-1))
        axis = _rotated(first, _HINGES)
        normal = normalized(axis - upper * np.sum(axis * upper, axis=-1, keepdims=True))
        roll = np.arctan2(np.sum(cross(normal, wanted) * upper, axis=-1), np.sum(normal * wanted, axis=-1))
        weight = np.clip((bend - _STRAIGHT) / (_CLEARLY_BENT - _STRAIGHT), 0, 1)
        roll = np.clip(roll, -_MAX_ROLL, _MAX_ROLL) * np.where(np.abs(roll) < 2 * _MAX_ROLL, weight, 0)
        first = matrix_from_rotvec(upper * roll[..., None]) @ first
        return first, rotation_between(_rotated(first, self._lower), lower) @ first


def solve_translation(points: FloatArray, rays: FloatArray, weights: FloatArray) -> FloatArray:
    """Find the translations that move points onto rays, by linear least squares.

    Each point gives x + t_x = u (z + t_z) and y + t_y = v (z + t_z). If that moves a point with a weight in front of
    the near plane, weak perspective is used instead.

    Args:
        points: `(N, K, 3)` metres.
        rays: `(N, K, 2)` normalized image coordinates u, v.
        weights: `(N, K)` weights of the points; 0 where not seen.

    Returns:
        `(N, 3)` translations, metres.
    """
    n, k = weights.shape
    rows = np.zeros((n, k, 2, 3))
    rows[:, :, 0, 0] = rows[:, :, 1, 1] = 1
    rows[..., 2] = -rays
    right = rays * points[..., 2:] - points[..., :2]
    matrix = (rows * weights[..., None, None]).reshape(n, 2 * k, 3)
    vector = (right * weights[..., None]).reshape(n, 2 * k, 1)
    transposed = np.swapaxes(matrix, 1, 2)
    best = np.linalg.solve(transposed @ matrix + 1e-9 * np.eye(3), transposed @ vector)[..., 0]
    nearest = np.where(weights > 0, points[..., 2] + best[:, 2:], np.inf).min(axis=1)
    return np.where((nearest >= NEAR)[:, None], best, _weak_perspective(points, rays, weights))


def _weak_perspective(points: FloatArray, rays: FloatArray, weights: FloatArray) -> FloatArray:
    """Translation `(N, 3)` that equates centre and standard deviation of points and rays."""
    normalized_weights = (weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9))[..., None]
    centre, ray = (normalized_weights * points).sum(axis=1), (normalized_weights * rays).sum(axis=1)
    sizes = [
        np.sqrt((normalized_weights * (values - mean[:, None]) ** 2).sum(axis=(1, 2)))
        for values, mean in ((points[..., :2], centre[:, :2]), (rays, ray))
    ]
    distance = np.maximum(sizes[0] / np.maximum(sizes[1], 1e-6), NEAR)[:, None]
    return np.asarray(np.concatenate([ray, np.ones_like(distance)], axis=1) * distance - centre)


def _rotated(rotations: FloatArray, vectors: FloatArray) -> FloatArray:
    """Rotate `vectors (n, 3)` by `rotations (N, n, 3, 3)`: `(N, n, 3)`."""
    return np.asarray((rotations @ vectors[..., None])[..., 0])


def _frame(x: FloatArray, y: FloatArray) -> FloatArray:
    """Orthonormal frames with the columns x, y orthogonalized to x, and their cross product."""
    first = normalized(x)
    second = normalized(y - first * np.sum(first * y, axis=-1, keepdims=True))
    return np.stack([first, second, cross(first, second)], axis=-1)
