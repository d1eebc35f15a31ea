"""SMPL bodies and PLY meshes, and the registry of training sets."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csc_matrix

from smplerx_ros.errors import ConfigError, InputError, ModelFileError
from smplerx_ros.geometry.rotations import matrix_from_rotvec
from smplerx_ros.research.evaluation.body_models import BodyModels
from smplerx_ros.research.evaluation.datasets import load_set
from smplerx_ros.research.evaluation.evaluators import load_evaluator
from smplerx_ros.research.evaluation.humandata import HumanData, write_humandata
from smplerx_ros.research.evaluation.ply import read_vertices
from smplerx_ros.research.evaluation.smpl import load_smpl
from smplerx_ros.research.evaluation.training_sets import (
    FINETUNE_RECIPES,
    PEOPLE_PER_EPOCH,
    TRAINING_SETS,
    training_sets,
)
from smplerx_ros.types import PARAM_SIZES, SmplxParams
from support.smplx_cases import write_model

PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
V = 6890


def smpl_content(rng: np.random.Generator) -> dict[str, Any]:
    """A model of the published shapes; the root's parent is the published file's unsigned -1."""
    regressor = np.zeros((24, V))
    for row in regressor:
        row[rng.integers(0, V, 5)] = rng.dirichlet(np.ones(5))
    tree = np.array([[2**32 - 1, *PARENTS[1:]], range(24)], np.uint32)
    return {
        "v_template": rng.normal(size=(V, 3)),
        "shapedirs": 0.01 * rng.normal(size=(V, 3, 10)),
        "posedirs": 0.001 * rng.normal(size=(V, 3, 207)),
        "J_regressor": csc_matrix(regressor),
        "weights": rng.dirichlet(np.ones(24) * 0.1, V),
        "kintree_table": tree,
        "f": np.zeros((3, 3), np.uint32),
    }


def slow_joints(content: dict[str, Any], pose: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """One body, 4x4 matrices, only the vertices that the regressor uses."""
    regressor = content["J_regressor"].toarray()
    shaped = content["v_template"] + content["shapedirs"] @ betas
    rest = regressor @ shaped
    turns = [matrix_from_rotvec(pose[3 * j : 3 * j + 3]) for j in range(24)]
    feature = np.concatenate([(turn - np.eye(3)).ravel() for turn in turns[1:]])
    globals_ = []
    for j, parent in enumerate(PARENTS):
        local = np.eye(4)
        local[:3, :3], local[:3, 3] = turns[j], rest[j] - (rest[parent] if parent >= 0 else 0)
        globals_.append(local if parent < 0 else globals_[parent] @ local)
    joints = np.zeros((24, 3))
    for j, v in zip(*np.nonzero(regressor), strict=True):
        point = shaped[v] + content["posedirs"][v] @ feature
        skinned = sum(content["weights"][v, k] * (globals_[k] @ np.append(point - rest[k], 1))[:3] for k in range(24))
        joints[j] += regressor[j, v] * skinned
    return joints


def test_smpls_joints_agree_with_a_slow_implementation(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    content = smpl_content(rng)
    (tmp_path / "SMPL_MALE.pkl").write_bytes(pickle.dumps(content, protocol=2))
    pose, betas = 0.4 * rng.normal(size=(2, 72)), rng.normal(size=(2, 10))
    for _ in range(2):  # from the pickle, then from what it was converted to
        joints = load_smpl(tmp_path, "male").regressed_joints(pose, betas)
        for i in range(2):
            np.testing.assert_allclose(joints[i], slow_joints(content, pose[i], betas[i]), rtol=1e-9, atol=1e-12)
        (tmp_path / "SMPL_MALE.pkl").unlink(missing_ok=True)


def test_3dpw_is_measured_on_14_joints_of_each_bodys_own_regressor(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    write_model("wide", tmp_path / "SMPLX_NEUTRAL.npz")
    contents = {gender: smpl_content(rng) for gender in ("male", "female")}
    for gender, content in contents.items():
        (tmp_path / f"SMPL_{gender.upper()}.pkl").write_bytes(pickle.dumps(content, protocol=2))
    smpl = {
        "global_orient": 0.4 * rng.normal(size=(3, 3)),
        "body_pose": 0.4 * rng.normal(size=(3, 23, 3)),
        "betas": rng.normal(size=(3, 10)),
        "gender": ["f", "m", "f"],
    }
    boxes = np.ones((3, 5))
    np.savez(tmp_path / "pw3d_test.npz", image_path=np.array(["a.png"] * 3), bbox_xywh=boxes, smpl=smpl)
    (tmp_path / "a.png").touch()
    bodies = BodyModels(tmp_path)
    evaluator = load_evaluator(load_set("3dpw", tmp_path), bodies)
    params = SmplxParams(**{name: 0.3 * rng.normal(size=(2, size)) for name, size in PARAM_SIZES.items()})
    found = evaluator.errors(np.array([2, 1]), params)
    regressed = bodies.neutral.joint_regressor @ bodies.neutral.vertices(params)
    rows = [1, 2, 4, 5, 7, 8, 12, 15, 16, 17, 18, 19, 20, 21]
    for i, (row, gender) in enumerate(((2, "female"), (1, "male"))):
        pose = np.concatenate([smpl["global_orient"][row], smpl["body_pose"][row].ravel()]).astype(np.float32)
        truth = slow_joints(contents[gender], pose.astype(np.float64), smpl["betas"][row].astype(np.float32))
        steps = (regressed[i] - regressed[i, 0])[rows] - (truth - truth[0])[rows]
        assert found["mpjpe"][i] == pytest.approx(1000 * np.linalg.norm(steps, axis=1).mean(), rel=1e-5)
        assert 0 < found["pa_mpjpe"][i] < found["mpjpe"][i]


def test_perfect_predictions_of_3dpw_have_no_error(tmp_path: Path) -> None:
    """A made-up SMPL body whose joints at rest are those of SMPL-X's: turned as a whole they are the same."""
    rng = np.random.default_rng(2)
    write_model("wide", tmp_path / "SMPLX_NEUTRAL.npz")
    bodies = BodyModels(tmp_path)
    neutral = bodies.neutral
    content = smpl_content(rng)
    rest = neutral.joint_regressor @ neutral.vertices(SmplxParams.rest())[0]
    content["v_template"][:22] = rest[:22]
    content["J_regressor"] = csc_matrix(np.eye(24, V))
    (tmp_path / "SMPL_NEUTRAL.pkl").write_bytes(pickle.dumps(content, protocol=2))
    params = replace(SmplxParams.rest(3), global_orient=rng.normal(size=(3, 3)).astype(np.float32))
    smpl = {"global_orient": params.global_orient, "body_pose": np.zeros((3, 69)), "betas": np.zeros((3, 10))}
    data = HumanData(("a.png",) * 3, np.ones((3, 5)), smpl, family="smpl")
    write_humandata(tmp_path / "pw3d_test.npz", data)
    (tmp_path / "a.png").touch()
    evaluator = load_evaluator(load_set("3dpw", tmp_path), bodies)
    moved = replace(params, transl=rng.normal(size=(3, 3)).astype(np.float32))
    for values in evaluator.errors(np.arange(3), moved).values():
        np.testing.assert_allclose(values, 0, atol=1e-3)
    bent = replace(moved, body_pose=moved.body_pose + np.eye(1, 63, 0, dtype=np.float32))  # a hip
    assert min(values.min() for values in evaluator.errors(np.arange(3), bent).values()) > 1


@pytest.mark.parametrize(("pose", "betas"), [(63, 10), (69, 9)])
def test_smpl_parameters_of_another_length_are_refused(tmp_path: Path, pose: int, betas: int) -> None:
    smpl = {"global_orient": np.zeros((12, 3)), "body_pose": np.zeros((12, pose)), "betas": np.zeros((12, betas))}
    write_humandata(tmp_path / "pw3d_test.npz", HumanData(("a.png",) * 12, np.ones((12, 5)), smpl, family="smpl"))
    (tmp_path / "a.png").touch()
    with pytest.raises(InputError, match=f"{pose} values of body_pose and {betas} betas"):
        load_evaluator(load_set("3dpw", tmp_path), BodyModels(tmp_path))


def test_unusable_smpl_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"SMPL_FEMALE\.pkl from https://smpl\.is\.tue\.mpg\.de"):
        load_smpl(tmp_path, "female")
    with pytest.raises(ModelFileError, match="'child' is none of"):
        load_smpl(tmp_path, "child")
    content = smpl_content(np.random.default_rng(0))
    content["weights"] = content["weights"][:, :23]
    (tmp_path / "SMPL_NEUTRAL.pkl").write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(ModelFileError, match="weights has shape"):
        load_smpl(tmp_path, "neutral")


MESH = np.array([[0.5, -1.25, 2.0], [3.0, 4.0, -5.5]])
HEADER = "ply\nformat {} 1.0\ncomment scan\nelement vertex 2\n{}element face 1\nproperty list uchar int v\nend_header\n"


@pytest.mark.parametrize("order", ["<", ">"])
def test_binary_meshes(tmp_path: Path, order: str) -> None:
    kind = {"<": "binary_little_endian", ">": "binary_big_endian"}[order]
    properties = "property uchar red\nproperty float x\nproperty double y\nproperty float z\n"
    rows = np.zeros(2, [("red", "u1"), ("x", order + "f4"), ("y", order + "f8"), ("z", order + "f4")])
    for i, axis in enumerate("xyz"):
        rows[axis] = MESH[:, i]
    path = tmp_path / "mesh.ply"
    path.write_bytes(HEADER.format(kind, properties).encode() + rows.tobytes() + b"\x03" + b"\0" * 12)
    np.testing.assert_array_equal(read_vertices(path), MESH)


def test_meshes_as_text(tmp_path: Path) -> None:
    properties = "property float nx\nproperty float x\nproperty float y\nproperty float z\n"
    rows = "\n".join(" ".join(["9", *map(str, row)]) for row in MESH)
    (tmp_path / "mesh.ply").write_text(HEADER.format("ascii", properties) + rows + "\n3 0 1 1\n")
    np.testing.assert_array_equal(read_vertices(tmp_path / "mesh.ply"), MESH)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"obj",
        b"ply\nformat ascii 1.0\nend_header\n",
        b"ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\nproperty float z\n"
        b"end_header\n1 2",
        b"ply\nformat binary_little_endian 1.0\nelement vertex 9\nproperty float x\nproperty float y\n"
        b"property float z\nend_header\nabc",
        b"ply\nformat ascii 1.0\nelement face 2\nproperty list uchar int v\nelement vertex 2\nend_header\n",
    ],
)
def test_damaged_meshes_are_errors(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mesh.ply").write_bytes(content)
    with pytest.raises(InputError, match=r"mesh\.ply: not a readable PLY"):
        read_vertices(tmp_path / "mesh.ply")


def test_the_training_sets() -> None:
    assert len(TRAINING_SETS) == 32
    assert [len(training_sets(count)) for count in PEOPLE_PER_EPOCH] == [5, 10, 20, 32]
    assert PEOPLE_PER_EPOCH[32] // len(TRAINING_SETS) == 140_625
    assert {name for name, entry in TRAINING_SETS.items() if not entry.humandata} == {
        *("MSCOCO", "AGORA", "UBody", "PW3D", "MPII", "Human36M")
    }
    assert {name: entry.interval for name, entry in TRAINING_SETS.items() if entry.interval > 1} == {
        **{"BEDLAM": 5, "EgoBody_Kinect": 10, "UBody": 10, "MPI_INF_3DHP": 5, "InstaVariety": 10},
        **{"RenBody_HiRes": 5, "ARCTIC": 10, "FIT3D": 10, "Talkshow": 10},
    }
    assert all(entry.page.startswith("http") and entry.page in entry.where for entry in TRAINING_SETS.values())
    assert all(name in TRAINING_SETS for sets in FINETUNE_RECIPES.values() for name in sets)
    assert TRAINING_SETS["EgoBody_Kinect"].recipes == ("3dpw", "egobody")
    with pytest.raises(ConfigError, match="not 7"):
        training_sets(7)
