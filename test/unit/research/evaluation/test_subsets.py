"""Hands and face: the body's own, and those of the licensed files, which here are made up."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.errors import ModelFileError
from smplerx_ros.research.evaluation.subsets import (
    FLAME_FILE,
    JOINTS_14_FILE,
    MANO_FILE,
    convert_subsets,
    load_subsets,
    read_subsets,
    subsets_from_skinning,
)
from smplerx_ros.types import SmplxParams
from support.bodies import standin

V = 10475


def licensed(folder: Path, **changes: object) -> dict[str, np.ndarray]:
    """Files laid out as the published ones, with other content."""
    rng = np.random.default_rng(0)
    hands = {side: rng.permutation(V)[:778] for side in ("left_hand", "right_hand")}
    face, joints = rng.permutation(V)[:5023], rng.normal(size=(14, V))
    (folder / MANO_FILE).write_bytes(pickle.dumps({**hands, **changes}, protocol=2))
    np.save(folder / FLAME_FILE, face)
    (folder / JOINTS_14_FILE).write_bytes(pickle.dumps(joints, protocol=2))
    return {**hands, "face": face, "joints14": joints}


def test_the_bodys_own_hands_and_face_are_where_they_belong() -> None:
    body = standin()
    sets = subsets_from_skinning(body)
    assert not sets.comparable
    joints, mesh = body.joints(SmplxParams.rest())[0], body.v_template
    for rows, middle in ((sets.left_hand, "left_middle2"), (sets.right_hand, "right_middle2"), (sets.face, "jaw")):
        distances = np.linalg.norm(mesh[rows] - joints[JOINT_INDEX[middle]], axis=1)
        assert len(rows) > 200
        assert distances.max() < 0.3
    assert not np.intersect1d(sets.left_hand, sets.right_hand).size
    assert mesh[sets.left_hand, 0].min() > 0 > mesh[sets.right_hand, 0].max()


def test_the_stand_in_never_takes_the_licensed_sets(tmp_path: Path) -> None:
    licensed(tmp_path)
    assert not load_subsets(standin(), tmp_path).comparable


def test_licensed_files_are_converted_once(tmp_path: Path) -> None:
    expected = licensed(tmp_path)
    convert_subsets(tmp_path, tmp_path / "sets.npz")
    sets = read_subsets(tmp_path / "sets.npz")
    assert sets.comparable
    for name, value in expected.items():
        np.testing.assert_array_equal(getattr(sets, name), value)


def test_wrong_content_is_named(tmp_path: Path) -> None:
    licensed(tmp_path, left_hand=np.arange(777))
    with pytest.raises(ModelFileError, match="left_hand is not 778 vertices"):
        convert_subsets(tmp_path, tmp_path / "sets.npz")
    licensed(tmp_path, right_hand=np.full(778, V))
    with pytest.raises(ModelFileError, match="right_hand is not 778 vertices"):
        convert_subsets(tmp_path, tmp_path / "sets.npz")
    assert not (tmp_path / "sets.npz").exists()


def test_a_missing_file_says_where_it_comes_from(tmp_path: Path) -> None:
    licensed(tmp_path)
    (tmp_path / JOINTS_14_FILE).unlink()
    with pytest.raises(ModelFileError, match=r"SMPLX_to_J14.pkl: no such file.*smpl-x\.is\.tue\.mpg\.de"):
        convert_subsets(tmp_path, tmp_path / "sets.npz")
