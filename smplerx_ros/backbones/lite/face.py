"""Pose of jaw and eyes, and expression, from the face's blend shapes (ARKit's 52, 0..1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smplerx_ros.arrays import FloatArray

from .topology import BLENDSHAPE_INDEX

# Radians at full weight: a wide open mouth, lateral deviation of the jaw, and the eye's range of about 30 degrees.
_JAW_OPEN, _JAW_LATERAL = 0.45, 0.10
_EYE_LATERAL, _EYE_UP, _EYE_DOWN = 0.52, 0.35, 0.45

# The stand-in body's expressions, as means of blend shapes.
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
    """Pose of jaw and eyes, axis-angle, and expression."""

    jaw_pose: FloatArray  # (3,)
    leye_pose: FloatArray  # (3,)
    reye_pose: FloatArray  # (3,)
    expression: FloatArray | None  # (10,); None if the body's expressions are others


def face_pose(blendshapes: FloatArray, expression_names: tuple[str, ...]) -> FacePose:
    """Compute the pose of jaw and eyes, and the expression.

    The head's axes at rest are x left, y up, z front: the mouth opens about +x, and the eyes look left about +y.

    Args:
        blendshapes: `(52,)` weights, 0..1.
        expression_names: Names of the body's expressions; empty if unknown.
    """
    weights = blendshapes.tolist()  # Python floats are faster than NumPy for so few

    def weight(*names: str) -> float:
        return float(sum(weights[BLENDSHAPE_INDEX[name]] for name in names) / len(names))

    jaw = np.array([_JAW_OPEN * weight("jawOpen"), _JAW_LATERAL * (weight("jawLeft") - weight("jawRight")), 0.0])
    left = _EYE_LATERAL * (weight("eyeLookOutLeft") - weight("eyeLookInLeft"))
    right = _EYE_LATERAL * (weight("eyeLookInRight") - weight("eyeLookOutRight"))
    pitch = [_EYE_DOWN * weight(f"eyeLookDown{s}") - _EYE_UP * weight(f"eyeLookUp{s}") for s in ("Left", "Right")]
    known = all(name in _EXPRESSIONS for name in expression_names) and len(expression_names) == 10
    expression = np.array([weight(*_EXPRESSIONS[name]) for name in expression_names]) if known else None
    return FacePose(jaw, np.array([pitch[0], left, 0.0]), np.array([pitch[1], right, 0.0]), expression)
