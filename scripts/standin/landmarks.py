"""Landmarks on Anny's mesh: face landmarks, and the vertices of SMPL-X's extra joints."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.body.skeleton import EXTRA_JOINT_NAMES, EXTRA_JOINT_VERTICES, JOINT_INDEX

Array = NDArray[Any]

NOSE_TIP = 5038
CONTOUR_ROWS = 79  # of SMPL-X's table of contours over the head's yaw; here all rows are equal

# Vertices of Anny's own topology, picked manually on rendered close-ups, in the order of iBUG's 68 landmarks. Given for
# the person's right side and the midline; the left side is mirrored.
_CONTOUR = (867, 5082, 912, 894, 892, 917, 5277, 5276, 5280)  # 0..8: from the ear to the chin
_BROW = (254, 225, 204, 205, 208)  # 17..21: from the temple inwards
_BRIDGE = (133, 131, 201, NOSE_TIP)  # 27..30: downwards
_NOSTRILS = (286, 313, 317)  # 31..33: from the wing to below the tip
_EYE = (24, 0, 54, 67, 47, 41)  # 36..41: outer corner, upper lid inwards, inner corner, lower lid outwards
_UPPER_LIP = (425, 5335, 460, 466)  # 48..51: corner to middle
_LOWER_LIP = (492, 486, 480)  # 57..59: middle to corner
_INNER_UPPER_LIP = (444, 472, 474)  # 60..62: corner to middle
_INNER_LOWER_LIP = (493, 487)  # 66..67: middle to corner


def face_landmark_vertices(mirror: Array) -> tuple[Array, Array]:
    """Return the vertices of the 51 static landmarks (iBUG 17..67) and of the contour (iBUG 0..16)."""

    def left(right: tuple[int, ...]) -> list[int]:
        return [int(mirror[vertex]) for vertex in right]

    static = [
        *_BROW,
        *reversed(left(_BROW)),
        *_BRIDGE,
        *_NOSTRILS,
        *reversed(left(_NOSTRILS[:-1])),
        *_EYE,
        *left((_EYE[3], _EYE[2], _EYE[1], _EYE[0], _EYE[5], _EYE[4])),
        *_UPPER_LIP,
        *reversed(left(_UPPER_LIP[:-1])),
        *reversed(left(_LOWER_LIP[1:])),
        *_LOWER_LIP,
        *_INNER_UPPER_LIP,
        *reversed(left(_INNER_UPPER_LIP[:-1])),
        *reversed(left(_INNER_LOWER_LIP[1:])),
        *_INNER_LOWER_LIP,
    ]
    contour = [*_CONTOUR, *reversed(left(_CONTOUR[:-1]))]
    return np.array(static), np.array(contour)


def on_faces(vertices: Array, faces: Array) -> tuple[Array, Array]:
    """Express landmarks at `vertices (n,)` by faces `(n,)` and barycentric coordinates `(n, 3)`."""
    rows, barycentric = [], []
    for vertex in vertices:
        row = int(np.flatnonzero((faces == vertex).any(axis=1))[0])
        rows.append(row)
        barycentric.append((faces[row] == vertex).astype(np.float32))
    return np.array(rows), np.array(barycentric)


def extra_joint_vertices(template: Array, joints: Array, weights: Array, mirror: Array) -> dict[str, int]:
    """Find the vertices of `EXTRA_JOINT_NAMES` on the left side of the body, and mirror them."""
    at = {name: joints[i] for name, i in JOINT_INDEX.items()}

    def farthest(part: str, direction: Array | list[float], also: Array | bool = True) -> int:
        mask = (weights[:, JOINT_INDEX[part]] > 0.5) & also
        return int(np.argmax(np.where(mask, template @ np.asarray(direction, float), -np.inf)))

    ear_level = np.abs(template[:, 1] - at["left_eye"][1]) < 0.03
    left = {
        "left_eye_surface": farthest("left_eye", [0, 0, 1]),
        "left_ear": farthest("head", [1, 0, 0], ear_level),
        "left_big_toe": farthest("left_foot", [-0.5, 0, 1]),
        "left_small_toe": farthest("left_foot", [1.2, 0, 0.6]),
        "left_heel": farthest("left_ankle", [0, -1, -1]),
    }
    for finger in ("thumb", "index", "middle", "ring", "pinky"):
        along = at[f"left_{finger}3"] - at[f"left_{finger}2"]
        left[f"left_{finger}_tip"] = farthest(f"left_{finger}3", along)
    right = {name.replace("left_", "right_"): int(mirror[vertex]) for name, vertex in left.items()}
    return {"nose": NOSE_TIP} | left | right


def smplx_vertex_order(named: dict[str, int], num_vertices: int) -> Array:
    """Return a permutation `(V,)`, old index by new index, that gives the named vertices their indices in SMPL-X."""
    order = np.arange(num_vertices)
    new_index = np.arange(num_vertices)
    for name, target in zip(EXTRA_JOINT_NAMES, EXTRA_JOINT_VERTICES, strict=True):
        old, displaced = named[name], order[target]
        order[target], order[new_index[old]] = old, displaced
        new_index[displaced], new_index[old] = new_index[old], target
    return order
