"""Mesh decimation for visualization: keeps some of the body's own vertices, so that skinning still applies.

Quadric error metrics (Garland and Heckbert, SIGGRAPH 1997) with half-edge collapses: a vertex is merged into the
neighbour for which the surface changes least, summed over several poses, since a part that is flat in one pose bends in
another. Independent collapses are done together, in some dozens of vectorized rounds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from smplerx_ros.arrays import FloatArray, IntArray
from smplerx_ros.body.model import BodyModel
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.body.skinning import Skin
from smplerx_ros.geometry.rotations import cross
from smplerx_ros.types import HasParams, SmplxParams

_ROUND_SHARE = 0.5  # of the vertices, the cheapest, that may be removed in one round
_MAX_ROUNDS = 300
_MIN_NORMAL_COSINE = 0.2  # between a triangle's normals before and after a collapse; below, it would fold
_BORDER_WEIGHT = 10.0  # weight of border edges relative to surfaces


@dataclass(frozen=True, eq=False)
class DecimatedMesh:
    """A mesh with some vertices of `body`: triangles `faces (F, 3)` of the vertices that `vertices` computes."""

    body: BodyModel
    faces: NDArray[np.int32]
    skin: Skin

    @classmethod
    def of(cls, body: BodyModel, faces: int) -> DecimatedMesh:
        """Decimate the body's mesh to about `faces` triangles; takes about a second."""
        kept, decimated = decimate(body.vertices(_poses()), body.faces, faces)
        return cls(body, decimated, Skin.from_data(body.data, kept))

    def vertices(self, params: SmplxParams | HasParams) -> FloatArray:
        """Vertices `(B, V, 3) float32`, metres, as `BodyModel.vertices`."""
        return self.body.skinned(self.skin, params)


def decimate(poses: FloatArray, faces: IntArray, wanted: int) -> tuple[IntArray, NDArray[np.int32]]:
    """Reduce a mesh to about `wanted` faces; to more if the surface would tear or fold.

    Args:
        poses: Vertices of the mesh in several poses `(K, V, 3)`.
        faces: `(F, 3)`.
        wanted: Number of faces.

    Returns:
        Indices of the remaining vertices `(v,)`, and faces of them `(f, 3)`.
    """
    positions = np.asarray(poses, np.float64)
    triangles = np.asarray(faces, np.intp)
    quadrics = _quadrics(positions, triangles)
    for _ in range(_MAX_ROUNDS):
        if len(triangles) <= wanted:
            break
        removed, onto = _collapses(positions, quadrics, triangles, (len(triangles) - wanted + 1) // 2)
        if not len(removed):
            break
        target = np.arange(positions.shape[1])
        target[removed] = onto
        np.add.at(quadrics, onto, quadrics[removed])
        triangles = target[triangles]
        triangles = triangles[(triangles != np.roll(triangles, 1, axis=1)).all(axis=1)]
    kept, numbers = np.unique(triangles, return_inverse=True)
    return kept, numbers.reshape(triangles.shape).astype(np.int32)


def _poses() -> SmplxParams:
    """The rest pose, and crouching with bent arms, bowed head and fists."""
    rest = SmplxParams.rest()
    pose = rest.body_pose.copy().reshape(-1, 3)
    for name, turn in _CROUCHING.items():
        pose[JOINT_INDEX[name] - 1] = turn
    fist = np.tile([0.0, 0.0, 1.0], 15)
    crouching = replace(rest, body_pose=pose.ravel(), left_hand_pose=-fist, right_hand_pose=fist)
    return SmplxParams.stack([rest, crouching])


_CROUCHING = {  # radians, about template axes (x left, y up, z front)
    **{f"{side}_hip": (-1.4, 0.0, 0.0) for side in ("left", "right")},
    **{f"{side}_knee": (1.8, 0.0, 0.0) for side in ("left", "right")},
    **{f"{side}_ankle": (-0.5, 0.0, 0.0) for side in ("left", "right")},
    **{"left_shoulder": (0.0, -0.6, -0.9), "right_shoulder": (0.0, 0.6, 0.9)},
    **{"left_elbow": (0.0, -1.8, 0.0), "right_elbow": (0.0, 1.8, 0.0)},
    **{"spine2": (0.5, 0.0, 0.0), "head": (0.5, 0.0, 0.0)},
}


def _quadrics(positions: FloatArray, faces: IntArray) -> FloatArray:
    """Quadrics `(V, K, 10)`: weighted squared distances to the planes of a vertex's triangles and borders.

    They are coefficients of `_squares`: the sum of products is the squared distance.
    """
    quadrics = np.zeros((positions.shape[1], len(positions), 10))
    normals = _normals(positions, faces)
    _add_planes(quadrics, positions, faces, _unit(normals), np.linalg.norm(normals, axis=-1))
    edges, number, of = _edges(faces)
    border, normals = edges[number == 1], normals[:, of[number == 1]]
    along = positions[:, border[:, 1]] - positions[:, border[:, 0]]
    _add_planes(quadrics, positions, border, _unit(cross(along, normals)), _BORDER_WEIGHT * np.sum(along**2, axis=-1))
    return quadrics


def _add_planes(
    quadrics: FloatArray, positions: FloatArray, corners: IntArray, normals: FloatArray, weights: FloatArray
) -> None:
    """Add the planes through the first of `corners (N, n)` to all of them; `normals (K, N, 3)`, `weights (K, N)`."""
    offsets = -np.sum(normals * positions[:, corners[:, 0]], axis=-1, keepdims=True)
    planes = np.concatenate([normals, offsets], axis=-1)
    squares = (weights[..., None] * _squares(planes) * _TWICE).swapaxes(0, 1)
    for corner in corners.T:
        np.add.at(quadrics, corner, squares)


def _squares(vectors: FloatArray) -> FloatArray:
    """Products `(..., 10)` of all pairs of elements of `vectors (..., 4)`."""
    return np.asarray(vectors[..., _ROWS] * vectors[..., _COLUMNS])


_ROWS, _COLUMNS = np.triu_indices(4)
_TWICE = np.where(_ROWS == _COLUMNS, 1.0, 2.0)  # off-diagonal products occur twice in a symmetric matrix


def _collapses(positions: FloatArray, quadrics: FloatArray, faces: IntArray, most: int) -> tuple[IntArray, IntArray]:
    """At most `most` independent collapses: removed vertices, and the neighbours they are merged into."""
    edges, number, _ = _edges(faces)
    start, end = np.concatenate([edges, edges[:, ::-1]]).T
    points = np.concatenate([positions, np.ones((*positions.shape[:2], 1))], axis=-1)
    squares = _squares(points).swapaxes(0, 1).reshape(positions.shape[1], -1)
    flat = quadrics.reshape(squares.shape)
    costs = np.einsum("en,en->e", flat[start], squares[end]) + np.einsum("vn,vn->v", flat, squares)[end]
    costs[~_keeps_topology(edges, number, positions.shape[1])] = np.inf
    order = np.lexsort((costs, start))
    removed, first = np.unique(start[order], return_index=True)
    onto, costs = end[order][first], costs[order][first]
    cheap = costs <= np.quantile(costs, _ROUND_SHARE)
    cheap[~np.isfinite(costs)] = False
    removed, onto, costs = removed[cheap], onto[cheap], costs[cheap]
    sound = ~_folds(positions, faces, removed, onto)
    removed, onto = removed[sound], onto[sound]
    independent = _independent(edges, removed, onto, costs[sound], positions.shape[1])[:most]
    return removed[independent], onto[independent]


def _keeps_topology(edges: IntArray, number: IntArray, vertices: int) -> NDArray[np.bool_]:
    """Whether collapsing an edge, in either direction `(2 E,)`, keeps the mesh manifold.

    That is, its ends have no more common neighbours than it has triangles. Border vertices stay on the border.
    """
    ends = np.concatenate([edges, edges[:, ::-1]])
    near = csr_array((np.ones(len(ends)), ends.T), shape=(vertices, vertices))
    common = np.asarray(near[edges[:, 0]].multiply(near[edges[:, 1]]).sum(axis=1)).ravel()
    on_border = np.zeros(vertices, bool)
    on_border[edges[number == 1]] = True
    manifold = np.tile(common == number, 2)
    return np.asarray(manifold & (~on_border[ends[:, 0]] | np.tile(number == 1, 2)))


def _folds(positions: FloatArray, faces: IntArray, removed: IntArray, onto: IntArray) -> NDArray[np.bool_]:
    """Whether a triangle around a `removed (N,)` vertex would flip in any pose when merged into `onto (N,)`."""
    row = np.full(positions.shape[1], -1, np.intp)
    row[removed] = np.arange(len(removed))
    folding = np.zeros(len(removed), bool)
    for corner in range(3):
        owner = row[faces[:, corner]]
        now = faces[owner >= 0]
        owner = owner[owner >= 0]
        moved = now.copy()
        moved[:, corner] = onto[owner]
        lives = (moved != np.roll(moved, 1, axis=1)).all(axis=1)
        before, after = _unit(_normals(positions, now[lives])), _unit(_normals(positions, moved[lives]))
        turned = (np.sum(before * after, axis=-1) < _MIN_NORMAL_COSINE).any(axis=0)
        folding[owner[lives][turned]] = True
    return folding


def _independent(edges: IntArray, removed: IntArray, onto: IntArray, costs: FloatArray, vertices: int) -> IntArray:
    """Rows of collapses that are independent of each other, the cheapest first.

    Each costs less than all others next to its removed vertex and next to the vertex that it is merged into.
    """
    order = np.argsort(costs, kind="stable")
    rank = np.full(vertices, vertices, np.intp)
    rank[removed[order]] = np.arange(len(order))
    order = order[rank[removed[order]] < _min_neighbour_rank(edges, rank)[removed[order]]]
    remaining = np.full(vertices, vertices, np.intp)
    remaining[removed[order]] = rank[removed[order]]
    return np.asarray(order[_min_neighbour_rank(edges, remaining)[onto[order]] == rank[removed[order]]])


def _min_neighbour_rank(edges: IntArray, rank: IntArray) -> IntArray:
    """Minimum `rank (V,)` among the neighbours of each vertex `(V,)`."""
    least = np.full_like(rank, len(rank))
    np.minimum.at(least, edges[:, 0], rank[edges[:, 1]])
    np.minimum.at(least, edges[:, 1], rank[edges[:, 0]])
    return least


def _edges(faces: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Edges `(E, 2)`, the number of triangles at each `(E,)`, and one of these `(E,)`."""
    pairs = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    keys = pairs[:, 0] * (faces.max() + 1) + pairs[:, 1]  # one number sorts faster than two
    _, first, number = np.unique(keys, return_index=True, return_counts=True)
    return pairs[first], number, first // 3


def _normals(positions: FloatArray, faces: IntArray) -> FloatArray:
    """Normals `(K, F, 3)`, whose lengths are twice the triangles' areas."""
    a, b, c = (positions[:, faces[:, corner]] for corner in range(3))
    return cross(b - a, c - a)


def _unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(1e-12))
