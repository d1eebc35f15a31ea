"""hri_msgs/Skeleton2D's 18 points (OpenPose's COCO order, with a neck) from SMPL-X's joints in the image."""

from __future__ import annotations

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.skeleton import JOINT_INDEX

# The first five of the body's extra joints (EXTRA_JOINT_NAMES), in this order.
FACE_POINTS = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")

_LIMBS = [f"{side}_{name}" for side in ("right", "left") for name in ("shoulder", "elbow", "wrist")]
_LIMBS += [f"{side}_{name}" for side in ("right", "left") for name in ("hip", "knee", "ankle")]
KEYPOINTS: tuple[str, ...] = ("nose", "neck", *_LIMBS, "left_eye", "right_eye", "left_ear", "right_ear")

_FROM_JOINTS = [JOINT_INDEX[name] for name in _LIMBS]
_FROM_FACE = [FACE_POINTS.index(name) for name in ("nose", *KEYPOINTS[-4:])]
_SHOULDERS = [JOINT_INDEX["left_shoulder"], JOINT_INDEX["right_shoulder"]]
_HEAD = JOINT_INDEX["head"]


def keypoints(joints: FloatArray, confidence: FloatArray, face: FloatArray, width: int, height: int) -> FloatArray:
    """The 18 keypoints of hri_msgs/Skeleton2D.

    Args:
        joints: SMPL-X joints in the image `(P, 55, 2)`, pixels.
        confidence: Of the joints `(P, 55)`.
        face: FACE_POINTS in the image `(P, 5, 2)`, pixels.
        width: Of the image, pixels.
        height: Of the image, pixels.

    Returns:
        `(P, 18, 3)`: normalized x and y, and confidence, see `normalized_points`. The neck is midway between the
        shoulders, as usual with COCO.
    """
    head = np.repeat(confidence[:, _HEAD, None], 5, axis=1)
    neck = joints[:, _SHOULDERS].mean(axis=1, keepdims=True)
    nose_and_rest = face[:, _FROM_FACE]
    pixels = np.concatenate([nose_and_rest[:, :1], neck, joints[:, _FROM_JOINTS], nose_and_rest[:, 1:]], axis=1)
    sure = np.concatenate(
        [head[:, :1], confidence[:, _SHOULDERS].min(axis=1)[:, None], confidence[:, _FROM_JOINTS], head[:, 1:]], axis=1
    )
    return normalized_points(pixels, sure, width, height)


def normalized_points(pixels: FloatArray, confidence: FloatArray, width: int, height: int) -> FloatArray:
    """Points `(..., 2)` in pixels to `(..., 3)`: x and y in 0..1 of the image, and confidence.

    Points outside the image are moved to its edge, with confidence 0. REP-155 allows 0..1 only, and its readers treat
    0 as not found, so an unknown confidence (NaN) becomes 1.
    """
    share = np.nan_to_num((np.asarray(pixels, np.float64) + 0.5) / (width, height), nan=-1.0)
    inside = ((share >= 0) & (share <= 1)).all(axis=-1)
    sure = np.where(inside, np.clip(np.nan_to_num(confidence, nan=1.0), 0, 1), 0.0)
    return np.concatenate([np.clip(share, 0, 1), sure[..., None]], axis=-1)
