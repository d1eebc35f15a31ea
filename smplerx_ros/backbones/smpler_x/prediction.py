"""Convert the networks' raw outputs to SMPL-X parameters, for all runtimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.constants import CROP_HEIGHT, CROP_WIDTH
from smplerx_ros.geometry.crops import CROP_FOCAL
from smplerx_ros.geometry.rotations import cross, rotvec_from_matrix
from smplerx_ros.types import Estimated, SmplxParams

from .confidence import joint_confidence, unknown_confidence

# Side in metres of the scene that fills the crop at the distance where the sigmoid of the raw camera is one (SMPLer-X).
SCENE_SIDE_M = 2.5
CAMERA_DEPTH_M = sqrt(CROP_FOCAL**2 * SCENE_SIDE_M**2 / (CROP_HEIGHT * CROP_WIDTH))

# Rows of `pose_6d (B, 53, 6)`.
ROTATIONS = {
    "global_orient": slice(0, 1),
    "body_pose": slice(1, 22),
    "left_hand_pose": slice(22, 37),
    "right_hand_pose": slice(37, 52),
    "jaw_pose": slice(52, 53),
}
# Not the eyes; `transl` follows from the size that the network assumes.
ESTIMATED = (
    Estimated.GLOBAL_ORIENT
    | Estimated.BODY_POSE
    | Estimated.LEFT_HAND_POSE
    | Estimated.RIGHT_HAND_POSE
    | Estimated.JAW_POSE
    | Estimated.BETAS
    | Estimated.EXPRESSION
    | Estimated.TRANSL
)
_TINY = 1e-12  # minimum norm of a direction


@dataclass(frozen=True, eq=False)
class Prediction:
    """SMPL-X parameters of B crops, float32. Rotations are axis-angle in radians; hand poses relative to the mean hand.

    `cam_transl` is in metres in the crop's virtual camera (focal length 5000 pixels of the 256x192 crop, principal
    point at its centre), and not valid for the real camera. `joint_img` are 25 body, 20 left and 20 right hand joints:
    (x, y) in 16-pixel cells of the crop, and a depth bin 0..15 (of the body or of the hand). `part_boxes` are left
    hand, right hand and face as (x0, y0, x1, y1) in pixels of the crop. `joint_spread` is the standard deviation of the
    heat maps of the same 65 joints in cells, for a hand in cells of its own heat map. These three are None for
    SMPLest-X, which has no heat maps; `joint_spread` is also None for bundles of format 1.
    """

    global_orient: FloatArray  # (B, 3)
    body_pose: FloatArray  # (B, 63)
    left_hand_pose: FloatArray  # (B, 45)
    right_hand_pose: FloatArray  # (B, 45)
    jaw_pose: FloatArray  # (B, 3)
    betas: FloatArray  # (B, 10)
    expression: FloatArray  # (B, 10)
    cam_transl: FloatArray  # (B, 3)
    joint_img: FloatArray | None = None  # (B, 65, 3)
    part_boxes: FloatArray | None = None  # (B, 3, 4)
    joint_spread: FloatArray | None = None  # (B, 65)

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, FloatArray]) -> Prediction:
        """Convert raw outputs: `pose_6d (B, 53, 6)`, `betas`, `expression`, `camera (B, 3)` and optional ones."""
        rotvec = rotvec_from_6d(outputs["pose_6d"]).astype(np.float32)
        return cls(
            **{
                name: rotvec[:, rows].reshape(len(rotvec), 3 * (rows.stop - rows.start))
                for name, rows in ROTATIONS.items()
            },
            betas=outputs["betas"],
            expression=outputs["expression"],
            cam_transl=camera_translation(outputs["camera"]),
            joint_img=outputs.get("joint_img"),
            part_boxes=outputs.get("part_boxes"),
            joint_spread=outputs.get("joint_spread"),
        )

    @property
    def confidence(self) -> FloatArray:
        """Confidence of each joint `(B, 55)`, 0..1 (confidence.py); NaN if the network has no heat maps."""
        return unknown_confidence(len(self.betas)) if self.joint_spread is None else joint_confidence(self.joint_spread)

    @property
    def params(self) -> SmplxParams:
        """Batch of parameters in the crop's camera; eye poses, which the networks do not estimate, are NaN."""
        names = ("global_orient", "body_pose", "left_hand_pose", "right_hand_pose", "jaw_pose", "betas", "expression")
        eyes = np.full((len(self.betas), 3), np.nan, np.float32)
        known = {name: getattr(self, name) for name in names}
        return SmplxParams(**known, leye_pose=eyes, reye_pose=eyes, transl=self.cam_transl, estimated=ESTIMATED)


def camera_translation(camera: ArrayLike) -> FloatArray:
    """Convert the raw camera `(B, 3)` to a translation `(B, 3)` float32, metres."""
    raw = np.asarray(camera, dtype=np.float64)
    depth = CAMERA_DEPTH_M * 0.5 * (1 + np.tanh(raw[..., 2:] / 2))  # the sigmoid, without overflow
    return np.concatenate([raw[..., :2], depth], axis=-1).astype(np.float32)


def rotvec_from_6d(rotations_6d: ArrayLike) -> FloatArray:
    """Convert 6-D rotations `(..., 6)` to axis-angle `(..., 3)`, angle in [0, pi].

    A 6-D rotation is the first two columns of a matrix, row by row (Zhou et al. 2019, "On the continuity of rotation
    representations"). Zero or parallel columns give a deterministic finite rotation.
    """
    columns = np.asarray(rotations_6d, dtype=np.float64).reshape(*np.shape(rotations_6d)[:-1], 3, 2)
    first = _unit(columns[..., 0])
    second = _unit(columns[..., 1] - np.sum(first * columns[..., 1], axis=-1, keepdims=True) * first)
    matrix = np.stack([first, second, cross(first, second)], axis=-1)
    return rotvec_from_matrix(matrix)


def _unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _TINY))
