"""How sure each of the 55 joints is, from the visibility of the landmarks that show it."""

from __future__ import annotations

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.skeleton import JOINT_INDEX, LEFT_HAND, RIGHT_HAND
from smplerx_ros.types import NUM_JOINTS

from .landmarks import PersonLandmarks

_UNSEEN = 0.1  # factor on what depends on a hand or face that was not found: it keeps a prior pose

# Joint: the body landmarks whose mean visibility it takes.
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


_MEANS = np.zeros((NUM_JOINTS, 33))  # confidences of the joints from visibilities
for _joint, _landmarks in _SHOWN_BY.items():
    _MEANS[JOINT_INDEX[_joint], list(_landmarks)] = 1 / len(_landmarks)


def joint_confidence(person: PersonLandmarks) -> FloatArray:
    """`(55,)` 0..1 per joint."""
    confidence = _MEANS @ person.body.visibility
    head = confidence[JOINT_INDEX["head"]]
    confidence[[JOINT_INDEX[n] for n in ("jaw", "left_eye", "right_eye")]] = (
        _UNSEEN * head if person.face is None else person.face.score
    )
    for side, fingers, hand in (("left", LEFT_HAND, person.left_hand), ("right", RIGHT_HAND, person.right_hand)):
        confidence[fingers] = _UNSEEN * confidence[JOINT_INDEX[f"{side}_wrist"]] if hand is None else hand.score
    return np.asarray(confidence * person.body.score, np.float32)
