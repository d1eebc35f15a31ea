"""Points sampled evenly on trunk and head, for comparison with a depth image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.rotations import normalized

from .model_file import BodyData
from .skeleton import JOINT_INDEX
from .skinning import Posed, Skin

_SPACING = 0.04  # metres between points
_TRUNK = ("pelvis", "spine1", "spine2", "spine3")
_HEAD = ("head",)


@dataclass(frozen=True, eq=False)
class Surface:
    """A sample of `S` vertices of the mesh, in the mesh's order."""

    on_head: NDArray[np.bool_]  # (S,); the others are on the trunk
    owners: NDArray[np.intp]  # (S,) the joint with the largest skinning weight
    normals: FloatArray  # (S, 3) outward unit normals in the rest pose
    skin: Skin

    @classmethod
    def from_data(cls, data: BodyData) -> Surface:
        """Take one vertex from each cell of a grid."""
        owners = data.weights.argmax(axis=1)
        head, trunk = (np.isin(owners, [JOINT_INDEX[name] for name in names]) for names in (_HEAD, _TRUNK))
        rows = np.flatnonzero(head | trunk)
        cells = np.floor(data.v_template[rows] / _SPACING).astype(np.int64)
        rows = rows[np.sort(np.unique(cells, axis=0, return_index=True)[1])]
        normals = vertex_normals(data.v_template, data.faces)
        return cls(head[rows], owners[rows], normals[rows], Skin.from_data(data, rows))

    def posed(self, posed: Posed) -> tuple[FloatArray, FloatArray]:
        """Points, metres, and outward unit normals, each `(B, S, 3)`, in the frame of `posed`."""
        normals = np.einsum("bsij,sj->bsi", posed.rotations[:, self.owners], self.normals)
        return self.skin.vertices(posed), normals


def vertex_normals(vertices: FloatArray, faces: NDArray[np.int32]) -> FloatArray:
    """Area-weighted outward unit normals `(V, 3)` of a mesh whose faces are counter-clockwise seen from outside."""
    a, b, c = np.moveaxis(np.asarray(vertices, np.float64)[faces], 1, 0)
    normals = np.cross(b - a, c - a)
    corners, weights = faces.ravel(), np.repeat(normals, 3, axis=0)
    total = [np.bincount(corners, weights[:, axis], len(vertices)) for axis in range(3)]
    return normalized(np.stack(total, axis=1))
