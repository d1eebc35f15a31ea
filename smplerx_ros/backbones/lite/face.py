"""Jaw, eyes and expression from the face's blend shapes (ARKit's 52, 0..1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smplerx_ros.arrays import FloatArray

from .topology import BLENDSHAPE_INDEX

# Radians at full weight: a wide open mouth, a jaw pushed aside, and the eye's range of about 30 degrees.
_JAW_OPEN, _JAW_ASIDE = 0.45, 0.10
_EYE_ASIDE, _EYE_UP, _EYE_DOWN = 0.52, 0.35, 0.45

# The stand-in body's expressions: blend shapes of the same names, both sides at once where they have sides.
_EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "frown": ("mouthFrownLeft", "mouthFrownRight"),
    "brows_up": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    "brows_down": ("browDownLeft", "browDownRight"),
    "blink_left": ("eyeBlinkLeft",),
    "blink_right": ("eyeBlinkRight",),
    "pucker": ("mouthPucker",),
    "stretch": ("mouthStretchLeft", "mouthStretchRight"),
    "cheek_puff": ("cheekPuff",),
    "sneer": ("noseSneerLeft", "noseSneerRight"),
}


@dataclass(frozen=True, eq=False)
class FacePose:
    """`jaw_pose, leye_pose, reye_pose (3,)` axis-angle; `expression (10,)` or None where the body's own is another."""

    jaw_pose: FloatArray
    leye_pose: FloatArray
    reye_pose: FloatArray
    expression: FloatArray | None


def face_pose(blendshapes: FloatArray, expression_names: tuple[str, ...]) -> FacePose:
    """Pose of jaw and eyes, and expression for a body whose expressions have `expression_names` (none: unknown).

    Axes of the head at rest: x left, y up, z front; so the mouth opens about +x and eyes turn left about +y.
    """
    weights = blendshapes.tolist()  # plain numbers: for so few, NumPy takes longer

    def weight(*names: str) -> float:
        return float(sum(weights[BLENDSHAPE_INDEX[name]] for name in names) / len(names))

    jaw = np.array([_JAW_OPEN * weight("jawOpen"), _JAW_ASIDE * (weight("jawLeft") - weight("jawRight")), 0.0])
    left = _EYE_ASIDE * (weight("eyeLookOutLeft") - weight("eyeLookInLeft"))
    right = _EYE_ASIDE * (weight("eyeLookInRight") - weight("eyeLookOutRight"))
    pitch = [_EYE_DOWN * weight(f"eyeLookDown{s}") - _EYE_UP * weight(f"eyeLookUp{s}") for s in ("Left", "Right")]
    known = all(name in _EXPRESSIONS for name in expression_names) and len(expression_names) == 10
    expression = np.array([weight(*_EXPRESSIONS[name]) for name in expression_names]) if known else None
    return FacePose(jaw, np.array([pitch[0], left, 0.0]), np.array([pitch[1], right, 0.0]), expression)
