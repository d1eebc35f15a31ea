"""Clothes, skin and hair: colours of the body surface as a function of the position in the rest pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.model import BodyModel
from smplerx_ros.body.skeleton import JOINT_INDEX

from .patterns import Pattern, random_color

_LIGHT_SKIN, _DARK_SKIN = np.array([243.0, 200, 172]), np.array([85.0, 52, 36])
_LIP_TINT = np.array([0.9, 0.62, 0.62])
_EYE_WHITE, _EYE_RADIUS, _IRIS_RADIUS = 225.0, 0.013, 0.006  # metres
_BROW_WIDTH, _LIP_WIDTH = 0.006, 0.006  # metres around the landmarks
_BROWS, _MOUTH = slice(0, 10), slice(31, 51)  # among the 51 static landmarks
CLOTHES = ("random", "suit")
_CLOTH_PERIOD = 0.2  # metres
_HEAD_WIDTH = 0.16  # metres, |x| up to which the surface can be hair


@dataclass(frozen=True, eq=False)
class Outfit:
    """Garments, skin and hair of one person. Positions are in metres in the rest pose (y up, arms along x)."""

    skin: FloatArray  # (3,) RGB 0..255
    hair: FloatArray  # (3,)
    shoe: FloatArray  # (3,)
    top: Pattern
    bottom: Pattern
    sleeve: float  # |x| of the ends of the sleeves
    collar: float  # y
    waist: float  # y
    hem: float  # y of the ends of the trousers
    hair_line: float  # y, above the eyes
    hair_end: float  # y of the lower end at the back

    @classmethod
    def random(cls, rng: np.random.Generator, body: BodyModel) -> Outfit:
        """Draw an outfit: anything from vest and shorts to long sleeves and trousers."""
        joints = body.joint_template
        neck, pelvis, knee, ankle, eye = (
            joints[JOINT_INDEX[name], 1] for name in ("neck", "pelvis", "left_knee", "left_ankle", "left_eye")
        )
        shoulder, wrist = (joints[JOINT_INDEX[name], 0] for name in ("left_shoulder", "left_wrist"))
        tone = rng.uniform()
        hair = np.array([rng.uniform(15, 190)] * 3) * [1.0, rng.uniform(0.7, 0.9), rng.uniform(0.4, 0.7)]
        return cls(
            skin=(_LIGHT_SKIN * (1 - tone) + _DARK_SKIN * tone) * rng.uniform(0.92, 1.05, 3),
            hair=hair,
            shoe=random_color(rng, 10, 200),
            top=Pattern.random(rng, period=_CLOTH_PERIOD),
            bottom=Pattern.random(rng, period=_CLOTH_PERIOD, high=170),
            sleeve=rng.uniform(shoulder, wrist),
            collar=neck + rng.uniform(-0.05, 0.03),
            waist=pelvis + rng.uniform(-0.06, 0.10),
            hem=ankle + 0.04 if rng.uniform() < 0.6 else rng.uniform(knee - 0.1, knee + 0.2),
            hair_line=eye + rng.uniform(0.045, 0.075),
            hair_end=rng.choice([eye - 0.05, neck, neck - 0.12]),
        )

    def colors(self, points: FloatArray, body: BodyModel) -> FloatArray:
        """RGB `(N, 3)` of `points (N, 3)`, metres, on the body's template."""
        x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
        joints = body.joint_template
        eye, ankle = joints[JOINT_INDEX["left_eye"]], joints[JOINT_INDEX["left_ankle"], 1]
        colors = np.tile(self.skin, (len(points), 1))
        _draw_face(colors, points, self.skin, self.hair, body)
        legs = (y < self.waist) & (y > self.hem) & (x < joints[JOINT_INDEX["left_elbow"], 0])
        trunk = (y >= self.waist) & (y < self.collar) & (x < self.sleeve)
        near_head = x < _HEAD_WIDTH
        top_of_head = (y > self.hair_line) & near_head
        sides = (y > eye[1] - 0.01) & (z < eye[2] - 0.075) & near_head
        back = (y > self.hair_end) & (z < joints[JOINT_INDEX["head"], 2] - 0.01) & near_head
        shoes = y < ankle + 0.02
        for region, pattern in ((legs, self.bottom), (trunk, self.top)):
            colors[region] = pattern(points[region])
        colors[shoes] = self.shoe
        colors[top_of_head | sides | back] = self.hair
        return colors


# RGB of a suit's parts (left, right): all different, and more saturated than most floors and walls.
_SUIT_TRUNK = (110, 110, 110)
_UPPER_ARMS, _FOREARMS = ((225, 40, 40), (40, 70, 225)), ((250, 150, 30), (40, 200, 230))
_THIGHS, _SHINS = ((40, 150, 50), (130, 40, 160)), ((230, 225, 40), (240, 110, 190))


@dataclass(frozen=True, eq=False)
class Suit:
    """Suit whose colours identify the limbs, the same on all people; head, hair and hands are those of the wearer."""

    wearer: Outfit

    def colors(self, points: FloatArray, body: BodyModel) -> FloatArray:
        """RGB `(N, 3)` of `points (N, 3)`, metres, on the body's template."""
        colors = self.wearer.colors(points, body)
        joints = body.joint_template
        right = (points[:, 0] < 0).astype(np.intp)
        x, y = np.abs(points[:, 0]), points[:, 1]
        shoulder, elbow, wrist = (joints[JOINT_INDEX[f"left_{name}"], 0] for name in ("shoulder", "elbow", "wrist"))
        hip, knee = (joints[JOINT_INDEX[f"left_{name}"], 1] for name in ("hip", "knee"))
        above = y > hip
        colors[above & (x < shoulder) & (y < joints[JOINT_INDEX["neck"], 1])] = _SUIT_TRUNK
        for region, sides in (
            (above & (x >= shoulder) & (x < elbow), _UPPER_ARMS),
            (above & (x >= elbow) & (x < wrist), _FOREARMS),
            (~above & (y > knee), _THIGHS),
            (y <= knee, _SHINS),
        ):
            colors[region] = np.array(sides, np.float64)[right[region]]
        return colors


def random_clothes(rng: np.random.Generator, body: BodyModel, kind: str) -> Outfit | Suit:
    """Draw clothes of a kind in CLOTHES: a random outfit, with "suit" covered by a suit."""
    outfit = Outfit.random(rng, body)
    return Suit(outfit) if kind == "suit" else outfit


def _draw_face(
    colors: FloatArray, points: FloatArray, skin: FloatArray, brow_color: FloatArray, body: BodyModel
) -> None:
    """Colour brows, lips and eyes, in place."""
    joints, landmarks = body.joint_template, body.face_landmarks_rest()
    head = np.flatnonzero(points[:, 1] > joints[JOINT_INDEX["neck"], 1])
    at = points[head]
    colors[head[_near(at, landmarks[_BROWS], _BROW_WIDTH)]] = brow_color
    colors[head[_near(at, landmarks[_MOUTH], _LIP_WIDTH)]] = skin * _LIP_TINT
    for name in ("left_eye", "right_eye"):
        center = joints[JOINT_INDEX[name]]
        across = np.hypot(*(at - center)[:, :2].T)
        front = at[:, 2] > center[2] - _EYE_RADIUS
        colors[head[front & (across < _EYE_RADIUS) & _near(at, center[None], 2 * _EYE_RADIUS)]] = _EYE_WHITE
        colors[head[front & (across < _IRIS_RADIUS)]] = 30.0


def _near(points: FloatArray, targets: FloatArray, distance: float) -> NDArray[np.bool_]:
    """Return `(N,)` which of `points (N, 3)` lie within `distance` of any of `targets (T, 3)`."""
    squared = ((points[:, None] - targets[None]) ** 2).sum(axis=2)
    return np.asarray((squared < distance**2).any(axis=1))
