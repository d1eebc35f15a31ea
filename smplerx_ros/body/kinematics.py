"""Forward kinematics of the joint tree, batched: one matrix product per level of the tree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .skeleton import PARENTS

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.signedinteger[Any]]


def _levels() -> tuple[IntArray, ...]:
    depth = [0]
    for parent in PARENTS[1:]:
        depth.append(depth[parent] + 1)
    return tuple(np.flatnonzero(np.equal(depth, level)) for level in range(1, max(depth) + 1))


_PARENT_OF = np.array(PARENTS)
LEVELS = _levels()


def forward_kinematics(local: FloatArray, rest_joints: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Global rotations `(B, 55, 3, 3)` and joint positions `(B, 55, 3)`, metres.

    `local (B, 55, 3, 3)` turns each joint in its parent's frame (the root in the world's);
    `rest_joints (B, 55, 3)` are the joints at rest. The root stays where it rests.
    """
    rotations = local.copy()
    positions = rest_joints.copy()
    bones = rest_joints - rest_joints[:, np.maximum(_PARENT_OF, 0)]
    for level in LEVELS:
        parents = _PARENT_OF[level]
        parent_rotations = rotations[:, parents]
        rotations[:, level] = parent_rotations @ local[:, level]
        positions[:, level] = positions[:, parents] + (parent_rotations @ bones[:, level, :, None])[..., 0]
    return rotations, positions
