"""Names and kinematic tree of SMPL-X's 55 joints, in the model file's order (SMPL-X paper, smplx documentation)."""

from __future__ import annotations

import numpy as np

_BODY = (
    *("pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle"),
    *("spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
)
_FACE = ["jaw", "left_eye", "right_eye"]
FINGERS = ("index", "middle", "pinky", "ring", "thumb")
_BODY_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)


def _hand(side: str) -> list[str]:
    return [f"{side}_{finger}{k}" for finger in FINGERS for k in (1, 2, 3)]


def _parents() -> tuple[int, ...]:
    head = _BODY.index("head")
    parents = [*_BODY_PARENTS, head, head, head]
    for wrist in (_BODY.index("left_wrist"), _BODY.index("right_wrist")):
        for _ in FINGERS:
            first = len(parents)
            parents += [wrist, first, first + 1]
    return tuple(parents)


JOINT_NAMES: tuple[str, ...] = (*_BODY, *_FACE, *_hand("left"), *_hand("right"))
PARENTS: tuple[int, ...] = _parents()
JOINT_INDEX: dict[str, int] = {name: i for i, name in enumerate(JOINT_NAMES)}
LEFT_HAND = slice(25, 40)
RIGHT_HAND = slice(40, 55)

# IS_ANCESTOR[j, i]: joint i is j or an ancestor of j, so that a rotation of i moves j.
IS_ANCESTOR = np.eye(len(PARENTS), dtype=bool)
for _joint, _parent in enumerate(PARENTS):
    if _parent >= 0:
        IS_ANCESTOR[_joint] |= IS_ANCESTOR[_parent]
IS_ANCESTOR.setflags(write=False)

# The 21 mesh vertices that smplx appends to its joints (its documented vertex ids for SMPL-X), in its order.
_FINGER_TIPS = ("thumb", "index", "middle", "ring", "pinky")
EXTRA_JOINT_NAMES: tuple[str, ...] = (
    *("nose", "right_eye_surface", "left_eye_surface", "right_ear", "left_ear"),
    *("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel"),
    *(f"{side}_{finger}_tip" for side in ("left", "right") for finger in _FINGER_TIPS),
)
EXTRA_JOINT_INDEX: dict[str, int] = {name: i for i, name in enumerate(EXTRA_JOINT_NAMES)}
EXTRA_JOINT_VERTICES: tuple[int, ...] = (
    *(9120, 9929, 9448, 616, 6),
    *(5770, 5780, 8846, 8463, 8474, 8635),
    *(5361, 4933, 5058, 5169, 5286),
    *(8079, 7669, 7794, 7905, 8022),
)

# The joints of smplx (144): 55 joints, 21 extra joints, 51 static face landmarks (iBUG 17..67),
# 17 of the face contour (iBUG 0..16).
NUM_STATIC_LANDMARKS = 51
NUM_CONTOUR_LANDMARKS = 17
NUM_LANDMARKS_144 = len(JOINT_NAMES) + len(EXTRA_JOINT_NAMES) + NUM_STATIC_LANDMARKS + NUM_CONTOUR_LANDMARKS


def _hand_137(first_joint: int, first_tip: int) -> list[int]:
    """Three joints and the tip of thumb, index, middle, ring and pinky finger."""
    order = [FINGERS.index(finger) for finger in _FINGER_TIPS]
    return [
        i
        for tip, f in enumerate(order)
        for i in (*range(first_joint + 3 * f, first_joint + 3 * f + 3), first_tip + tip)
    ]


# SMPLer-X's 137 joints as indices into the 144 (parts: body 0:25, left hand 25:45, right hand 45:65, face 65:137).
JOINTS_137: tuple[int, ...] = (
    *(0, 1, 2, 4, 5, 7, 8, 12, 16, 17, 18, 19, 20, 21, 60, 61, 62, 63, 64, 65, 59, 58, 57, 56, 55),
    *_hand_137(LEFT_HAND.start, 66),
    *_hand_137(RIGHT_HAND.start, 71),
    *(22, 15, 57, 56, *range(76, 144)),
)
