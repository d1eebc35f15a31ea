"""Finger joints from the hand's landmarks: hinges for the fingers, swings for the thumb; closed form, batched."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..body.model import BodyModel
from ..body.skeleton import EXTRA_JOINT_INDEX, FINGERS, JOINT_INDEX
from ..geometry.rotations import matrix_from_rotvec, normalized, rotation_between, rotvec_from_matrix

FloatArray = NDArray[np.floating[Any]]

# Landmarks (first joint to tip) of SMPL-X's fingers, in its order.
_CHAINS = np.array([[5, 6, 7, 8], [9, 10, 11, 12], [17, 18, 19, 20], [13, 14, 15, 16], [1, 2, 3, 4]])
_THUMB = FINGERS.index("thumb")
# Radians, after AAOS norms of finger motion: hyperextension, flexion, spread to either side; thumb joint.
_LEAST_FLEXION, _MOST_FLEXION, _MOST_SPREAD, _MOST_THUMB = -0.3, 1.75, 0.35, 1.0


class FingerSolver:
    """Finger rotations of one side (`left` or `right`)."""

    def __init__(self, body: BodyModel, side: str) -> None:
        first = [JOINT_INDEX[f"{side}_{finger}1"] for finger in FINGERS]
        extra = body.extra_joints_rest()
        tips = np.array([extra[EXTRA_JOINT_INDEX[f"{side}_{finger}_tip"]] for finger in FINGERS])
        joints = np.stack([body.joint_template[[j + k for j in first]] for k in range(3)] + [tips])
        self._bones = normalized(np.diff(joints, axis=0))  # (3, 5, 3) directions of the phalanges at rest
        self._outward = 1.0 if side == "left" else -1.0  # fingers point along +x on the left

    def solve(self, optical_from_wrist: FloatArray, points: FloatArray) -> FloatArray:
        """Axis-angle `(N, 15, 3)` from the flat hand, SMPL-X's order, of `points (N, 21, 3)`, optical axes."""
        n = len(points)
        phalanges = np.diff(points[:, _CHAINS], axis=2)  # (N, 5, 3, 3)
        local = np.empty((n, 5, 3, 3, 3))
        parent = np.broadcast_to(optical_from_wrist[:, None], (n, 5, 3, 3))
        for k in range(3):
            seen = normalized((np.swapaxes(parent, -1, -2) @ phalanges[:, :, k, :, None])[..., 0])
            local[:, :, k] = self._hinge(seen, self._bones[k], spread=k == 0)
            local[:, _THUMB, k] = _swing(self._bones[k, _THUMB], seen[:, _THUMB])
            parent = parent @ local[:, :, k]
        return rotvec_from_matrix(local).reshape(n, 15, 3)

    def _hinge(self, seen: FloatArray, rest: FloatArray, *, spread: bool) -> FloatArray:
        """`(N, 5, 3, 3)`: flexion about z towards the palm (-y), after a spread about y at the knuckles."""
        flexion = np.arctan2(
            -seen[..., 1], np.hypot(seen[..., 0], seen[..., 2]) * np.sign(seen[..., 0] * self._outward)
        )
        flexion = flexion - np.arctan2(-rest[:, 1], rest[:, 0] * self._outward)
        flexion = np.clip(_wrapped(flexion), _LEAST_FLEXION, _MOST_FLEXION)
        turn = np.zeros(seen.shape)
        turn[..., 2] = -self._outward * flexion
        rotation = matrix_from_rotvec(turn)
        if spread:
            aside = np.arcsin(np.clip(seen[..., 2], -1, 1)) - np.arcsin(np.clip(rest[:, 2], -1, 1))
            turn = np.zeros(seen.shape)
            turn[..., 1] = -self._outward * np.clip(aside, -_MOST_SPREAD, _MOST_SPREAD) * np.cos(flexion).clip(0)
            rotation = matrix_from_rotvec(turn) @ rotation
        return rotation


def _swing(rest: FloatArray, seen: FloatArray) -> FloatArray:
    """Smallest turn (N, 3, 3) from `rest` to `seen`, no wider than a thumb's joint goes."""
    turn = rotvec_from_matrix(rotation_between(np.broadcast_to(rest, seen.shape), seen))
    angle = np.linalg.norm(turn, axis=-1, keepdims=True)
    return matrix_from_rotvec(turn * np.minimum(1, _MOST_THUMB / np.maximum(angle, 1e-9)))


def _wrapped(angle: FloatArray) -> FloatArray:
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)
