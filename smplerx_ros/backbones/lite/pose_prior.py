"""Pose prior: mean, standard deviation and limits of each body joint's rotation.

Values are axis-angle components in the SMPL-X joint frames (x left, y up, z front at rest), radians. They are coarse
approximations of common ranges of motion (such as the AAOS norms: elbow 150, knee 135, hip 120 degrees of flexion),
which keep an unseen limb in a relaxed pose and prevent joints from bending backwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.skeleton import JOINT_INDEX

Triple = tuple[float, float, float]

# Joint: mean, standard deviation, minimum, maximum; the right side mirrors the left.
_TABLE: dict[str, tuple[Triple, Triple, Triple, Triple]] = {
    "pelvis": ((0, 0, 0), (np.inf, np.inf, np.inf), (-9, -9, -9), (9, 9, 9)),
    "spine1": ((0.05, 0, 0), (0.20, 0.15, 0.15), (-0.4, -0.4, -0.4), (0.8, 0.4, 0.4)),
    "spine2": ((0.05, 0, 0), (0.15, 0.15, 0.12), (-0.3, -0.4, -0.3), (0.6, 0.4, 0.3)),
    "spine3": ((0.0, 0, 0), (0.12, 0.15, 0.12), (-0.3, -0.4, -0.3), (0.4, 0.4, 0.3)),
    "neck": ((0.1, 0, 0), (0.25, 0.30, 0.20), (-0.6, -0.8, -0.5), (0.8, 0.8, 0.5)),
    "head": ((0, 0, 0), (0.25, 0.35, 0.20), (-0.6, -0.9, -0.5), (0.6, 0.9, 0.5)),
    "left_collar": ((0, 0, -0.05), (0.08, 0.12, 0.15), (-0.2, -0.4, -0.3), (0.2, 0.4, 0.6)),
    "left_shoulder": ((0.0, -0.1, -1.1), (0.7, 0.8, 0.8), (-2.2, -2.6, -1.9), (2.2, 1.2, 1.9)),
    "left_elbow": ((0, -0.4, 0), (0.6, 0.9, 0.10), (-1.6, -2.7, -0.2), (1.6, 0.0, 0.2)),
    "left_wrist": ((0, 0, -0.1), (0.12, 0.30, 0.40), (-0.4, -0.7, -1.3), (0.4, 0.7, 1.3)),
    "left_hip": ((-0.1, 0.05, 0.03), (0.6, 0.22, 0.30), (-2.3, -0.9, -0.6), (0.7, 0.9, 1.2)),
    "left_knee": ((0.15, 0, 0), (0.7, 0.08, 0.06), (0.0, -0.3, -0.15), (2.6, 0.3, 0.15)),
    "left_ankle": ((0, 0.05, 0), (0.30, 0.10, 0.08), (-0.7, -0.6, -0.4), (0.8, 0.6, 0.4)),
}


@dataclass(frozen=True, eq=False)
class PosePrior:
    """Independent normal distributions and limits of the rotations of F joints."""

    joints: NDArray[np.intp]  # (F,) indices of the joints
    mean: FloatArray  # (F, 3) radians
    precision: FloatArray  # (F, 3) 1/rad^2
    low: FloatArray  # (F, 3) radians
    high: FloatArray  # (F, 3) radians

    @classmethod
    def standard(cls) -> PosePrior:
        """Make the prior of the table above, for both sides."""
        rows = dict(_TABLE)
        for name, (mean, sigma, low, high) in _TABLE.items():
            if name.startswith("left_"):
                right = name.replace("left_", "right_")
                rows[right] = _mirrored(mean, mean)[0], sigma, *_mirrored(low, high)
        names = sorted(rows, key=JOINT_INDEX.__getitem__)
        columns = [np.array([rows[name][k] for name in names], np.float64) for k in range(4)]
        return cls(
            np.array([JOINT_INDEX[name] for name in names]), columns[0], 1 / columns[1] ** 2, columns[2], columns[3]
        )


def _mirrored(low: Triple, high: Triple) -> tuple[Triple, Triple]:
    """Mirror a range to the other side: rotations about y and z change their signs."""
    return (low[0], -high[1], -high[2]), (high[0], -low[1], -low[2])
