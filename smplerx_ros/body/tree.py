"""Express joint frames relative to their parents, as TF requires."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from smplerx_ros.arrays import FloatArray

from .skeleton import PARENTS


def parent_from_joint(
    optical_from_joint: FloatArray, joints: FloatArray, parents: Sequence[int] = PARENTS
) -> tuple[FloatArray, FloatArray]:
    """Transform joint frames from the optical frame to the frames of their parents.

    Args:
        optical_from_joint: `(..., 55, 3, 3)` rotations.
        joints: `(..., 55, 3)` positions in the optical frame, metres.
        parents: Index of each joint's parent; negative where the parent is the optical frame.

    Returns:
        Rotations `(..., 55, 3, 3)` and translations `(..., 55, 3)`, metres, of each joint in its parent's frame.
    """
    rotations = np.array(optical_from_joint, dtype=np.float64)
    translations = np.array(joints, dtype=np.float64)
    children = np.flatnonzero(np.array(parents) >= 0)
    parent = np.array(parents)[children]
    parent_from_optical = np.swapaxes(rotations[..., parent, :, :], -1, -2)
    offsets = translations[..., children, :] - translations[..., parent, :]
    local = parent_from_optical @ rotations[..., children, :, :]
    translations[..., children, :] = np.einsum("...ij,...j->...i", parent_from_optical, offsets)
    rotations[..., children, :, :] = local
    return rotations, translations


def parents_among(chosen: Collection[int]) -> list[int]:
    """Nearest ancestor among `chosen` for each of the 55 joints; -1 where there is none."""
    nearest: list[int] = []
    for parent in PARENTS:
        nearest.append(parent if parent < 0 or parent in chosen else nearest[parent])
    return nearest
