"""Confidence of the 55 joints, from the visibility of the landmarks near them."""

from __future__ import annotations

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.skeleton import JOINT_INDEX, LEFT_HAND, RIGHT_HAND
from smplerx_ros.types import NUM_JOINTS

from .landmarks import PersonLandmarks

_UNSEEN = 0.1  # factor for joints of an undetected hand or face, which keep a prior pose

# Body landmarks whose mean visibility is the joint's confidence.
_SHOWN_BY: dict[str, tuple[int, ...]] = {
    "pelvis": (23, 24),
    "spine1": (23, 24),
    "spine2": (11, 12, 23, 24),
    "spine3": (11, 12, 23, 24),
    "neck": (11, 12),
    "head": (0, 7, 8),
    **{
        f"{side}_{joint}": (landmark + odd,)
        for side, odd in (("left", 0), ("right", 1))
        for joint, landmark in {
            "collar": 11,
            "shoulder": 11,
            "elbow": 13,
            "wrist": 15,
            "hip": 23,
            "knee": 25,
            "ankle": 27,
            "foot": 31,
        }.items()
    },
}


_MEANS = np.zeros((NUM_JOINTS, 33))  # maps visibilities to confidences
for _joint, _landmarks in _SHOWN_BY.items():
    _MEANS[JOINT_INDEX[_joint], list(_landmarks)] = 1 / len(_landmarks)


def joint_confidence(person: PersonLandmarks) -> FloatArray:
    """Confidence of each joint, `(55,)`, 0..1."""
    confidence = _MEANS @ person.body.visibility
    head = confidence[JOINT_INDEX["head"]]
    confidence[[JOINT_INDEX[n] for n in ("jaw", "left_eye", "right_eye")]] = (
        _UNSEEN * head if person.face is None else person.face.score
    )
    for side, fingers, hand in (("left", LEFT_HAND, person.left_hand), ("right", RIGHT_HAND, person.right_hand)):
        confidence[fingers] = _UNSEEN * confidence[JOINT_INDEX[f"{side}_wrist"]] if hand is None else hand.score
    return np.asarray(confidence * person.body.score, np.float32)
