"""How tall people are, and bodies of another size in the same picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.types import SmplxParams

from .model import BodyModel

# Mean stature of adults, men 1.71 m and women 1.59 m (NCD-RisC, eLife 2016), and the spread of both together.
MEAN_STATURE, STATURE_SIGMA = 1.65, 0.09
KNOWN_STATURE_SIGMA = 0.01  # metres: of a height that somebody gave

LEAST_STATURE = 0.1  # metres: wild betas may have any stature, but ratios need one
_LEAST_SIZE, _LARGEST_SIZE = 0.6, 1.3  # shapes beyond are no bodies
_STIFFNESS = 1e-3  # m^2: keeps components that hardly change the size out of it
_STATURE_WEIGHT = 2.0  # against the joints', which say nothing of the size of the head
_BODY_JOINTS = slice(22)  # without the fingers, which would count for more than the rest


def resized(
    body: BodyModel, params: SmplxParams, factor: float, centre: FloatArray | tuple[float, ...] = (0.0, 0.0, 0.0)
) -> SmplxParams:
    """A person `factor` times as far and, as the betas can, as big: the same picture to the camera.

    `params` unbatched, optical frame. The pelvis moves along its ray from the optical `centre (3,)`, metres; the betas
    change as `growth` says, by 0.6 to 1.3 at most.
    """
    rest_pelvis = body.rest_joints(params.betas, params.expression)[0, 0]
    change = (np.clip(factor, _LEAST_SIZE, _LARGEST_SIZE) - 1) * growth(body, params.betas, params.expression)
    betas = params.betas.astype(np.float64) + change
    pelvis = centre + factor * (rest_pelvis + params.transl - centre)
    transl = pelvis - body.rest_joints(betas, params.expression)[0, 0]
    return replace(params, betas=betas, transl=transl)


def growth(body: BodyModel, betas: FloatArray, expression: FloatArray) -> FloatArray:
    """`(10,)`: how `betas (10,)` change for each unit of relative growth; 0.1 times it makes the body 1.1 times as big.

    The betas change as little as they must for stature and body joints to be scaled about the pelvis (ridge
    regression).
    """
    shape = np.asarray(betas, np.float64)
    rest = body.rest_joints(shape, expression)[0]
    joints = (rest - rest[0])[_BODY_JOINTS].ravel()
    joint_slopes = (body.joint_shapedirs - body.joint_shapedirs[0])[_BODY_JOINTS].reshape(len(joints), -1)
    statures = body.stature(np.vstack([shape, shape + np.eye(len(shape))]))
    slopes = np.vstack([joint_slopes, _STATURE_WEIGHT * (statures[1:] - statures[0])])
    sizes = np.append(joints, _STATURE_WEIGHT * statures[0])
    return np.linalg.solve(slopes.T @ slopes + _STIFFNESS * np.eye(len(shape)), slopes.T @ sizes)
