"""The field's errors of SMPL-X meshes: of all vertices, hands and face, aligned at a joint or by a similarity.

As SMPLer-X evaluates: `pve` moves the mesh so that its pelvis (hands: the wrist, face: the neck), regressed from the
whole mesh, meets the truth's; `pa_` fits a similarity (Umeyama, without reflections) to the points that are measured.
All errors are mean distances in millimetres, one per body; NaN where a point is not finite or none is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smplerx_ros.arrays import FloatArray, IntArray
from smplerx_ros.body.skeleton import EXTRA_JOINT_INDEX, EXTRA_JOINT_VERTICES, JOINT_INDEX

from .alignment import joint_errors, similarity_aligned_errors

BoolArray = NDArray[np.bool_]
Visible = Callable[[FloatArray], BoolArray]  # points (B, P, 3) of the truth -> (B, P), which of them count

MM = 1000.0
PELVIS, NECK = JOINT_INDEX["pelvis"], JOINT_INDEX["neck"]
WRISTS = {"left": JOINT_INDEX["left_wrist"], "right": JOINT_INDEX["right_wrist"]}
BODY_JOINTS = slice(0, 22)
# 3DPW's 14: hips, knees, ankles, neck, head, shoulders, elbows, wrists.
JOINTS_14 = (1, 2, 4, 5, 7, 8, 12, 15, 16, 17, 18, 19, 20, 21)
_FINGERS = ("thumb", "index", "middle", "ring", "pinky")


def mean_distance(distances: ArrayLike, counted: ArrayLike | None = None) -> FloatArray:
    """Means `(B,)` of distances `(B, P)` over the points that count; NaN where none does or one is NaN."""
    distances = np.asarray(distances, np.float64)
    if counted is None:
        return np.asarray(distances.mean(axis=1)) if distances.shape[1] else np.full(len(distances), np.nan)
    counted = np.asarray(counted, bool)
    numbers = counted.sum(axis=1)
    totals = np.where(counted, distances, 0.0).sum(axis=1)
    return np.asarray(np.divide(totals, numbers, out=np.full(len(distances), np.nan), where=numbers > 0))


def joint_aligned_distances(
    points: ArrayLike, truth: ArrayLike, anchor: ArrayLike, truth_anchor: ArrayLike
) -> FloatArray:
    """Distances `(B, P)` of points `(B, P, 3)` from the truth after `anchor (B, 3)` is moved onto `truth_anchor`."""
    step = np.asarray(truth_anchor, np.float64) - np.asarray(anchor, np.float64)
    return joint_errors(np.asarray(points, np.float64) + step[:, None], truth)


def procrustes_distances(points: ArrayLike, truth: ArrayLike) -> FloatArray:
    """Distances `(B, P)` after the similarity of each body that fits best; NaN for a body with a point that is NaN."""
    points, truth = np.asarray(points, np.float64), np.asarray(truth, np.float64)
    finite = np.isfinite(points).all(axis=(1, 2)) & np.isfinite(truth).all(axis=(1, 2))
    distances = np.full(points.shape[:2], np.nan)
    if finite.any() and points.shape[1]:
        distances[finite] = similarity_aligned_errors(points[finite], truth[finite])
    return distances


@dataclass(frozen=True, eq=False)
class VertexSubsets:
    """Vertices of hands and face, and a regressor of 14 joints, of a mesh with V vertices."""

    left_hand: IntArray
    right_hand: IntArray
    face: IntArray
    joints14: FloatArray | None  # (14, V); None: they are 14 of the 55
    comparable: bool  # whether they are those of the published figures
    source: str


@dataclass(frozen=True, eq=False)
class Meshes:
    """B posed bodies, metres: `vertices (B, V, 3)` and `joints (B, 55, 3)`, float64."""

    vertices: FloatArray
    joints: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", np.asarray(self.vertices, np.float64))
        object.__setattr__(self, "joints", np.asarray(self.joints, np.float64))

    @classmethod
    def from_vertices(cls, vertices: ArrayLike, joint_regressor: FloatArray) -> Meshes:
        """With the joints that `joint_regressor (55, V)` finds in the posed mesh: what the published figures mean."""
        vertices = np.asarray(vertices, np.float64)
        return cls(vertices, joint_regressor.astype(np.float64) @ vertices)


class MeshErrors:
    """Measures meshes of one topology, of `num_vertices`."""

    def __init__(self, subsets: VertexSubsets, num_vertices: int) -> None:
        self.subsets = subsets
        parts = np.concatenate([subsets.left_hand, subsets.right_hand, subsets.face])
        self._body = np.setdiff1d(np.arange(num_vertices), parts)

    def errors(self, found: Meshes, truth: Meshes, visible: Visible | None = None) -> dict[str, FloatArray]:
        """Every measure `(B,)` in mm, by name.

        `visible`: only such points of the truth count; the alignment is of all points all the same.
        """
        pair = _Pair(found, truth, visible)
        everything = np.arange(found.vertices.shape[1])
        face = self.subsets.face
        errors = {
            "pve": pair.anchored(everything, PELVIS),
            "pa_pve": pair.aligned(everything),
            "pve_body": pair.anchored(self._body, PELVIS),
            "pve_face": pair.anchored(face, NECK),
            "pa_pve_face": pair.aligned(face),
        }
        for side, rows in (("left", self.subsets.left_hand), ("right", self.subsets.right_hand)):
            errors[f"pve_{side}_hand"] = pair.anchored(rows, WRISTS[side])
            errors[f"pa_pve_{side}_hand"] = pair.aligned(rows)
            errors[f"pa_mpjpe_{side}_hand"] = pair.procrustes(_hand_points(found, side), _hand_points(truth, side))
        for name in ("pve", "pa_pve", "pa_mpjpe"):
            errors[f"{name}_hands"] = _mean_of_known(errors[f"{name}_left_hand"], errors[f"{name}_right_hand"])
        errors["pa_mpjpe"] = pair.procrustes(self._joints14(found), self._joints14(truth))
        errors["mpjpe"] = pair.anchored_joints(BODY_JOINTS, PELVIS)
        return errors

    def _joints14(self, meshes: Meshes) -> FloatArray:
        if self.subsets.joints14 is None:
            return meshes.joints[:, list(JOINTS_14)]
        return np.asarray(self.subsets.joints14.astype(np.float64) @ meshes.vertices)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Meshes and the truth."""

    found: Meshes
    truth: Meshes
    visible: Visible | None

    def anchored(self, rows: IntArray, joint: int) -> FloatArray:
        return self._anchored(self.found.vertices[:, rows], self.truth.vertices[:, rows], joint)

    def anchored_joints(self, rows: slice, joint: int) -> FloatArray:
        return self._anchored(self.found.joints[:, rows], self.truth.joints[:, rows], joint)

    def _anchored(self, points: FloatArray, truth: FloatArray, joint: int) -> FloatArray:
        distances = joint_aligned_distances(points, truth, self.found.joints[:, joint], self.truth.joints[:, joint])
        return MM * mean_distance(distances, self._counted(truth))

    def aligned(self, rows: IntArray) -> FloatArray:
        return self.procrustes(self.found.vertices[:, rows], self.truth.vertices[:, rows])

    def procrustes(self, points: FloatArray, truth: FloatArray) -> FloatArray:
        return MM * mean_distance(procrustes_distances(points, truth), self._counted(truth))

    def _counted(self, truth: FloatArray) -> BoolArray | None:
        return None if self.visible is None else self.visible(truth)


def _hand_points(meshes: Meshes, side: str) -> FloatArray:
    """Wrist, then three joints and the tip of thumb, index, middle, ring and little finger: `(B, 21, 3)`."""
    points = [meshes.joints[:, WRISTS[side]]]
    for finger in _FINGERS:
        points += [meshes.joints[:, JOINT_INDEX[f"{side}_{finger}{k}"]] for k in (1, 2, 3)]
        points.append(meshes.vertices[:, EXTRA_JOINT_VERTICES[EXTRA_JOINT_INDEX[f"{side}_{finger}_tip"]]])
    return np.stack(points, axis=1)


def joints14_errors(joints: ArrayLike, truth: ArrayLike) -> dict[str, FloatArray]:
    """`mpjpe` (pelvis on pelvis) and `pa_mpjpe`, `(B,)` mm, of 3DPW's 14 joints in lists whose first 22 are SMPL's."""
    joints, truth = np.asarray(joints, np.float64), np.asarray(truth, np.float64)
    rows = np.array(JOINTS_14)
    distances = joint_aligned_distances(joints[:, rows], truth[:, rows], joints[:, PELVIS], truth[:, PELVIS])
    return {
        "mpjpe": MM * mean_distance(distances),
        "pa_mpjpe": MM * mean_distance(procrustes_distances(joints[:, rows], truth[:, rows])),
    }


def _mean_of_known(left: FloatArray, right: FloatArray) -> FloatArray:
    """Mean of the two, or the one that is not NaN."""
    pair = np.stack([left, right])
    known = np.isfinite(pair)
    total, number = np.where(known, pair, 0.0).sum(axis=0), known.sum(axis=0)
    return np.asarray(np.divide(total, number, out=np.full(len(left), np.nan), where=number > 0))
