"""SMPL-X's 55 joints: names and tree, in the order of the model file (SMPL-X paper; smplx's documentation)."""

from __future__ import annotations

import numpy as np

_BODY = (
    "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 left_foot right_foot "
    "neck left_collar right_collar head left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist"
).split()
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

# is_ancestor[j, i]: joint i is j or lies between j and the root, so that turning i moves j.
IS_ANCESTOR = np.eye(len(PARENTS), dtype=bool)
for _joint, _parent in enumerate(PARENTS):
    if _parent >= 0:
        IS_ANCESTOR[_joint] |= IS_ANCESTOR[_parent]
IS_ANCESTOR.setflags(write=False)
