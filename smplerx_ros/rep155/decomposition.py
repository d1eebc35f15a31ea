"""SMPL-X poses as joint angles of REP-155's kinematic model, by analytic inverse kinematics.

SMPL-X has more degrees of freedom than the REP's model: three joints of the spine against one waist, collars, and ball
joints for elbows and knees. So limbs are solved for the positions of elbows, wrists, knees and ankles, in closed form:
exact if shoulders and hips are where SMPL-X has them and all angles are within limits. The waist follows the chest, and
the head keeps its orientation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.geometry.rotations import cross, normalized

from .axes import JOINT_FROM_REP, body_frames
from .ball_joints import Axes, Hinges
from .description import ANGLE_INDEX, CHEST, JOINT_ROW, LOWER, MOVING, UPPER, BodyDescription

_LIMBS = (("l", "shoulder", "elbow", "wrist"), ("r", "shoulder", "elbow", "wrist")) + (
    ("l", "hip", "knee", "ankle"),
    ("r", "hip", "knee", "ankle"),
)
_SIDE = {"l": "left", "r": "right"}
LIMB_ENDS: tuple[str, ...] = tuple(f"{_SIDE[side]}_{end}" for side, _, _, end in _LIMBS)
_ROOTS, _MIDDLES, _ENDS = ([JOINT_INDEX[f"{_SIDE[limb[0]]}_{limb[i]}"] for limb in _LIMBS] for i in (1, 2, 3))
_MIDDLE_JOINTS = [f"{side}_{middle}" for side, _, middle, _ in _LIMBS]
# Rows of BodyDescription.origins.
_WAIST_ROW, _TORSO_ROW = JOINT_ROW["waist"], JOINT_ROW["torso"]
_ROOT_ROWS = [JOINT_ROW[f"{side}_y_{root}"] for side, root, _, _ in _LIMBS]
_MIDDLE_ROWS = [JOINT_ROW[name] for name in _MIDDLE_JOINTS]
_END_ROWS = [JOINT_ROW[f"{side}_{end}"] for side, _, _, end in _LIMBS]
_BENDS = [ANGLE_INDEX[name] for name in _MIDDLE_JOINTS]
_FORWARDS = np.array([1.0, 1.0, -1.0, -1.0])  # elbows bend forward, knees backward
_LARGEST_BEND = np.array([UPPER[_BENDS[0]], UPPER[_BENDS[1]], -LOWER[_BENDS[2]], -LOWER[_BENDS[3]]])
_WAIST, _HEAD = ANGLE_INDEX["waist"], JOINT_INDEX["head"]
_BALL_JOINTS = np.array(
    [[ANGLE_INDEX[f"{kind}_head"] for kind in "ryp"]]
    + [[ANGLE_INDEX[f"{side}_{kind}_{root}"] for kind in "ypr"] for side, root, _, _ in _LIMBS]
)
_HINGES = Hinges(
    np.array([[MOVING[i].axis for i in row] for row in _BALL_JOINTS]), LOWER[_BALL_JOINTS], UPPER[_BALL_JOINTS]
)

# Weight of the rest direction in the bending direction of an elbow or knee, as the sine of a bend: a straight limb has
# no bending direction. Costs at most this share of the lower limb's length: 2 mm.
_STRAIGHT_LIMB = 0.004
# Sines of the bend between which an elbow or knee that bends the wrong way passes from hyperextended to reversed.
_HYPEREXTENDED, _REVERSED = 0.17, 0.5
_CLAMP_TOLERANCE = 1e-6  # radians
_PITCH, _IDENTITY = Axes.of(np.array([0.0, 1.0, 0.0])), np.eye(3)


@dataclass(frozen=True, eq=False)
class Angles:
    """Joint angles of `P` people."""

    values: FloatArray  # (P, 20) radians within limits, in the order of description.MOVING
    clamped: NDArray[np.bool_]  # (P, 20) whether they were clamped to their limits
    residuals: FloatArray  # (P, 4) metres from wrists and ankles (LIMB_ENDS) to where SMPL-X has them


def joint_angles(
    descriptions: Sequence[BodyDescription],
    optical_from_joint: FloatArray,
    joints: FloatArray,
    before: FloatArray | None = None,
) -> Angles:
    """Joint angles of `P` people.

    Args:
        descriptions: Their dimensions.
        optical_from_joint: Rotations of SMPL-X's joints `(P, 55, 3, 3)`.
        joints: Their positions `(P, 55, 3)`, metres, optical frame.
        before: Angles of the last frame `(P, 20)`, radians, by which ambiguities are resolved; zeros (hanging arms) for
            new people.
    """
    people = len(descriptions)
    before = np.zeros((people, len(MOVING))) if before is None else before
    optical_from_body, origins = body_frames(optical_from_joint, joints)
    positions = (joints - origins[:, None]) @ optical_from_body
    rotations = np.swapaxes(optical_from_body, -1, -2)[:, None] @ optical_from_joint

    measures = _Measures.of(descriptions)
    free = np.empty((people, len(MOVING)))
    free[:, _WAIST] = _waist(measures, positions)
    waist = np.clip(free[:, _WAIST], LOWER[_WAIST], UPPER[_WAIST])
    torso = _PITCH.rotations(waist)
    roots, parents = _roots(measures, torso)

    reach = _Reach.of(measures, roots, positions)
    limbs, bends = _limb_frames(reach, rotations[:, _ROOTS][..., 2])
    free[:, _BENDS] = bends * _FORWARDS
    head = rotations[:, _HEAD] @ JOINT_FROM_REP
    wanted = np.concatenate([head[:, None], limbs], axis=1)
    parent_from_limb = np.swapaxes(np.concatenate([torso[:, None], parents], axis=1), -1, -2) @ wanted
    start = before[:, _BALL_JOINTS]
    free[:, _BALL_JOINTS], limited = _HINGES.angles(parent_from_limb, start)

    values = np.clip(free, LOWER, UPPER)
    values[:, _BALL_JOINTS] = limited
    clamped = np.abs(values - free) > _CLAMP_TOLERANCE
    clamped[:, _BENDS] |= reach.folded
    ends = _limb_ends(measures, roots, parents, values)
    return Angles(values, clamped, _lengths(ends - positions[:, _ENDS]))


@dataclass(frozen=True, eq=False)
class _Measures:
    """Dimensions of all people, metres: positions of joints in their parent links, and lengths of limb segments."""

    waist: FloatArray  # (P, 3)
    torso: FloatArray  # (P, 3)
    chest: FloatArray  # (P, 3, 3)
    roots: FloatArray  # (P, 4, 3)
    upper: FloatArray  # (P, 4)
    lower: FloatArray  # (P, 4)

    @classmethod
    def of(cls, descriptions: Sequence[BodyDescription]) -> _Measures:
        origins = np.stack([description.origins for description in descriptions])
        chest = np.stack([description.chest for description in descriptions])
        upper, lower = -origins[:, _MIDDLE_ROWS, 2], -origins[:, _END_ROWS, 2]
        return cls(origins[:, _WAIST_ROW], origins[:, _TORSO_ROW], chest, origins[:, _ROOT_ROWS], upper, lower)


@dataclass(frozen=True, eq=False)
class _Reach:
    """Unit directions `(P, 4, 3)` of upper and lower limbs, body axes, with which the limbs reach their ends."""

    upper: FloatArray
    lower: FloatArray
    folded: NDArray[np.bool_]  # (P, 4) the end is nearer than the limit of the middle joint allows

    @classmethod
    def of(cls, measures: _Measures, roots: FloatArray, positions: FloatArray) -> _Reach:
        """Two-bone inverse kinematics (law of cosines); the middle joint lies towards its position in SMPL-X."""
        a, b = measures.upper, measures.lower
        to_end = positions[:, _ENDS] - roots
        shortest = np.sqrt(a**2 + b**2 + 2 * a * b * np.cos(_LARGEST_BEND))
        length = _lengths(to_end)
        distance = np.minimum(np.maximum(length, shortest), a + b)
        line = normalized(to_end)
        along = (a**2 + distance**2 - b**2) / (2 * distance)
        aside = np.sqrt(np.maximum(a**2 - along**2, 0.0))
        to_middle = positions[:, _MIDDLES] - roots
        off = normalized(to_middle - _dot(to_middle, line)[..., None] * line)
        middle = along[..., None] * line + aside[..., None] * off
        return cls(normalized(middle), normalized(distance[..., None] * line - middle), length < shortest)


def _waist(measures: _Measures, positions: FloatArray) -> FloatArray:
    """Angles of the waist `(P,)`, radians, that bring the chest nearest to its position (Procrustes in x and z)."""
    rest, seen = measures.chest, positions[:, CHEST] - measures.waist[:, None]
    cosine = np.sum(seen[..., 0] * rest[..., 0] + seen[..., 2] * rest[..., 2], axis=1)
    sine = np.sum(seen[..., 0] * rest[..., 2] - seen[..., 2] * rest[..., 0], axis=1)
    return np.asarray(np.arctan2(sine, cosine))


def _roots(measures: _Measures, torso: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Positions `(P, 4, 3)` of shoulders and hips, and rotations `(P, 4, 3, 3)` of their parent links, body axes."""
    parents = np.empty((len(torso), len(_LIMBS), 3, 3))
    parents[:, :2], parents[:, 2:] = torso[:, None], _IDENTITY
    roots = measures.roots.copy()
    roots[:, :2] = measures.waist[:, None] + (measures.torso[:, None] + roots[:, :2]) @ np.swapaxes(torso, -1, -2)
    return roots, parents


def _limb_frames(reach: _Reach, fronts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rotations `(P, 4, 3, 3)` of the upper limbs, and non-negative bends `(P, 4)`, radians.

    `fronts (P, 4, 3)`: front directions of SMPL-X's upper arms and thighs, which give the roll of a straight limb.
    """
    down, lower = reach.upper, reach.lower
    front = normalized(fronts - _dot(fronts, down)[..., None] * down)
    side = cross(down, front)
    ahead = _dot(lower, front) * _FORWARDS
    aside = _dot(lower, side)
    bent = np.hypot(ahead, aside)
    reversal = np.minimum(np.maximum((bent - _HYPEREXTENDED) / (_REVERSED - _HYPEREXTENDED), 0.0), 1.0)
    weight = np.where(ahead < 0, (2 * reversal - 1) * ahead, ahead) + _STRAIGHT_LIMB
    to = normalized((weight * _FORWARDS)[..., None] * front + aside[..., None] * side)
    bends = np.arctan2(_dot(lower, to), _dot(lower, down))
    x = to * _FORWARDS[:, None]
    return np.stack([x, cross(-down, x), -down], axis=-1), bends


def _limb_ends(measures: _Measures, roots: FloatArray, parents: FloatArray, values: FloatArray) -> FloatArray:
    """Resulting positions of wrists and ankles `(P, 4, 3)`, metres, body axes."""
    upper = parents @ _HINGES.rotations(values[:, _BALL_JOINTS])[:, 1:]
    bend = values[:, _BENDS] * _FORWARDS
    lower = upper @ np.stack([np.sin(bend) * _FORWARDS, np.zeros_like(bend), -np.cos(bend)], axis=-1)[..., None]
    return np.asarray(roots - measures.upper[..., None] * upper[..., 2] + measures.lower[..., None] * lower[..., 0])


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """Dot products `(...)` of vectors `(..., 3)`."""
    return np.asarray(np.einsum("...i,...i->...", a, b))


def _lengths(vectors: FloatArray) -> FloatArray:
    """Lengths `(...)` of vectors `(..., 3)`."""
    return np.sqrt(_dot(vectors, vectors))
