"""Linear blend skinning of a mesh or of some of its vertices (SMPL paper, equations 2 to 4 and 9)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from smplerx_ros.arrays import FloatArray

from .model_file import BodyData


@dataclass(frozen=True, eq=False)
class Posed:
    """A batch of `B` bodies after forward kinematics, before the translation; float64, metres."""

    coefficients: FloatArray  # (B, 20) betas, expression
    local: FloatArray  # (B, 55, 3, 3) rotation of each joint in its parent's frame
    rest_joints: FloatArray  # (B, 55, 3)
    rotations: FloatArray  # (B, 55, 3, 3) global
    positions: FloatArray  # (B, 55, 3)
    transl: FloatArray  # (B, 3)


@dataclass(frozen=True, eq=False)
class Skin:
    """`V` vertices with their skinning weights, float32."""

    template: FloatArray  # (V, 3) metres
    shape_dirs: FloatArray  # (20, V * 3)
    pose_dirs: FloatArray | None  # (486, V * 3)
    weights: FloatArray  # (V, 55)

    @classmethod
    def from_data(cls, data: BodyData, vertices: ArrayLike | None = None) -> Skin:
        """Take all vertices of the mesh, or those with the given indices."""
        rows = slice(None) if vertices is None else np.asarray(vertices)
        return cls(
            template=data.v_template[rows].astype(np.float32),
            shape_dirs=_components_first(data.shape_dirs[rows]),
            pose_dirs=None if data.pose_dirs is None else _components_first(data.pose_dirs[rows]),
            weights=data.weights[rows].astype(np.float32),
        )

    def vertices(self, posed: Posed) -> FloatArray:
        """Skinned vertices `(B, V, 3)` float32, metres, in the frame of `posed`."""
        batch, size = len(posed.transl), len(self.template)
        shaped = self.template + (posed.coefficients.astype(np.float32) @ self.shape_dirs).reshape(batch, size, 3)
        if self.pose_dirs is not None:
            feature = (posed.local[:, 1:] - np.eye(3)).reshape(batch, -1).astype(np.float32)
            shaped += (feature @ self.pose_dirs).reshape(batch, size, 3)
        offsets = posed.positions - (posed.rotations @ posed.rest_joints[..., None])[..., 0]
        joint_transforms = np.concatenate([posed.rotations, offsets[..., None]], axis=-1).astype(np.float32)
        blended = (self.weights @ joint_transforms.reshape(batch, posed.rotations.shape[1], 12)).reshape(
            batch, size, 3, 4
        )
        skinned: FloatArray = np.einsum("bvij,bvj->bvi", blended[..., :3], shaped)
        skinned += blended[..., 3]
        skinned += posed.transl[:, None].astype(np.float32)
        return skinned


def _components_first(dirs: FloatArray) -> FloatArray:
    flat = dirs.reshape(-1, dirs.shape[-1])
    return np.ascontiguousarray(flat.T, dtype=np.float32)
