"""A mesh of fewer triangles for views: some of the body's own vertices, so that it bends as the body does.

Quadric error metrics (Garland and Heckbert, SIGGRAPH 1997) with half-edge collapses: a vertex is moved onto a neighbour
where that changes the surface least, summed over several poses, because what is flat in one pose bends in another.
Collapses that do not touch each other are made together, which NumPy does in some dozens of rounds.
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

_ROUND_SHARE = 0.5  # of the vertices, those that cost least, may go in one round
_MOST_ROUNDS = 300
_LEAST_TURN = 0.2  # cosine between a triangle's normals before and after: below it would fold
_BORDER_WEIGHT = 10.0  # of a border's line against surfaces


@dataclass(frozen=True, eq=False)
class DecimatedMesh:
    """Triangles `faces (F, 3)` of vertices that `vertices` computes, without the others."""

    body: BodyModel
    faces: NDArray[np.int32]
    skin: Skin

    @classmethod
    def of(cls, body: BodyModel, faces: int) -> DecimatedMesh:
        """About `faces` triangles of the body's mesh; takes a second or so."""
        kept, thin = decimate(body.vertices(_poses()), body.faces, faces)
        return cls(body, thin, Skin.from_data(body.data, kept))

    def vertices(self, params: SmplxParams | HasParams) -> FloatArray:
        """`(B, V, 3) float32`, as BodyModel.vertices has them."""
        return self.body.skinned(self.skin, params)


def decimate(poses: FloatArray, faces: IntArray, wanted: int) -> tuple[IntArray, NDArray[np.int32]]:
    """The rows of the vertices that stay `(v,)`, and about `wanted` faces `(f, 3)` of them.

    `poses (K, V, 3)` are the same mesh in several poses. Fewer go where that would tear or fold the surface.
    """
    places = np.asarray(poses, np.float64)
    triangles = np.asarray(faces, np.intp)
    quadrics = _quadrics(places, triangles)
    for _ in range(_MOST_ROUNDS):
        if len(triangles) <= wanted:
            break
        gone, onto = _collapses(places, quadrics, triangles, (len(triangles) - wanted + 1) // 2)
        if not len(gone):
            break
        target = np.arange(places.shape[1])
        target[gone] = onto
        np.add.at(quadrics, onto, quadrics[gone])
        triangles = target[triangles]
        triangles = triangles[(triangles != np.roll(triangles, 1, axis=1)).all(axis=1)]
    kept, numbers = np.unique(triangles, return_inverse=True)
    return kept, numbers.reshape(triangles.shape).astype(np.int32)


def _poses() -> SmplxParams:
    """At rest; crouching with bent arms, bowed head and fists."""
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


def _quadrics(places: FloatArray, faces: IntArray) -> FloatArray:
    """`(V, K, 10)`: weighted squared distances to the planes of each vertex's triangles, and across its borders.

    Coefficients of `_squares`: the sum of their products is the squared distance.
    """
    quadrics = np.zeros((places.shape[1], len(places), 10))
    normals = _normals(places, faces)
    _add_planes(quadrics, places, faces, _unit(normals), np.linalg.norm(normals, axis=-1))
    edges, number, of = _edges(faces)
    border, normals = edges[number == 1], normals[:, of[number == 1]]
    along = places[:, border[:, 1]] - places[:, border[:, 0]]
    _add_planes(quadrics, places, border, _unit(cross(along, normals)), _BORDER_WEIGHT * np.sum(along**2, axis=-1))
    return quadrics


def _add_planes(
    quadrics: FloatArray, places: FloatArray, corners: IntArray, normals: FloatArray, weights: FloatArray
) -> None:
    """Add the planes through the first of `corners (N, n)` to all of them; `normals (K, N, 3)`, `weights (K, N)`."""
    offsets = -np.sum(normals * places[:, corners[:, 0]], axis=-1, keepdims=True)
    planes = np.concatenate([normals, offsets], axis=-1)
    squares = (weights[..., None] * _squares(planes) * _TWICE).swapaxes(0, 1)
    for corner in corners.T:
        np.add.at(quadrics, corner, squares)


def _squares(vectors: FloatArray) -> FloatArray:
    """Products `(..., 10)` of the elements of `vectors (..., 4)` with each other."""
    return np.asarray(vectors[..., _ROWS] * vectors[..., _COLUMNS])


_ROWS, _COLUMNS = np.triu_indices(4)
_TWICE = np.where(_ROWS == _COLUMNS, 1.0, 2.0)  # the products that a symmetric matrix has twice


def _collapses(places: FloatArray, quadrics: FloatArray, faces: IntArray, most: int) -> tuple[IntArray, IntArray]:
    """At most `most` vertices that go, and the neighbours they go to; none of them is near another one that goes."""
    edges, number, _ = _edges(faces)
    start, end = np.concatenate([edges, edges[:, ::-1]]).T
    points = np.concatenate([places, np.ones((*places.shape[:2], 1))], axis=-1)
    squares = _squares(points).swapaxes(0, 1).reshape(places.shape[1], -1)
    flat = quadrics.reshape(squares.shape)
    costs = np.einsum("en,en->e", flat[start], squares[end]) + np.einsum("vn,vn->v", flat, squares)[end]
    costs[~_tears_nothing(edges, number, places.shape[1])] = np.inf
    order = np.lexsort((costs, start))
    gone, first = np.unique(start[order], return_index=True)
    onto, costs = end[order][first], costs[order][first]
    cheap = costs <= np.quantile(costs, _ROUND_SHARE)
    cheap[~np.isfinite(costs)] = False
    gone, onto, costs = gone[cheap], onto[cheap], costs[cheap]
    sound = ~_folds(places, faces, gone, onto)
    gone, onto = gone[sound], onto[sound]
    apart = _apart(edges, gone, onto, costs[sound], places.shape[1])[:most]
    return gone[apart], onto[apart]


def _tears_nothing(edges: IntArray, number: IntArray, vertices: int) -> NDArray[np.bool_]:
    """For each edge in both directions `(2 E,)`: whether its ends have no more common neighbours than its triangles.

    What lies on a border stays on it.
    """
    ends = np.concatenate([edges, edges[:, ::-1]])
    near = csr_array((np.ones(len(ends)), ends.T), shape=(vertices, vertices))
    common = np.asarray(near[edges[:, 0]].multiply(near[edges[:, 1]]).sum(axis=1)).ravel()
    on_border = np.zeros(vertices, bool)
    on_border[edges[number == 1]] = True
    manifold = np.tile(common == number, 2)
    return np.asarray(manifold & (~on_border[ends[:, 0]] | np.tile(number == 1, 2)))


def _folds(places: FloatArray, faces: IntArray, gone: IntArray, onto: IntArray) -> NDArray[np.bool_]:
    """Whether a triangle round `gone (N,)` would turn over in any pose, were that vertex moved to `onto (N,)`."""
    row = np.full(places.shape[1], -1, np.intp)
    row[gone] = np.arange(len(gone))
    folding = np.zeros(len(gone), bool)
    for corner in range(3):
        owner = row[faces[:, corner]]
        now = faces[owner >= 0]
        owner = owner[owner >= 0]
        moved = now.copy()
        moved[:, corner] = onto[owner]
        lives = (moved != np.roll(moved, 1, axis=1)).all(axis=1)
        before, after = _unit(_normals(places, now[lives])), _unit(_normals(places, moved[lives]))
        turned = (np.sum(before * after, axis=-1) < _LEAST_TURN).any(axis=0)
        folding[owner[lives][turned]] = True
    return folding


def _apart(edges: IntArray, gone: IntArray, onto: IntArray, costs: FloatArray, vertices: int) -> IntArray:
    """Rows of collapses that do not meddle with each other, the cheapest first.

    Each costs less than any other that goes beside it, and than any beside the vertex that it goes onto.
    """
    order = np.argsort(costs, kind="stable")
    rank = np.full(vertices, vertices, np.intp)
    rank[gone[order]] = np.arange(len(order))
    order = order[rank[gone[order]] < _least_beside(edges, rank)[gone[order]]]
    remaining = np.full(vertices, vertices, np.intp)
    remaining[gone[order]] = rank[gone[order]]
    return np.asarray(order[_least_beside(edges, remaining)[onto[order]] == rank[gone[order]]])


def _least_beside(edges: IntArray, rank: IntArray) -> IntArray:
    """`(V,)`: the least `rank (V,)` among the neighbours of each vertex."""
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


def _normals(places: FloatArray, faces: IntArray) -> FloatArray:
    """`(K, F, 3)`, as long as twice the triangles' areas."""
    a, b, c = (places[:, faces[:, corner]] for corner in range(3))
    return cross(b - a, c - a)


def _unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(1e-12))
