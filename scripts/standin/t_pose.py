"""Conversion of Anny's A-pose to SMPL-X's T-pose: straight arms, flat hands with palms down, vertical legs."""

from __future__ import annotations

from typing import Any

import numpy as np
from anny_source import AnnyData, Shape
from numpy.typing import NDArray
from rig import FINGER_NUMBERS, finger_ends, joint_positions
from scipy.spatial.transform import Rotation

from smplerx_ros.body.skeleton import JOINT_INDEX, JOINT_NAMES, PARENTS
from smplerx_ros.geometry.rotations import normalized, rotation_between

Array = NDArray[Any]

OUTWARD = {"left": np.array([1.0, 0, 0]), "right": np.array([-1.0, 0, 0])}
DOWN = np.array([0, -1.0, 0])
MAX_SPLAY = 0.25  # of a finger, sideways relative to its length
THUMB_DROP = 0.35  # of the thumb, downwards relative to its length
FOREARM_FRACTION = 0.5  # of the rotation that brings the palm down


def to_t_pose(data: AnnyData, weights: Array, shape: Shape) -> tuple[Array, Array]:
    """Return vertices `(V, 3)` and joints `(55, 3)` in the T-pose, with the pelvis at the origin."""
    joints = joint_positions(data, shape)
    rotations = _global_rotations(joints, finger_ends(data, shape))
    moved = np.zeros_like(joints)
    for joint in range(1, len(joints)):
        parent = PARENTS[joint]
        moved[joint] = moved[parent] + rotations[parent] @ (joints[joint] - joints[parent])
    offsets = moved - (rotations @ joints[..., None])[..., 0]
    blended = np.einsum("vj,jab->vab", weights, rotations)
    vertices = (blended @ shape.vertices[..., None])[..., 0] + weights @ offsets
    return vertices, moved


def _global_rotations(joints: Array, ends: dict[str, Array]) -> Array:
    """Return global rotations `(55, 3, 3)` from A-pose to T-pose; other joints follow their parents."""
    at = {name: joints[i] for name, i in JOINT_INDEX.items()}
    own: dict[str, Array] = {}
    for side in OUTWARD:
        own |= _leg(at, side)
        own |= _arm(at, side)
        for finger in FINGER_NUMBERS:
            own |= _finger(at | {f"{side}_{finger}4": ends[f"{side}_{finger}3"]}, own, side, finger)
    rotations = np.tile(np.eye(3), (len(JOINT_NAMES), 1, 1))
    for joint, name in enumerate(JOINT_NAMES[1:], start=1):
        rotations[joint] = own.get(name, rotations[PARENTS[joint]])
    return rotations


def _leg(at: dict[str, Array], side: str) -> dict[str, Array]:
    """Move the ankle straight below the hip as seen from the front; feet stay flat."""
    leg = (at[f"{side}_ankle"] - at[f"{side}_hip"]) * [1, 1, 0]
    return {f"{side}_hip": rotation_between(leg, DOWN), f"{side}_ankle": np.eye(3)}


def _arm(at: dict[str, Array], side: str) -> dict[str, Array]:
    """Align upper arm, forearm and hand horizontally, with the palm down."""
    shoulder, elbow, wrist, middle = (at[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist", "middle1"))
    outward = OUTWARD[side]
    upper = rotation_between(elbow - shoulder, outward)
    fore = rotation_between(upper @ (wrist - elbow), outward) @ upper
    hand = rotation_between(fore @ (middle - wrist), outward) @ fore
    palm = _palm_down(hand @ (at[f"{side}_index1"] - wrist), hand @ (at[f"{side}_pinky1"] - wrist), outward)
    return {
        f"{side}_shoulder": upper,
        f"{side}_elbow": Rotation.from_rotvec(FOREARM_FRACTION * palm).as_matrix() @ fore,
        f"{side}_wrist": Rotation.from_rotvec(palm).as_matrix() @ hand,
    }


def _palm_down(to_index: Array, to_pinky: Array, outward: Array) -> Array:
    """Return the rotation vector about the arm's axis that points the back of the hand up."""
    back = np.cross(to_index, to_pinky) * outward[0]
    return np.array([-np.arctan2(back[2], back[1]), 0, 0])


def _finger(at: dict[str, Array], rotated: dict[str, Array], side: str, finger: str) -> dict[str, Array]:
    """Straighten a finger; `at` also holds its end as joint 4."""
    rotation = rotated[f"{side}_wrist"]
    first, second = at[f"{side}_{finger}1"], at[f"{side}_{finger}2"]
    direction = _finger_direction(rotation @ (second - first), side, finger)
    rotations = {}
    for k in (1, 2, 3):
        bone = at[f"{side}_{finger}{k + 1}"] - at[f"{side}_{finger}{k}"]
        rotation = rotation_between(rotation @ bone, direction) @ rotation
        rotations[f"{side}_{finger}{k}"] = rotation
    return rotations


def _finger_direction(bone: Array, side: str, finger: str) -> Array:
    """Return the direction of the finger of a flat hand, near that of its first bone."""
    direction = normalized(bone)
    if finger == "thumb":
        flat = normalized(direction * [1, 0, 1])
        drop = np.clip(direction[1], -THUMB_DROP, 0)
        return flat * np.sqrt(1 - drop**2) + [0, drop, 0]
    splay = np.clip(direction[2] / np.hypot(direction[0], direction[2]), -MAX_SPLAY, MAX_SPLAY)
    return np.sqrt(1 - splay**2) * OUTWARD[side] + [0, 0, splay]
