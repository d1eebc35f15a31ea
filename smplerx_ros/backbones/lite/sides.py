"""Correct swaps of left and right by the body network.

BlazePose may swap left and right for some frames, when legs cross in profile or a back looks like a chest. The sides
are decided by the limbs that the fit predicts from the previous frames. If the network disagrees for `MAX_HELD`
seconds, it is trusted instead: the previous frames were wrong, and their pose does not predict the next one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray

from .landmarks import PersonLandmarks
from .topology import BODY_POINTS

MAX_ELAPSED = 0.12  # seconds since the last frame: a walker's legs cross within a quarter of a second
MAX_HELD = 0.7  # seconds; no swap in the demo clip and in six videos of Pose2Sim lasted longer than half a second
MIN_ERROR = 0.04  # mean distance from the prediction, relative to the region's side: a swap has a larger one
MAX_RATIO = 0.6  # maximum ratio of that distance with swapped labels to the one without


def _pairs(names: str) -> NDArray[np.intp]:
    return np.array([[BODY_POINTS.index(f"{side}_{name}") for side in ("left", "right")] for name in names.split()])


_FACE = np.array([[1, 4], [2, 5], [3, 6], [7, 8], [9, 10]])
_HAND = _pairs("pinky index thumb")
# Above and below the waist: the pairs that are compared with the prediction, and those that are swapped with them.
_COMPARED = (_pairs("shoulder elbow wrist"), _pairs("hip knee ankle"))
_FOLLOWING = (np.vstack([_FACE, _HAND]), _pairs("heel foot_index"))


def detect_swaps(landmarks: PersonLandmarks, expected: FloatArray) -> tuple[bool, bool]:
    """Whether sides are swapped above and below the waist, compared with predicted pixels `expected (33, 2)`."""
    points, scale = landmarks.body.points[:33, :2], landmarks.body.roi[2]
    swapped = []
    for pairs in _COMPARED:
        kept = np.linalg.norm(points[pairs] - expected[pairs], axis=-1).mean()
        changed = np.linalg.norm(points[pairs[:, ::-1]] - expected[pairs], axis=-1).mean()
        swapped.append(bool(kept > MIN_ERROR * scale and changed < MAX_RATIO * kept))
    return swapped[0], swapped[1]


def update_held(
    before: tuple[float, float], found: tuple[bool, bool], elapsed: float
) -> tuple[tuple[float, float], bool]:
    """Update for how long swaps above and below the waist have been corrected.

    Args:
        before: Seconds until the last frame, above and below the waist.
        found: Result of `detect_swaps` in the current frame.
        elapsed: Seconds since the last frame.

    Returns:
        Seconds until the current frame, and whether a swap has lasted too long.
    """
    wanted = list(zip(before, found, strict=True))
    upper, lower = (time + elapsed if swap and time < MAX_HELD else 0.0 for time, swap in wanted)
    return (upper, lower), any(swap and time >= MAX_HELD for time, swap in wanted)


def swapped_sides(landmarks: PersonLandmarks, upper: bool, lower: bool) -> PersonLandmarks:
    """Swap left and right above (`upper`) or below (`lower`) the waist, or both; hands follow the arms."""
    order = np.arange(len(landmarks.body.points))
    for wanted, groups in ((upper, (_COMPARED[0], _FOLLOWING[0])), (lower, (_COMPARED[1], _FOLLOWING[1]))):
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
