"""A first pose from 3-D landmarks, in closed form: where the refinement starts.

Trunk and head are turned to the frames that left, right, up and down landmarks span; each limb is swung from its
parent to its direction and rolled so that elbow or knee bends in the plane of the limb.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..body.skeleton import JOINT_INDEX, JOINT_NAMES, PARENTS
from ..geometry.rotations import cross, matrix_from_rotvec, normalized, rotation_between, rotvec_from_matrix
from .points import NUM_BODY_JOINTS, POINT_INDEX, BodyPoints

FloatArray = NDArray[np.floating[Any]]

_STRAIGHT = 0.15  # sine of the bend below which a limb's plane is noise
_CLEARLY_BENT = 0.5


def initial_rotations(points: BodyPoints, world: FloatArray) -> FloatArray:
    """`(N, 22, 3, 3)` parent_from_joint for landmarks `world (N, 33, 3)` of BlazePose, metres, optical axes."""
    rest = points.points_rest[..., 0]
    at = {name: rest[i] for name, i in POINT_INDEX.items()}
    joint_at = points.joints_rest[..., 0]
    frames = _trunk(at, world)
    for side, odd in (("left", 0), ("right", 1)):
        _arm(frames, joint_at, side, world[:, [11 + odd, 13 + odd, 15 + odd]])
        _leg(frames, joint_at, at, side, world[:, [23 + odd, 25 + odd, 27 + odd, 29 + odd, 31 + odd]])
    return _local(frames, len(world))


def placed(point_places: FloatArray, rays: FloatArray, weights: FloatArray) -> FloatArray:
    """Translation `(N, 3)` that brings points `(N, K, 3)` onto rays `(N, K, 2)` best: linear least squares.

    x + t_x = u (z + t_z) and y + t_y = v (z + t_z) for each point.
    """
    n, k = weights.shape
    rows = np.zeros((n, k, 2, 3))
    rows[:, :, 0, 0] = rows[:, :, 1, 1] = 1
    rows[..., 2] = -rays
    right = rays * point_places[..., 2:] - point_places[..., :2]
    matrix = (rows * weights[..., None, None]).reshape(n, 2 * k, 3)
    vector = (right * weights[..., None]).reshape(n, 2 * k, 1)
    transposed = np.swapaxes(matrix, 1, 2)
    return np.asarray(np.linalg.solve(transposed @ matrix + 1e-9 * np.eye(3), transposed @ vector)[..., 0])


def _trunk(at: dict[str, FloatArray], world: FloatArray) -> dict[str, FloatArray]:
    """Orientations of pelvis, spine, neck, head and collars by name."""
    hips, shoulders = (world[:, 23] + world[:, 24]) / 2, (world[:, 11] + world[:, 12]) / 2
    rest_up = (at["left_shoulder"] + at["right_shoulder"] - at["left_hip"] - at["right_hip"]) / 2
    up = shoulders - hips
    pelvis = _turn(at["left_hip"] - at["right_hip"], rest_up, world[:, 23] - world[:, 24], up)
    chest = _turn(at["left_shoulder"] - at["right_shoulder"], rest_up, world[:, 11] - world[:, 12], up)
    rest_ears = at["left_ear"] - at["right_ear"]
    rest_nose = at["nose"] - (at["left_ear"] + at["right_ear"]) / 2
    head = _turn(rest_ears, rest_nose, world[:, 7] - world[:, 8], world[:, 0] - (world[:, 7] + world[:, 8]) / 2)
    spine = {f"spine{i}": _between(pelvis, chest, i / 3) for i in (1, 2, 3)}
    return {
        "pelvis": pelvis,
        **spine,
        "neck": _between(chest, head, 0.5),
        "head": head,
        "left_collar": chest,
        "right_collar": chest,
    }


def _arm(frames: dict[str, FloatArray], at: FloatArray, side: str, chain: FloatArray) -> None:
    """Shoulder, elbow and wrist from landmarks shoulder, elbow, wrist `(N, 3, 3)`; the forearm bends to the front."""
    names = [f"{side}_{part}" for part in ("shoulder", "elbow", "wrist")]
    hinge = np.array([0.0, -1.0 if side == "left" else 1.0, 0.0])
    frames[names[0]], frames[names[1]] = _limb(
        frames[f"{side}_collar"], [at[JOINT_INDEX[n]] for n in names], chain, hinge, 1.9
    )
    frames[names[2]] = frames[names[1]]


def _leg(
    frames: dict[str, FloatArray], at: FloatArray, points: dict[str, FloatArray], side: str, chain: FloatArray
) -> None:
    """Hip, knee, ankle and foot from landmarks hip, knee, ankle, heel, toe `(N, 5, 3)`; the knee bends to the back."""
    names = [f"{side}_{part}" for part in ("hip", "knee", "ankle")]
    frames[names[0]], shin = _limb(
        frames["pelvis"], [at[JOINT_INDEX[n]] for n in names], chain[:, :3], np.array([1.0, 0.0, 0.0]), 0.8
    )
    sole = points[f"{side}_big_toe"] - points[f"{side}_heel"]
    frames[names[1]] = shin
    frames[names[2]] = rotation_between(shin @ sole, chain[:, 4] - chain[:, 3]) @ shin


def _limb(
    parent: FloatArray, rest: list[FloatArray], chain: FloatArray, hinge: FloatArray, most: float
) -> tuple[FloatArray, FloatArray]:
    """Orientations (N, 3, 3) of the upper and lower half of a limb whose lower half turns about `hinge` at rest."""
    upper, lower = normalized(chain[:, 1] - chain[:, 0]), normalized(chain[:, 2] - chain[:, 1])
    first: FloatArray = rotation_between(parent @ (rest[1] - rest[0]), upper) @ parent
    wanted = cross(upper, lower)
    bend = np.linalg.norm(wanted, axis=-1)
    axis = first @ hinge
    square = normalized(axis - upper * np.sum(axis * upper, axis=-1, keepdims=True))
    roll = np.arctan2(np.sum(cross(square, wanted) * upper, axis=-1), np.sum(square * wanted, axis=-1))
    trust = np.clip((bend - _STRAIGHT) / (_CLEARLY_BENT - _STRAIGHT), 0, 1)
    roll = np.clip(roll, -most, most) * np.where(np.abs(roll) < 2 * most, trust, 0)
    first = matrix_from_rotvec(upper * roll[:, None]) @ first
    return first, rotation_between(first @ (rest[2] - rest[1]), lower) @ first


def _turn(rest_x: FloatArray, rest_y: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Rotation taking the frame that spans `rest_x, rest_y` to the one of `x, y (N, 3)`."""
    return _frame(x, y) @ _frame(rest_x, rest_y).T


def _frame(x: FloatArray, y: FloatArray) -> FloatArray:
    """Columns: x, y made square to it, and their cross product."""
    first = normalized(x)
    second = normalized(y - first * np.sum(first * y, axis=-1, keepdims=True))
    return np.stack([first, second, cross(first, second)], axis=-1)


def _between(a: FloatArray, b: FloatArray, share: float) -> FloatArray:
    """Rotation `share` of the way from `a` to `b (N, 3, 3)`."""
    return a @ matrix_from_rotvec(share * rotvec_from_matrix(np.swapaxes(a, -1, -2) @ b))


def _local(frames: dict[str, FloatArray], n: int) -> FloatArray:
    """parent_from_joint of the oriented joints; the others keep their parent's orientation."""
    rotations: FloatArray = np.broadcast_to(np.eye(3), (n, NUM_BODY_JOINTS, 3, 3)).copy()
    for name, frame in frames.items():
        joint = JOINT_INDEX[name]
        rotations[:, joint] = frame
        if joint:
            rotations[:, joint] = np.swapaxes(frames[JOINT_NAMES[PARENTS[joint]]], -1, -2) @ frame
    return rotations
