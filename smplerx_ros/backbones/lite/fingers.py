"""Inverse kinematics of the fingers from hand landmarks, in closed form: hinges, and swings for the thumb."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.model import BodyModel
from smplerx_ros.body.skeleton import EXTRA_JOINT_INDEX, FINGERS, JOINT_INDEX
from smplerx_ros.geometry.rotations import matrix_from_rotvec, normalized, rotation_between, rotvec_from_matrix

# Landmarks from the first joint to the tip of each finger, in SMPL-X's order.
_CHAINS = np.array([[5, 6, 7, 8], [9, 10, 11, 12], [17, 18, 19, 20], [13, 14, 15, 16], [1, 2, 3, 4]])
_THUMB = FINGERS.index("thumb")
SIDES = ("left", "right")  # in the order of `FingerSolver.solve`'s indices
# Radians, after the AAOS norms of finger motion: hyperextension, flexion, abduction; rotation of a thumb joint.
_MIN_FLEXION, _MAX_FLEXION, _MAX_ABDUCTION, _MAX_THUMB = -0.3, 1.75, 0.35, 1.0


class FingerSolver:
    """Solves for the finger rotations of a batch of left and right hands."""

    def __init__(self, body: BodyModel) -> None:
        first = np.array([[JOINT_INDEX[f"{side}_{finger}1"] for finger in FINGERS] for side in SIDES])
        tips = np.array([[EXTRA_JOINT_INDEX[f"{side}_{finger}_tip"] for finger in FINGERS] for side in SIDES])
        joints = [body.joint_template[first + k] for k in range(3)] + [body.extra_joints_rest()[tips]]
        # (2, 3, 5, 3) unit vectors of the phalanges at rest
        self._bones = normalized(np.diff(np.stack(joints, axis=1), axis=1))
        self._outward = np.array([1.0, -1.0])  # fingers point along +x on the left

    def solve(self, sides: NDArray[np.intp], optical_from_wrist: FloatArray, points: FloatArray) -> FloatArray:
        """Compute axis-angle rotations `(N, 15, 3)` relative to the flat hand, in SMPL-X's order.

        Args:
            sides: `(N,)` indices into `SIDES`.
            optical_from_wrist: `(N, 3, 3)` rotations.
            points: `(N, 21, 3)` hand landmarks, metres, axes of the optical frame.
        """
        n, bones, outward = len(points), self._bones[sides], self._outward[sides, None]
        phalanges = np.diff(points[:, _CHAINS], axis=2)  # (N, 5, 3, 3)
        local = np.empty((n, 5, 3, 3, 3))
        parent = np.broadcast_to(optical_from_wrist[:, None], (n, 5, 3, 3))
        for k in range(3):
            seen = normalized((np.swapaxes(parent, -1, -2) @ phalanges[:, :, k, :, None])[..., 0])
            local[:, :, k] = _hinge(seen, bones[:, k], outward, abduct=k == 0)
            local[:, _THUMB, k] = _swing(bones[:, k, _THUMB], seen[:, _THUMB])
            parent = parent @ local[:, :, k]
        return rotvec_from_matrix(local).reshape(n, 15, 3)


def _hinge(seen: FloatArray, rest: FloatArray, outward: FloatArray, *, abduct: bool) -> FloatArray:
    """Rotations `(N, 5, 3, 3)`: flexion about z towards the palm (-y), then abduction about y at the knuckles.

    They rotate the directions `rest` to `seen`, `(N, 5, 3)`; `outward (N, 1)` is the sign of x along the fingers.
    """
    flexion = np.arctan2(-seen[..., 1], np.hypot(seen[..., 0], seen[..., 2]) * np.sign(seen[..., 0] * outward))
    flexion = flexion - np.arctan2(-rest[..., 1], rest[..., 0] * outward)
    flexion = np.clip(_wrapped(flexion), _MIN_FLEXION, _MAX_FLEXION)
    rotvec = np.zeros(seen.shape)
    rotvec[..., 2] = -outward * flexion
    rotation = matrix_from_rotvec(rotvec)
    if abduct:
        abduction = np.arcsin(np.clip(seen[..., 2], -1, 1)) - np.arcsin(np.clip(rest[..., 2], -1, 1))
        rotvec = np.zeros(seen.shape)
        rotvec[..., 1] = -outward * np.clip(abduction, -_MAX_ABDUCTION, _MAX_ABDUCTION) * np.cos(flexion).clip(0)
        rotation = matrix_from_rotvec(rotvec) @ rotation
    return rotation


def _swing(rest: FloatArray, seen: FloatArray) -> FloatArray:
    """Smallest rotation `(N, 3, 3)` from `rest` to `seen`, limited to a thumb joint's range."""
    rotvec = rotvec_from_matrix(rotation_between(rest, seen))
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    return matrix_from_rotvec(rotvec * np.minimum(1, _MAX_THUMB / np.maximum(angle, 1e-9)))


def _wrapped(angle: FloatArray) -> FloatArray:
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)
