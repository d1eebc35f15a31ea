"""Forward kinematics of the joint tree, batched: one matrix product per level of the tree."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from smplerx_ros.arrays import FloatArray

from .skeleton import PARENTS

_PARENT_OF = np.array(PARENTS)


def _depths() -> list[int]:
    depths = [0]
    for parent in PARENTS[1:]:
        depths.append(depths[parent] + 1)
    return depths


_DEPTHS = _depths()
_BY_LEVEL = np.argsort(_DEPTHS, kind="stable")  # joints in the order of their levels
_PLACE = np.argsort(_BY_LEVEL)  # of each joint in that order
_ENDS = np.searchsorted(np.sort(_DEPTHS), np.arange(max(_DEPTHS) + 1), side="right").tolist()
_ROWS = [slice(begin, end) for begin, end in pairwise(_ENDS)]  # of each level but the root's, in that order
LEVELS = tuple(_BY_LEVEL[rows] for rows in _ROWS)  # their joints


def forward_kinematics(local: FloatArray, rest_joints: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Global rotations `(B, 55, 3, 3)` and joint positions `(B, 55, 3)`, metres.

    `local (B, 55, 3, 3)` turns each joint in its parent's frame (the root in the world's);
    `rest_joints (B, 55, 3)` are the joints at rest. The root stays where it rests.
    """
    bones = rest_joints - rest_joints.take(np.maximum(_PARENT_OF, 0), axis=1)
    bones[:, 0] = rest_joints[:, 0]
    moves = np.zeros((len(PARENTS), len(local), 4, 4))  # rotation and bone of each joint, level after level
    moves[..., :3, :3] = local.transpose(1, 0, 2, 3)[_BY_LEVEL]
    moves[..., :3, 3] = bones.transpose(1, 0, 2)[_BY_LEVEL]
    moves[..., 3, 3] = 1
    for rows, joints in zip(_ROWS, LEVELS, strict=True):
        moves[rows] = moves[_PLACE[_PARENT_OF[joints]]] @ moves[rows]
    moved = moves[_PLACE].transpose(1, 0, 2, 3)
    return moved[..., :3, :3], moved[..., :3, 3]
