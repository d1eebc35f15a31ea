"""Shape directions, expressions and joint regressor of the stand-in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.body.skeleton import JOINT_INDEX, JOINT_NAMES

Array = NDArray[Any]

NUM_BETAS = 10

# Each expression is a sum of Anny's facial actions at full strength.
EXPRESSIONS: dict[str, tuple[str, ...]] = {
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

REGRESSOR_CANDIDATES = 300  # vertices around a joint that may have weights
REGRESSOR_POOL = {"limb": 1200, "trunk": 3000}  # nearest vertices from which they are selected
TRUNK = ("pelvis", "hip", "spine", "neck", "collar", "shoulder")
RIDGE = 1e-3
SUM_WEIGHT = 10.0  # of the equation that the weights of a joint sum to one
STILL_WEIGHT = 10.0  # of the equations that expressions do not move joints


def betas(samples: Array, template: Array) -> Array:
    """Compute `(V, 3, 10)`: principal components of `samples (N, V, 3)`, in standard deviations, positive is taller."""
    flat = samples.reshape(len(samples), -1)
    _, singular, components = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    deviations = singular[:NUM_BETAS, None] / np.sqrt(len(samples))
    directions = (components[:NUM_BETAS] * deviations).reshape(NUM_BETAS, -1, 3)
    for direction in directions:
        if _height(template + direction) < _height(template - direction):
            direction *= -1
    return np.moveaxis(directions, 0, -1)


def expressions(actions: dict[str, Array]) -> Array:
    """Compute `(V, 3, 10)`, in the order of `EXPRESSIONS`. The T-pose does not rotate the head: offsets are valid."""
    return np.stack([np.sum([actions[name] for name in names], axis=0) for names in EXPRESSIONS.values()], axis=-1)


def joint_regressor(bodies: Array, joints: Array, still: Array, mirror: Array) -> Array:
    """Compute a sparse, symmetric joint regressor `(55, V)` by ridge regression.

    Args:
        bodies: `(N, V, 3)`; the first one determines the candidate vertices of each joint.
        joints: `(N, 55, 3)` of these bodies.
        still: Offsets `(V, 3, n)` that must not move the joints.
        mirror: `(V,)` mirrored counterparts of the vertices.
    """
    regressor = np.zeros((len(JOINT_NAMES), bodies.shape[1]))
    for name, joint in JOINT_INDEX.items():
        if name.startswith("right_"):
            regressor[joint, mirror] = regressor[JOINT_INDEX[name.replace("right_", "left_")]]
            continue
        near = _candidates(bodies[0], joints[0, joint], trunk=any(part in name for part in TRUNK))
        regressor[joint, near] = _ridge(bodies[:, near], joints[:, joint], still[near])
        if not name.startswith("left_"):
            regressor[joint] = (regressor[joint] + regressor[joint, mirror]) / 2
    return regressor


def _candidates(vertices: Array, joint: Array, *, trunk: bool) -> Array:
    pool = REGRESSOR_POOL["trunk" if trunk else "limb"]
    nearest = np.argsort(np.linalg.norm(vertices - joint, axis=1), kind="stable")[:pool]
    return nearest[:: pool // REGRESSOR_CANDIDATES]


def _ridge(vertices: Array, targets: Array, still: Array) -> Array:
    """Solve for weights `(n,)` of sum one that map `vertices (N, n, 3)` to `targets (N, 3)` and `still` to zero."""
    count = vertices.shape[1]
    positions = vertices.transpose(0, 2, 1).reshape(-1, count)
    motions = STILL_WEIGHT * still.reshape(count, -1).T
    rows = np.concatenate([positions, motions, np.full((1, count), SUM_WEIGHT)])
    values = np.concatenate([targets.ravel(), np.zeros(len(motions)), [SUM_WEIGHT]])
    weights = np.linalg.solve(rows.T @ rows + RIDGE * np.eye(count), rows.T @ values)
    return weights / weights.sum()


def _height(vertices: Array) -> float:
    return float(np.ptp(vertices[:, 1]))
