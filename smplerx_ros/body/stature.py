"""Stature of people, and scaling of a body along its viewing ray."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.types import SmplxParams

from .model import BodyModel

# Mean stature of adults, men 1.71 m and women 1.59 m (NCD-RisC, eLife 2016), and the standard deviation of both.
MEAN_STATURE, STATURE_SIGMA = 1.65, 0.09
KNOWN_STATURE_SIGMA = 0.01  # metres, of a height that the user gave

LEAST_STATURE = 0.1  # metres: extreme betas may give any stature, even a negative one; ratios need a positive one
_LEAST_SIZE, _LARGEST_SIZE = 0.6, 1.3  # beyond these the betas no longer give human shapes
_RIDGE = 1e-3  # m^2: suppresses components that hardly change the size
_STATURE_WEIGHT = 2.0  # relative to the joints, which do not cover the height of the head
_BODY_JOINTS = slice(22)  # without the fingers, which would outweigh the rest


def resized(
    body: BodyModel, params: SmplxParams, factor: float, centre: FloatArray | tuple[float, ...] = (0.0, 0.0, 0.0)
) -> SmplxParams:
    """Scale a body and its distance by `factor`, so that its image stays the same as far as the betas allow.

    The pelvis moves along its ray from `centre`; the betas change according to `growth`, by a factor of 0.6 to 1.3.

    Args:
        body: The body model.
        params: Unbatched parameters, optical frame.
        factor: Ratio of the new distance to the old one.
        centre: `(3,)` the camera's optical centre, metres.
    """
    rest_pelvis = body.rest_joints(params.betas, params.expression)[0, 0]
    change = (np.clip(factor, _LEAST_SIZE, _LARGEST_SIZE) - 1) * growth(body, params.betas, params.expression)
    betas = params.betas.astype(np.float64) + change
    pelvis = centre + factor * (rest_pelvis + params.transl - centre)
    transl = pelvis - body.rest_joints(betas, params.expression)[0, 0]
    return replace(params, betas=betas, transl=transl)


def growth(body: BodyModel, betas: FloatArray, expression: FloatArray) -> FloatArray:
    """Change of `betas (10,)` per unit of relative growth, `(10,)`: adding 0.1 times it scales the body by 1.1.

    It is the ridge regression of stature and body joints, scaled about the pelvis, on the betas.
    """
    shape = np.asarray(betas, np.float64)
    rest = body.rest_joints(shape, expression)[0]
    joints = (rest - rest[0])[_BODY_JOINTS].ravel()
    joint_slopes = (body.joint_shapedirs - body.joint_shapedirs[0])[_BODY_JOINTS].reshape(len(joints), -1)
    statures = body.stature(np.vstack([shape, shape + np.eye(len(shape))]))
    slopes = np.vstack([joint_slopes, _STATURE_WEIGHT * (statures[1:] - statures[0])])
    sizes = np.append(joints, _STATURE_WEIGHT * statures[0])
    return np.linalg.solve(slopes.T @ slopes + _RIDGE * np.eye(len(shape)), slopes.T @ sizes)
