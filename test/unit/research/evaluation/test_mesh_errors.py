"""Errors of meshes: by hand, against a slow implementation on another way, and where geometry degenerates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smplerx_ros.research.evaluation.mesh_errors import (
    JOINTS_14,
    MeshErrors,
    Meshes,
    VertexSubsets,
    joint_aligned_distances,
    joints14_errors,
    mean_distance,
    procrustes_distances,
)

V = 10475  # SMPL-X's, since the finger tips are vertices of it
TIPS = {
    "left": {"thumb": 5361, "index": 4933, "middle": 5058, "ring": 5169, "pinky": 5286},
    "right": {"thumb": 8079, "index": 7669, "middle": 7794, "ring": 7905, "pinky": 8022},
}
FIRST_JOINTS = {
    "left": {"thumb": 37, "index": 25, "middle": 28, "ring": 34, "pinky": 31},
    "right": {"thumb": 52, "index": 40, "middle": 43, "ring": 49, "pinky": 46},
}


def subsets(rng: np.random.Generator) -> VertexSubsets:
    ids = rng.permutation(V)
    return VertexSubsets(ids[:300], ids[300:600], ids[600:1500], sparse_regressor(rng, 14), True, "test")


def sparse_regressor(rng: np.random.Generator, rows: int) -> np.ndarray:
    regressor = np.zeros((rows, V))
    for row in regressor:
        row[rng.integers(0, V, 8)] = rng.dirichlet(np.ones(8))
    return regressor


def errors(
    regressor: np.ndarray, sets: VertexSubsets, points: np.ndarray, truth: np.ndarray, visible: Any = None
) -> Any:
    found, expected = (Meshes.from_vertices(mesh, regressor) for mesh in (points, truth))
    return MeshErrors(sets, V).errors(found, expected, visible)


def meshes(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    truth = rng.normal(size=(count, V, 3)) + rng.normal(size=(count, 1, 3)) * 3
    return truth + 0.1 * rng.normal(size=truth.shape) + rng.normal(size=(count, 1, 3)), truth


# The slow implementation: one body, one point at a time; Horn's quaternions instead of singular values.


def slow_similarity(source: Any, target: Any) -> Any:
    """Horn 1987: the rotation is the eigenvector of a 4x4 matrix with the largest eigenvalue."""
    a, b = source - source.mean(0), target - target.mean(0)
    s = sum(np.outer(p, q) for p, q in zip(a, b, strict=True))
    n = np.array(
        [
            [s[0, 0] + s[1, 1] + s[2, 2], s[1, 2] - s[2, 1], s[2, 0] - s[0, 2], s[0, 1] - s[1, 0]],
            [s[1, 2] - s[2, 1], s[0, 0] - s[1, 1] - s[2, 2], s[0, 1] + s[1, 0], s[2, 0] + s[0, 2]],
            [s[2, 0] - s[0, 2], s[0, 1] + s[1, 0], -s[0, 0] + s[1, 1] - s[2, 2], s[1, 2] + s[2, 1]],
            [s[0, 1] - s[1, 0], s[2, 0] + s[0, 2], s[1, 2] + s[2, 1], -s[0, 0] - s[1, 1] + s[2, 2]],
        ]
    )
    w, x, y, z = np.linalg.eigh(n)[1][:, -1]
    rotation = np.array(
        [
            [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
        ]
    )
    turned = a @ rotation.T
    scale = sum(float(p @ q) for p, q in zip(turned, b, strict=True)) / sum(float(p @ p) for p in a)
    return scale * turned + target.mean(0)


def slow_mean(points: Any, truth: Any) -> float:
    return 1000 * sum(float(np.sqrt(((p - q) ** 2).sum())) for p, q in zip(points, truth, strict=True)) / len(points)


def slow_errors(mesh: Any, truth: Any, regressor: Any, sets: VertexSubsets) -> dict[str, float]:
    joints, true_joints = regressor @ mesh, regressor @ truth

    def anchored(rows: Any, joint: int) -> float:
        return slow_mean(mesh[rows] - joints[joint] + true_joints[joint], truth[rows])

    def aligned(points: Any, true_points: Any) -> float:
        return slow_mean(slow_similarity(points, true_points), true_points)

    def hand(vertices: Any, all_joints: Any, side: str) -> Any:
        points = [all_joints[{"left": 20, "right": 21}[side]]]
        for finger, first in FIRST_JOINTS[side].items():
            points += [all_joints[first], all_joints[first + 1], all_joints[first + 2], vertices[TIPS[side][finger]]]
        return np.array(points)

    used = {*sets.left_hand, *sets.right_hand, *sets.face}
    found = {
        "pve": anchored(range(V), 0),
        "pa_pve": aligned(mesh, truth),
        "pve_body": anchored([i for i in range(V) if i not in used], 0),
        "pve_face": anchored(sets.face, 12),
        "pa_pve_face": aligned(mesh[sets.face], truth[sets.face]),
        "pa_mpjpe": aligned(sets.joints14 @ mesh, sets.joints14 @ truth),
        "mpjpe": slow_mean(joints[:22] - joints[0] + true_joints[0], true_joints[:22]),
    }
    for side, rows, wrist in (("left", sets.left_hand, 20), ("right", sets.right_hand, 21)):
        found[f"pve_{side}_hand"] = anchored(rows, wrist)
        found[f"pa_pve_{side}_hand"] = aligned(mesh[rows], truth[rows])
        found[f"pa_mpjpe_{side}_hand"] = aligned(hand(mesh, joints, side), hand(truth, true_joints, side))
    for name in ("pve", "pa_pve", "pa_mpjpe"):
        found[f"{name}_hands"] = (found[f"{name}_left_hand"] + found[f"{name}_right_hand"]) / 2
    return found


def test_every_measure_agrees_with_the_slow_implementation() -> None:
    rng = np.random.default_rng(0)
    sets, regressor = subsets(rng), sparse_regressor(rng, 55)
    points, truth = meshes(rng, 3)
    fast = errors(regressor, sets, points, truth)
    for i in range(len(points)):
        slow = slow_errors(points[i], truth[i], regressor, sets)
        assert set(slow) == set(fast)
        for name, value in slow.items():
            assert fast[name][i] == pytest.approx(value, rel=1e-6), name


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 40), st.floats(0.01, 50), st.integers(0, 2**32 - 1), st.booleans())
def test_similarities_agree_with_the_slow_implementation(count: int, scale: float, seed: int, mirror: bool) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(count, 3))
    points = scale * truth * ([-1, 1, 1] if mirror else 1) + rng.normal(size=3) + 0.05 * rng.normal(size=(count, 3))
    fast = mean_distance(procrustes_distances(points[None], truth[None]))[0] * 1000
    assert fast == pytest.approx(slow_mean(slow_similarity(points, truth), truth), rel=1e-6, abs=1e-9)


def test_a_turned_scaled_moved_mesh_has_no_error_after_the_similarity_only() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(2, 50, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    points = 1.7 * truth @ turn.T + [3, 2, 1]
    np.testing.assert_allclose(procrustes_distances(points, truth), 0, atol=1e-12)
    assert joint_aligned_distances(points, truth, points[:, 0], truth[:, 0]).max() > 0.5


def test_a_mirrored_mesh_stays_wrong() -> None:
    """A right hand is no left hand: a reflection would make the error zero."""
    truth = np.random.default_rng(2).normal(size=(1, 40, 3))
    assert mean_distance(procrustes_distances(truth * [-1, 1, 1], truth))[0] > 0.2


def test_hand_made_anchored_error() -> None:
    """Moved by 3-4-0 cm against the anchor in one of two points: 50 mm and 0 mm."""
    truth = np.array([[[0.0, 0, 0], [1, 0, 0]]])
    points = truth + [[[5.0, 5, 5], [5.03, 5.04, 5]]]
    distances = joint_aligned_distances(points, truth, points[:, 0], truth[:, 0])
    np.testing.assert_allclose(distances, [[0, 0.05]], atol=1e-12)
    assert mean_distance(distances)[0] == pytest.approx(0.025)


def test_hand_made_similarity_error() -> None:
    """A cross whose one arm is a third longer: the best scale and shift of points on an axis are found by hand."""
    truth = np.array([[[-1.0, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0]]])
    points = np.array([[[-2.0, 0, 0], [2, 0, 0], [0, -1, 0], [0, 1, 0]]])
    scale = 6 / 10  # sum of truth times points over sum of squared points
    expected = [[abs(2 * scale - 1), abs(2 * scale - 1), 1 - scale, 1 - scale]]
    np.testing.assert_allclose(procrustes_distances(points, truth), expected, atol=1e-12)


@pytest.mark.parametrize("points", [np.zeros((1, 1, 3)), np.ones((1, 5, 3)), np.ones((1, 1, 3)) * [[[4.0, 5, 6]]]])
def test_points_without_extent_are_put_onto_the_mean(points: np.ndarray) -> None:
    truth = np.random.default_rng(3).normal(size=points.shape)
    expected = np.linalg.norm(truth - truth.mean(axis=1, keepdims=True), axis=-1)
    np.testing.assert_allclose(procrustes_distances(points, truth), expected, atol=1e-12)


def test_points_on_a_line_are_aligned() -> None:
    along = np.linspace(-1, 1, 7)[None, :, None]
    points, truth = along * [1.0, 0, 0], 2 * along * [0, 0.6, 0.8] + [1, 2, 3]
    np.testing.assert_allclose(procrustes_distances(points, truth), 0, atol=1e-12)


def test_no_number_in_one_body_leaves_the_others() -> None:
    rng = np.random.default_rng(4)
    sets, regressor = subsets(rng), sparse_regressor(rng, 55)
    points, truth = meshes(rng, 3)
    expected = errors(regressor, sets, points[[0, 2]], truth[[0, 2]])
    points[1, 17] = np.nan
    found = errors(regressor, sets, points, truth)
    for name, values in found.items():
        np.testing.assert_allclose(values[[0, 2]], expected[name], rtol=1e-12, err_msg=name)
    assert np.isnan(found["pve"][1])
    assert np.isnan(found["pa_pve"][1])


def test_only_visible_points_count_but_all_align() -> None:
    rng = np.random.default_rng(5)
    sets, regressor = subsets(rng), sparse_regressor(rng, 55)
    points, truth = meshes(rng, 2)
    low = np.median(truth[..., 0])

    def visible(at: np.ndarray) -> np.ndarray:
        return at[..., 0] < low

    found = errors(regressor, sets, points, truth, visible)
    for i in range(2):
        step = (regressor @ truth[i])[0] - (regressor @ points[i])[0]
        seen = truth[i, :, 0] < low
        assert found["pve"][i] == pytest.approx(slow_mean((points[i] + step)[seen], truth[i, seen]), rel=1e-9)
        aligned = slow_similarity(points[i, sets.face], truth[i, sets.face])
        on_face = seen[sets.face]
        expected = slow_mean(aligned[on_face], truth[i, sets.face][on_face])
        assert found["pa_pve_face"][i] == pytest.approx(expected, rel=1e-6)


def test_hidden_hands_count_for_nothing() -> None:
    rng = np.random.default_rng(6)
    sets, regressor = subsets(rng), sparse_regressor(rng, 55)
    points, truth = meshes(rng, 2)
    truth[0, sets.left_hand, 1] = 1e3
    points[0, sets.left_hand, 1] = 1e3
    truth[1, :, 1] = 1e3

    def visible(at: np.ndarray) -> np.ndarray:
        return at[..., 1] < 500

    found = errors(regressor, sets, points, truth, visible)
    assert np.isnan(found["pve_left_hand"][0])
    assert found["pve_hands"][0] == found["pve_right_hand"][0]
    for name, values in found.items():
        assert name.endswith("mpjpe") or name == "mpjpe" or np.isnan(values[1]), name


def test_without_a_regressor_the_14_are_joints() -> None:
    rng = np.random.default_rng(8)
    sets = replace(subsets(rng), joints14=None)
    points, truth = meshes(rng, 1)
    joints, true_joints = rng.normal(size=(2, 1, 55, 3))
    found = MeshErrors(sets, V).errors(Meshes(points, joints), Meshes(truth, true_joints))
    rows = list(JOINTS_14)
    expected = slow_mean(slow_similarity(joints[0, rows], true_joints[0, rows]), true_joints[0, rows])
    assert found["pa_mpjpe"][0] == pytest.approx(expected, rel=1e-6)


def test_fourteen_joints_after_the_pelvis() -> None:
    rng = np.random.default_rng(7)
    truth = rng.normal(size=(2, 24, 3))
    joints = truth + 5
    joints[0, 4] += [0, 0.14, 0]  # the left knee
    joints[1, 0] += [0, 0, 0.1]  # the pelvis itself, which is not among the 14
    found = joints14_errors(joints, truth)
    np.testing.assert_allclose(found["mpjpe"], [10, 100], atol=1e-9)
    assert found["pa_mpjpe"][1] == pytest.approx(0, abs=1e-9)
    expected = slow_similarity(joints[0, list(JOINTS_14)], truth[0, list(JOINTS_14)])
    assert found["pa_mpjpe"][0] == pytest.approx(slow_mean(expected, truth[0, list(JOINTS_14)]), rel=1e-6)
