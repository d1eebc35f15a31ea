"""Joint frames along SMPL-X's tree: from the camera's frame to each parent's, as TF wants them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .skeleton import PARENTS

FloatArray = NDArray[np.floating[Any]]

_PARENTS = np.array(PARENTS)


def parent_from_joint(optical_from_joint: FloatArray, joints: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rotations `(..., 55, 3, 3)` and translations `(..., 55, 3)` (metres) of each joint in its parent's frame.

    Takes rotations `(..., 55, 3, 3)` and positions `(..., 55, 3)` in the optical frame, the root's parent.
    """
    rotations = np.array(optical_from_joint, dtype=np.float64)
    translations = np.array(joints, dtype=np.float64)
    parent_from_optical = np.swapaxes(rotations[..., _PARENTS[1:], :, :], -1, -2)
    offsets = translations[..., 1:, :] - translations[..., _PARENTS[1:], :]
    translations[..., 1:, :] = np.einsum("...ij,...j->...i", parent_from_optical, offsets)
    rotations[..., 1:, :, :] = parent_from_optical @ rotations[..., 1:, :, :]
    return rotations, translations
