"""How tall people are, and bodies of another size in the same picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..types import SmplxParams
from .model import BodyModel

# Mean stature of adults, men 1.71 m and women 1.59 m (NCD-RisC, eLife 2016), and the spread of both together.
MEAN_STATURE, STATURE_SIGMA = 1.65, 0.09
KNOWN_STATURE_SIGMA = 0.01  # metres: of a height that somebody gave

_LEAST_SIZE, _LARGEST_SIZE = 0.6, 1.3  # shapes beyond are no bodies
_STIFFNESS = 1e-3  # m^2: keeps components that hardly change the size out of it
_BODY_JOINTS = slice(22)  # without the fingers, which would count for more than the rest


def resized(body: BodyModel, params: SmplxParams, factor: float) -> SmplxParams:
    """A person `factor` times as far and, as the betas can, as big: the same picture to the camera.

    `params` unbatched, optical frame. The pelvis moves along its ray; the betas change as little as they must for the
    rest joints to be scaled about the pelvis (ridge regression), by 0.6 to 1.3 at most.
    """
    betas = params.betas.astype(np.float64)
    rest = body.rest_joints(betas, params.expression)[0]
    dirs = (body.joint_shapedirs - body.joint_shapedirs[0])[_BODY_JOINTS].reshape(-1, len(betas))
    growth = (np.clip(factor, _LEAST_SIZE, _LARGEST_SIZE) - 1) * (rest - rest[0])[_BODY_JOINTS].ravel()
    betas += np.linalg.solve(dirs.T @ dirs + _STIFFNESS * np.eye(len(betas)), dirs.T @ growth)
    pelvis = rest[0] + params.transl
    transl = factor * pelvis - body.rest_joints(betas, params.expression)[0, 0]
    return replace(params, betas=betas, transl=transl)
