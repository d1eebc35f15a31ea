"""Standard errors of SMPL-X meshes: of all vertices, hands and face, aligned at a joint or by a similarity.

As in SMPLer-X's evaluation, `pve` translates the mesh so that its pelvis (hands: wrist, face: neck), regressed from the
whole mesh, coincides with that of the ground truth; `pa_` aligns the evaluated points by a similarity (Umeyama, without
reflections). All errors are mean distances in millimetres, one per body; NaN where a point is not finite or no point is
counted.
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
Visible = Callable[[FloatArray], BoolArray]  # ground-truth points (B, P, 3) -> (B, P), which of them are counted

MM = 1000.0
PELVIS, NECK = JOINT_INDEX["pelvis"], JOINT_INDEX["neck"]
WRISTS = {"left": JOINT_INDEX["left_wrist"], "right": JOINT_INDEX["right_wrist"]}
BODY_JOINTS = slice(0, 22)
# 3DPW's 14: hips, knees, ankles, neck, head, shoulders, elbows, wrists.
JOINTS_14 = (1, 2, 4, 5, 7, 8, 12, 15, 16, 17, 18, 19, 20, 21)
_FINGERS = ("thumb", "index", "middle", "ring", "pinky")


def mean_distance(distances: ArrayLike, counted: ArrayLike | None = None) -> FloatArray:
    """Return the means `(B,)` of `distances (B, P)` over the counted points; NaN if there are none or one is NaN."""
    distances = np.asarray(distances, np.float64)
    if counted is None:
        return np.asarray(distances.mean(axis=1)) if distances.shape[1] else np.full(len(distances), np.nan)
    counted = np.asarray(counted, bool)
    numbers = counted.sum(axis=1)
    totals = np.where(counted, distances, 0.0).sum(axis=1)
    return np.asarray(np.divide(totals, numbers, out=np.full(len(distances), np.nan), where=numbers > 0))


def joint_aligned_distances(
    points: ArrayLike, truth: ArrayLike, joint: ArrayLike, truth_joint: ArrayLike
) -> FloatArray:
    """Return distances `(B, P)` after translating `points (B, P, 3)` by the offset of one joint.

    Args:
        points: Predicted points `(B, P, 3)`.
        truth: Corresponding ground-truth points `(B, P, 3)`.
        joint: Predicted joint `(B, 3)`, which is moved to `truth_joint`.
        truth_joint: The same joint of the ground truth `(B, 3)`.
    """
    offset = np.asarray(truth_joint, np.float64) - np.asarray(joint, np.float64)
    return joint_errors(np.asarray(points, np.float64) + offset[:, None], truth)


def procrustes_distances(points: ArrayLike, truth: ArrayLike) -> FloatArray:
    """Return distances `(B, P)` after a similarity alignment per body; NaN for a body with a non-finite point."""
    points, truth = np.asarray(points, np.float64), np.asarray(truth, np.float64)
    finite = np.isfinite(points).all(axis=(1, 2)) & np.isfinite(truth).all(axis=(1, 2))
    distances = np.full(points.shape[:2], np.nan)
    if finite.any() and points.shape[1]:
        distances[finite] = similarity_aligned_errors(points[finite], truth[finite])
    return distances


@dataclass(frozen=True, eq=False)
class VertexSubsets:
    """Vertex indices of hands and face, and a regressor of 14 joints, of a mesh with V vertices."""

    left_hand: IntArray
    right_hand: IntArray
    face: IntArray
    joints14: FloatArray | None  # (14, V); None: JOINTS_14 of the 55 joints
    comparable: bool  # whether they are those of the published results
    source: str


@dataclass(frozen=True, eq=False)
class Meshes:
    """B posed bodies, metres, float64."""

    vertices: FloatArray  # (B, V, 3)
    joints: FloatArray  # (B, 55, 3)

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", np.asarray(self.vertices, np.float64))
        object.__setattr__(self, "joints", np.asarray(self.joints, np.float64))

    @classmethod
    def from_vertices(cls, vertices: ArrayLike, joint_regressor: FloatArray) -> Meshes:
        """Regress the joints from the posed mesh by `joint_regressor (55, V)`, as in published evaluations."""
        vertices = np.asarray(vertices, np.float64)
        return cls(vertices, joint_regressor.astype(np.float64) @ vertices)


class MeshErrors:
    """Computes the errors of meshes of one topology."""

    def __init__(self, subsets: VertexSubsets, num_vertices: int) -> None:
        self.subsets = subsets
        parts = np.concatenate([subsets.left_hand, subsets.right_hand, subsets.face])
        self._body = np.setdiff1d(np.arange(num_vertices), parts)

    def errors(self, predicted: Meshes, truth: Meshes, visible: Visible | None = None) -> dict[str, FloatArray]:
        """Compute all metrics.

        Args:
            predicted: Predicted meshes.
            truth: Ground-truth meshes.
            visible: Selects the ground-truth points that are counted. The alignment uses all points regardless.

        Returns:
            Errors `(B,)` in mm, by metric.
        """
        pair = _Pair(predicted, truth, visible)
        everything = np.arange(predicted.vertices.shape[1])
        face = self.subsets.face
        errors = {
            "pve": pair.joint_aligned(everything, PELVIS),
            "pa_pve": pair.similarity_aligned(everything),
            "pve_body": pair.joint_aligned(self._body, PELVIS),
            "pve_face": pair.joint_aligned(face, NECK),
            "pa_pve_face": pair.similarity_aligned(face),
        }
        for side, rows in (("left", self.subsets.left_hand), ("right", self.subsets.right_hand)):
            errors[f"pve_{side}_hand"] = pair.joint_aligned(rows, WRISTS[side])
            errors[f"pa_pve_{side}_hand"] = pair.similarity_aligned(rows)
            errors[f"pa_mpjpe_{side}_hand"] = pair.procrustes(_hand_points(predicted, side), _hand_points(truth, side))
        for name in ("pve", "pa_pve", "pa_mpjpe"):
            errors[f"{name}_hands"] = _finite_mean(errors[f"{name}_left_hand"], errors[f"{name}_right_hand"])
        errors["pa_mpjpe"] = pair.procrustes(self._joints14(predicted), self._joints14(truth))
        errors["mpjpe"] = pair.joint_aligned_joints(BODY_JOINTS, PELVIS)
        return errors

    def _joints14(self, meshes: Meshes) -> FloatArray:
        if self.subsets.joints14 is None:
            return meshes.joints[:, list(JOINTS_14)]
        return np.asarray(self.subsets.joints14.astype(np.float64) @ meshes.vertices)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Predicted and ground-truth meshes; errors are mean distances `(B,)` in mm."""

    predicted: Meshes
    truth: Meshes
    visible: Visible | None

    def joint_aligned(self, rows: IntArray, joint: int) -> FloatArray:
        return self._joint_aligned(self.predicted.vertices[:, rows], self.truth.vertices[:, rows], joint)

    def joint_aligned_joints(self, rows: slice, joint: int) -> FloatArray:
        return self._joint_aligned(self.predicted.joints[:, rows], self.truth.joints[:, rows], joint)

    def _joint_aligned(self, points: FloatArray, truth: FloatArray, joint: int) -> FloatArray:
        distances = joint_aligned_distances(points, truth, self.predicted.joints[:, joint], self.truth.joints[:, joint])
        return MM * mean_distance(distances, self._counted(truth))

    def similarity_aligned(self, rows: IntArray) -> FloatArray:
        return self.procrustes(self.predicted.vertices[:, rows], self.truth.vertices[:, rows])

    def procrustes(self, points: FloatArray, truth: FloatArray) -> FloatArray:
        return MM * mean_distance(procrustes_distances(points, truth), self._counted(truth))

    def _counted(self, truth: FloatArray) -> BoolArray | None:
        return None if self.visible is None else self.visible(truth)


def _hand_points(meshes: Meshes, side: str) -> FloatArray:
    """Return wrist, then three joints and the tip of thumb, index, middle, ring and little finger: `(B, 21, 3)`."""
    points = [meshes.joints[:, WRISTS[side]]]
    for finger in _FINGERS:
        points += [meshes.joints[:, JOINT_INDEX[f"{side}_{finger}{k}"]] for k in (1, 2, 3)]
        points.append(meshes.vertices[:, EXTRA_JOINT_VERTICES[EXTRA_JOINT_INDEX[f"{side}_{finger}_tip"]]])
    return np.stack(points, axis=1)


def joints14_errors(joints: ArrayLike, truth: ArrayLike) -> dict[str, FloatArray]:
    """Return `mpjpe` (pelvis-aligned) and `pa_mpjpe`, `(B,)` mm, of 3DPW's 14 joints.

    Args:
        joints: Predicted joints `(B, J, 3)`, metres, of which the first 22 are those of SMPL.
        truth: Ground-truth joints in the same order.
    """
    joints, truth = np.asarray(joints, np.float64), np.asarray(truth, np.float64)
    rows = np.array(JOINTS_14)
    distances = joint_aligned_distances(joints[:, rows], truth[:, rows], joints[:, PELVIS], truth[:, PELVIS])
    return {
        "mpjpe": MM * mean_distance(distances),
        "pa_mpjpe": MM * mean_distance(procrustes_distances(joints[:, rows], truth[:, rows])),
    }


def _finite_mean(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return the mean of both, or the one that is not NaN."""
    pair = np.stack([left, right])
    finite = np.isfinite(pair)
    total, number = np.where(finite, pair, 0.0).sum(axis=0), finite.sum(axis=0)
    return np.asarray(np.divide(total, number, out=np.full(len(left), np.nan), where=number > 0))
