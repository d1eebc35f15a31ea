"""A person seen from another frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from smplerx_ros.types import Person


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a camera is in a target frame: `target_from_optical (3, 3)` and its `position (3,)`, metres."""

    target_from_optical: FloatArray
    position: FloatArray

    @property
    def up(self) -> FloatArray:
        """`(3,)`: the image's upwards direction in the target frame."""
        return -self.target_from_optical[:, 1]

    def place(self, person: Person) -> Person:
        """The same person in the target frame; what is measured in the image stays.

        Velocities are turned, not corrected: they stay those against the camera
        (pipeline/smoothing/moving_camera.py). A body model's joint 0 is at
        `J0(betas) + transl`, and J0 does not turn with the frame.
        """
        turn = self.target_from_optical
        joints = np.asarray(person.joints, np.float64) @ turn.T + self.position
        rest_pelvis = np.asarray(person.joints[0], np.float64) - person.params.transl
        orient = rotvec_from_matrix(turn @ matrix_from_rotvec(person.params.global_orient))
        velocities = ("root_velocity", "left_wrist_velocity", "right_wrist_velocity")
        changes: dict[str, Any] = {name: turn @ getattr(person, name) for name in velocities}
        return replace(
            person,
            params=replace(person.params, global_orient=orient, transl=joints[0] - rest_pelvis),
            joints=joints,  # float64: a target frame may lie far from its origin
            rotations=None if person.rotations is None else turn @ person.rotations,
            pose_covariance=_turned(person.pose_covariance, turn),
            **changes,
        )


def _turned(covariance: FloatArray, turn: FloatArray) -> FloatArray:
    """`(6, 6)` in another frame, block by block: an unknown block (NaN) leaves the others as they are."""
    blocks = np.asarray(covariance, np.float64).reshape(2, 3, 2, 3).swapaxes(1, 2)
    return np.asarray((turn @ blocks @ turn.T).swapaxes(1, 2).reshape(6, 6))
