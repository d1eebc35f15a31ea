"""Left stays left: undo the exchanges of sides that the body network makes.

Where legs pass each other in profile, or a back looks like a chest, BlazePose may exchange left and right, for a frame
or for half a second. Bodies do not: the limbs that the fit expects from the frames before tell which side is which,
until after `MAX_HELD` seconds in a row the network is believed: then the frames before were wrong, and their pose tells
nothing of the next.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray

from .landmarks import PersonLandmarks
from .topology import BODY_POINTS

MAX_ELAPSED = 0.12  # seconds: a walker's legs change places within a quarter of a second
MAX_HELD = 0.7  # seconds; no exchange on the demo clip or six videos of Pose2Sim's lasted longer than half a second
MIN_MISFIT = 0.04  # of the region's side, mean over a group: what misses less is no exchange
MAX_RATIO = 0.6  # the exchanged labels must fit this much better


def _pairs(names: str) -> NDArray[np.intp]:
    return np.array([[BODY_POINTS.index(f"{side}_{name}") for side in ("left", "right")] for name in names.split()])


_FACE = np.array([[1, 4], [2, 5], [3, 6], [7, 8], [9, 10]])
_HAND = _pairs("pinky index thumb")
# Above and below the waist: the pairs that tell, and those that follow.
_TELLING = (_pairs("shoulder elbow wrist"), _pairs("hip knee ankle"))
_FOLLOWING = (np.vstack([_FACE, _HAND]), _pairs("heel foot_index"))


def exchanges(landmarks: PersonLandmarks, expected: FloatArray) -> tuple[bool, bool]:
    """Whether sides are exchanged above and below the waist, by pixels `expected (33, 2)` (those that tell)."""
    points, scale = landmarks.body.points[:33, :2], landmarks.body.roi[2]
    answers = []
    for pairs in _TELLING:
        kept = np.linalg.norm(points[pairs] - expected[pairs], axis=-1).mean()
        changed = np.linalg.norm(points[pairs[:, ::-1]] - expected[pairs], axis=-1).mean()
        answers.append(bool(kept > MIN_MISFIT * scale and changed < MAX_RATIO * kept))
    return answers[0], answers[1]


def held_on(before: tuple[float, float], found: tuple[bool, bool], elapsed: float) -> tuple[tuple[float, float], bool]:
    """Seconds for which exchanges above and below the waist are undone by now, and whether one goes on for too long.

    `before`: the same in the last frame, `elapsed` seconds ago. `found`: as `exchanges` says of the present one.
    """
    wanted = list(zip(before, found, strict=True))
    upper, lower = (time + elapsed if exchange and time < MAX_HELD else 0.0 for time, exchange in wanted)
    return (upper, lower), any(exchange and time >= MAX_HELD for time, exchange in wanted)


def exchanged(landmarks: PersonLandmarks, upper: bool, lower: bool) -> PersonLandmarks:
    """The landmarks with left and right exchanged above, below the waist, or both; hands go with the arms."""
    order = np.arange(len(landmarks.body.points))
    for wanted, groups in ((upper, (_TELLING[0], _FOLLOWING[0])), (lower, (_TELLING[1], _FOLLOWING[1]))):
        for pairs in groups if wanted else ():
            order[pairs] = pairs[:, ::-1]
    body, first = landmarks.body, order[: len(landmarks.body.visibility)]
    body = replace(
        body,
        points=body.points[order],
        visibility=body.visibility[first],
        presence=body.presence[first],
        world=body.world[first],
    )
    left, right, (no_left, no_right, no_face) = landmarks.left_hand, landmarks.right_hand, landmarks.unseen
    if upper:
        left, right, no_left, no_right = right, left, no_right, no_left
    return replace(landmarks, body=body, left_hand=left, right_hand=right, unseen=(no_left, no_right, no_face))
