"""Random people: pose, hands, face and shape, placed in the level frame (x right, y down, z forward)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.backbones.lite.pose_prior import PosePrior
from smplerx_ros.body.model import BodyModel
from smplerx_ros.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from smplerx_ros.types import SmplxParams

POSE_SPREAD = 0.5  # factor of the pose prior's standard deviations; people who stand, walk and gesture
MIN_FINGER_FLEXION, MAX_FINGER_FLEXION = -0.25, 1.1  # radians per finger joint, relative to the relaxed hand
FINGER_JITTER, THUMB_SPREAD = 0.08, 0.25  # radians
JAW_OPEN = 0.3  # radians
SHAPE_SPREAD, EXPRESSION_SPREAD = 0.8, 0.6
MAX_EXPRESSION, MAX_BETA = 1.5, 2.5  # readers of HumanData regard a beta beyond 3 as a failed fit
_THUMB = 4  # row among the fingers
UPRIGHT_LEVEL = np.array([np.pi, 0.0, 0.0])  # global_orient of an upright person facing the camera, level frame


def random_params(rng: np.random.Generator, *, pose_spread: float = POSE_SPREAD, max_yaw: float = np.pi) -> SmplxParams:
    """Draw an upright person at the origin of the level frame.

    Args:
        rng: Random generator.
        pose_spread: Factor of the pose prior's standard deviations.
        max_yaw: Maximum rotation away from facing the camera, radians.
    """
    yaw = matrix_from_rotvec([0.0, rng.uniform(-max_yaw, max_yaw), 0.0])
    left, right = _random_hand(rng), _random_hand(rng) * [1, -1, -1]
    return replace(
        SmplxParams.rest(),
        global_orient=rotvec_from_matrix(yaw @ matrix_from_rotvec(UPRIGHT_LEVEL)),
        body_pose=_random_body(rng, pose_spread).ravel(),
        left_hand_pose=left.ravel(),
        right_hand_pose=right.ravel(),
        jaw_pose=np.array([JAW_OPEN * rng.uniform() ** 2, 0.0, 0.0]),
        betas=(SHAPE_SPREAD * rng.standard_normal(10)).clip(-MAX_BETA, MAX_BETA),
        expression=np.abs(EXPRESSION_SPREAD * rng.standard_normal(10)).clip(0, MAX_EXPRESSION),
    )


def place_on_floor(body: BodyModel, params: SmplxParams, x: float, floor: float, z: float) -> SmplxParams:
    """Translate a person so that the pelvis is at `x`, `z` and the lowest vertex on the floor, `y = floor`; metres."""
    lowest = float(body.vertices(params)[0, :, 1].max())
    pelvis = body.joints(params)[0, 0]
    shift = np.array([x - pelvis[0], floor - lowest, z - pelvis[2]])
    return replace(params, transl=params.transl + shift)


def to_optical_frame(body: BodyModel, params: SmplxParams, optical_from_level: FloatArray) -> SmplxParams:
    """Transform a person from the level frame to the optical frame of a camera at its origin.

    Args:
        body: Body model, for the rest position of the pelvis, about which `global_orient` rotates.
        params: The person in the level frame.
        optical_from_level: `(3, 3)` rotation.
    """
    pelvis = body.rest_joints(params.betas, params.expression)[0, 0]
    rotation = optical_from_level @ matrix_from_rotvec(params.global_orient)
    return replace(
        params,
        global_orient=rotvec_from_matrix(rotation),
        transl=optical_from_level @ (params.transl + pelvis) - pelvis,
    )


def _random_body(rng: np.random.Generator, spread: float) -> FloatArray:
    """Draw the body pose `(21, 3)`, axis-angle; feet stay straight."""
    prior = PosePrior.standard()
    deviation = spread / np.sqrt(np.where(prior.precision > 0, prior.precision, np.inf))
    rotvecs = np.zeros((22, 3))
    rotvecs[prior.joints] = rng.normal(prior.mean, deviation).clip(prior.low, prior.high)
    return rotvecs[1:]


def _random_hand(rng: np.random.Generator) -> FloatArray:
    """Draw a left hand pose `(5, 3, 3)`, axis-angle, between flat hand and fist; fingers flex about -z."""
    mean_flexion = rng.uniform(MIN_FINGER_FLEXION, MAX_FINGER_FLEXION)
    flexion = (mean_flexion + rng.normal(0, 0.25, (5, 1))).clip(MIN_FINGER_FLEXION, MAX_FINGER_FLEXION)
    fingers = FINGER_JITTER * rng.standard_normal((5, 3, 3))
    fingers[..., 2] -= flexion
    fingers[_THUMB] = THUMB_SPREAD * rng.standard_normal((3, 3)) * [1.0, 1.0, 0.3]
    return fingers
