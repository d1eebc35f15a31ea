"""Joint frames along SMPL-X's tree: from the camera's frame to each parent's, as TF wants them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from smplerx_ros.arrays import FloatArray

from .skeleton import PARENTS


def parent_from_joint(
    optical_from_joint: FloatArray, joints: FloatArray, parents: Sequence[int] = PARENTS
) -> tuple[FloatArray, FloatArray]:
    """Rotations `(..., 55, 3, 3)` and translations `(..., 55, 3)` (metres) of each joint in its parent's frame.

    Takes rotations `(..., 55, 3, 3)` and positions `(..., 55, 3)` in the optical frame, the parent of joints whose
    entry in `parents` is negative.
    """
    rotations = np.array(optical_from_joint, dtype=np.float64)
    translations = np.array(joints, dtype=np.float64)
    children = np.flatnonzero(np.array(parents) >= 0)
    above = np.array(parents)[children]
    parent_from_optical = np.swapaxes(rotations[..., above, :, :], -1, -2)
    offsets = translations[..., children, :] - translations[..., above, :]
    local = parent_from_optical @ rotations[..., children, :, :]
    translations[..., children, :] = np.einsum("...ij,...j->...i", parent_from_optical, offsets)
    rotations[..., children, :, :] = local
    return rotations, translations


def parents_among(chosen: Collection[int]) -> list[int]:
    """For each of the 55 joints its nearest ancestor among `chosen`; -1 where there is none."""
    nearest: list[int] = []
    for parent in PARENTS:
        nearest.append(parent if parent < 0 or parent in chosen else nearest[parent])
    return nearest
