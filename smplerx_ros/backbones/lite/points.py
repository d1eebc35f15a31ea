"""Correspondences between points on the body model and landmarks.

Landmark indices are those of the three landmark models: 33 of the body (BlazePose), 21 of a hand, 478 of the face.
Points on the body are indices into the 144 joints of smplx (`BodyModel.landmarks144`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.model import BodyModel
from smplerx_ros.body.skeleton import EXTRA_JOINT_INDEX, JOINT_INDEX, JOINT_NAMES
from smplerx_ros.types import SmplxParams

NUM_BODY_JOINTS = 22
_EXTRA = len(JOINT_NAMES)
_STATIC = _EXTRA + len(EXTRA_JOINT_INDEX) - 17  # static landmark n in iBUG's numbering has index _STATIC + n


@dataclass(frozen=True)
class Point:
    """A point on the body, rigidly attached to the joint `owner`, and its landmarks."""

    name: str
    owner: str
    number: int  # among the 144 joints
    sigma: float  # standard deviation of the landmark, relative to the height of the person's box
    body: int | None = None  # index of the body landmark
    hand: int | None = None  # index of the landmark of the hand on this side
    face: tuple[int, ...] = ()  # indices of the face landmarks, of which the mean is taken


def _limb_points(side: str, odd: int) -> list[Point]:
    """`odd` is 0 for the left side and 1 for the right, which alternate in the body landmarks."""
    joints = (
        ("shoulder", 11, 0.005),
        ("elbow", 13, 0.005),
        ("wrist", 15, 0.005),
        ("hip", 23, 0.006),
        ("knee", 25, 0.005),
        ("ankle", 27, 0.005),
    )
    points = [Point(f"{side}_{n}", f"{side}_{n}", JOINT_INDEX[f"{side}_{n}"], s, body=k + odd) for n, k, s in joints]
    heel, toe = _EXTRA + EXTRA_JOINT_INDEX[f"{side}_heel"], _EXTRA + EXTRA_JOINT_INDEX[f"{side}_big_toe"]
    points += [
        Point(f"{side}_heel", f"{side}_ankle", heel, 0.009, body=29 + odd),
        Point(f"{side}_big_toe", f"{side}_ankle", toe, 0.009, body=31 + odd),
    ]
    knuckles = (("index1", 5, 19), ("middle1", 9, None), ("ring1", 13, None), ("pinky1", 17, 17))
    for name, hand, body in knuckles:
        number = JOINT_INDEX[f"{side}_{name}"]
        points.append(
            Point(
                f"{side}_{name}", f"{side}_wrist", number, 0.007, body=None if body is None else body + odd, hand=hand
            )
        )
    return points


def _head_points() -> list[Point]:
    extra = {name: _EXTRA + i for name, i in EXTRA_JOINT_INDEX.items()}
    return [
        Point("nose", "head", extra["nose"], 0.006, body=0, face=(4,)),
        Point("left_eye", "head", extra["left_eye_surface"], 0.006, body=2, face=(473,)),
        Point("right_eye", "head", extra["right_eye_surface"], 0.006, body=5, face=(468,)),
        Point("left_ear", "head", extra["left_ear"], 0.007, body=7),
        Point("right_ear", "head", extra["right_ear"], 0.007, body=8),
        Point("left_mouth", "head", _STATIC + 54, 0.007, body=9, face=(291,)),
        Point("right_mouth", "head", _STATIC + 48, 0.007, body=10, face=(61,)),
        Point("left_eye_outer", "head", _STATIC + 45, 0.006, face=(263,)),
        Point("right_eye_outer", "head", _STATIC + 36, 0.006, face=(33,)),
        Point("nose_bridge", "head", _STATIC + 27, 0.006, face=(168,)),
    ]


POINTS: tuple[Point, ...] = (*_limb_points("left", 0), *_limb_points("right", 1), *_head_points())
POINT_INDEX: dict[str, int] = {point.name: i for i, point in enumerate(POINTS)}


@dataclass(frozen=True, eq=False)
class BodyPoints:
    """Rest positions of `POINTS` and of the 22 body joints as linear functions of the betas.

    They are `(n, 3, 11)`: column 0 is the template's position in metres, columns 1.. are metres per unit of each beta,
    so that `rest @ [1, betas]` is the position.
    """

    owners: NDArray[np.intp]  # (K,) joint that the point is attached to
    points_rest: FloatArray  # (K, 3, 11)
    joints_rest: FloatArray  # (22, 3, 11)
    stature: FloatArray  # (11,) metres: height of the body at rest

    @classmethod
    def of(cls, body: BodyModel) -> BodyPoints:
        """Evaluate the points on the body at rest with flat hands, for the mean shape and for each beta."""
        rest = SmplxParams.rest(11)
        betas = np.vstack([np.zeros((1, 10)), np.eye(10)])
        flat = [np.tile(-mean, (11, 1)) for mean in body.hands_mean]
        rest = replace(rest, betas=betas, left_hand_pose=flat[0], right_hand_pose=flat[1])
        landmarks = _affine(body.landmarks144(rest))
        return cls(
            owners=np.array([JOINT_INDEX[point.owner] for point in POINTS]),
            points_rest=landmarks[[point.number for point in POINTS]],
            joints_rest=landmarks[:NUM_BODY_JOINTS],
            stature=_affine(body.stature(betas)),
        )


def _affine(values: FloatArray) -> FloatArray:
    """Convert values `(11, ...)` for zero and unit betas to template and slopes `(..., 11)`."""
    values = np.asarray(values, np.float64)
    return np.moveaxis(np.concatenate([values[:1], values[1:] - values[:1]]), 0, -1)
