"""Transform a person from the camera's optical frame to another frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from smplerx_ros.types import Person


@dataclass(frozen=True, eq=False)
class Placement:
    """Pose of a camera in a target frame: rotation `target_from_optical (3, 3)` and `position (3,)`, metres."""

    target_from_optical: FloatArray
    position: FloatArray

    @property
    def up(self) -> FloatArray:
        """Unit vector `(3,)` of the image's upward direction, in the target frame."""
        return -self.target_from_optical[:, 1]

    def place(self, person: Person) -> Person:
        """Transform `person` from the optical frame to the target frame; image coordinates are unchanged.

        Velocities are only rotated: they remain relative to the camera (pipeline/smoothing/moving_camera.py).
        `transl` is chosen so that joint 0 is at `J0(betas) + transl`, where J0 does not rotate with the frame.
        """
        rotation = self.target_from_optical
        joints = np.asarray(person.joints, np.float64) @ rotation.T + self.position
        rest_pelvis = np.asarray(person.joints[0], np.float64) - person.params.transl
        orient = rotvec_from_matrix(rotation @ matrix_from_rotvec(person.params.global_orient))
        velocities = ("root_velocity", "left_wrist_velocity", "right_wrist_velocity")
        changes: dict[str, Any] = {name: rotation @ getattr(person, name) for name in velocities}
        return replace(
            person,
            params=replace(person.params, global_orient=orient, transl=joints[0] - rest_pelvis),
            joints=joints,  # float64: the person may be far from the target frame's origin
            rotations=None if person.rotations is None else rotation @ person.rotations,
            pose_covariance=_rotated(person.pose_covariance, rotation),
            **changes,
        )


def _rotated(covariance: FloatArray, rotation: FloatArray) -> FloatArray:
    """Rotate a covariance `(6, 6)` by 3x3 blocks, so that an unknown block (NaN) does not affect the others."""
    blocks = np.asarray(covariance, np.float64).reshape(2, 3, 2, 3).swapaxes(1, 2)
    return np.asarray((rotation @ blocks @ rotation.T).swapaxes(1, 2).reshape(6, 6))
