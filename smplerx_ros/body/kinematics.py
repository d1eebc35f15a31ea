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
_ROW = np.argsort(_BY_LEVEL)  # of each joint in that order
_ENDS = np.searchsorted(np.sort(_DEPTHS), np.arange(max(_DEPTHS) + 1), side="right").tolist()
_LEVEL_ROWS = [slice(begin, end) for begin, end in pairwise(_ENDS)]  # of each level below the root, in that order
LEVELS = tuple(_BY_LEVEL[rows] for rows in _LEVEL_ROWS)  # the joints of each level below the root


def forward_kinematics(local: FloatArray, rest_joints: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Compute global joint rotations and positions (SMPL paper, equations 3 and 4).

    Args:
        local: `(B, 55, 3, 3)` rotation of each joint in its parent's frame, of the root in the world frame.
        rest_joints: `(B, 55, 3)` joint positions at rest, metres.

    Returns:
        Rotations `(B, 55, 3, 3)` and positions `(B, 55, 3)`, metres; the root keeps its rest position.
    """
    bones = rest_joints - rest_joints.take(np.maximum(_PARENT_OF, 0), axis=1)
    bones[:, 0] = rest_joints[:, 0]
    transforms = np.zeros((len(PARENTS), len(local), 4, 4))  # of each joint, sorted by level; first from its parent
    transforms[..., :3, :3] = local.transpose(1, 0, 2, 3)[_BY_LEVEL]
    transforms[..., :3, 3] = bones.transpose(1, 0, 2)[_BY_LEVEL]
    transforms[..., 3, 3] = 1
    for rows, joints in zip(_LEVEL_ROWS, LEVELS, strict=True):
        transforms[rows] = transforms[_ROW[_PARENT_OF[joints]]] @ transforms[rows]
    by_joint = transforms[_ROW].transpose(1, 0, 2, 3)
    return by_joint[..., :3, :3], by_joint[..., :3, 3]
