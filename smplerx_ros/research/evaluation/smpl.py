"""Joints of posed SMPL bodies (Loper et al. 2015), the ground truth of 3DPW. The licensed models are not included."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from smplerx_ros.arrays import FloatArray
from smplerx_ros.errors import InputError, ModelFileError
from smplerx_ros.geometry.rotations import matrix_from_rotvec

from .pickles import read_npz, read_pickle

GENDERS = ("neutral", "male", "female")
NUM_JOINTS = 24
NUM_BETAS = 10
NUM_VERTICES = 6890
_POSE_FEATURES = 9 * (NUM_JOINTS - 1)
_PAGE = "https://smpl.is.tue.mpg.de (after registration)"
_KEYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")


@dataclass(frozen=True, eq=False)
class SmplBody:
    """An SMPL body model with V vertices and 24 joints."""

    v_template: FloatArray  # (V, 3) metres
    shape_dirs: FloatArray  # (V, 3, 10) metres per unit of beta
    pose_dirs: FloatArray  # (V, 3, 207) metres
    joint_regressor: FloatArray  # (24, V)
    weights: FloatArray  # (V, 24) skinning weights
    parents: tuple[int, ...]  # (24,) -1 for the root

    def regressed_joints(self, pose: ArrayLike, betas: ArrayLike) -> FloatArray:
        """Pose bodies by linear blend skinning and regress their joints from the meshes.

        Args:
            pose: `(B, 72)` axis-angle, the root first.
            betas: `(B, 10)`.

        Returns:
            `(B, 24, 3)` metres, with the pelvis near the origin.
        """
        rotations = matrix_from_rotvec(np.asarray(pose, np.float64).reshape(-1, NUM_JOINTS, 3))
        shaped = self.v_template + np.einsum("vij,bj->bvi", self.shape_dirs, np.asarray(betas, np.float64))
        rest = self.joint_regressor @ shaped
        features = (rotations[:, 1:] - np.eye(3)).reshape(len(rotations), -1)
        shaped = shaped + np.einsum("vij,bj->bvi", self.pose_dirs, features)
        world, positions = self._kinematics(rotations, rest)
        offsets = positions - (world @ rest[..., None])[..., 0]
        blended = np.einsum("vj,bjkl->bvkl", self.weights, np.concatenate([world, offsets[..., None]], axis=-1))
        mesh = (blended[..., :3] @ shaped[..., None])[..., 0] + blended[..., 3]
        return np.asarray(self.joint_regressor @ mesh)

    def _kinematics(self, local: FloatArray, rest: FloatArray) -> tuple[FloatArray, FloatArray]:
        rotations, positions = local.copy(), rest.copy()
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                rotations[:, joint] = rotations[:, parent] @ local[:, joint]
                bone = rest[:, joint] - rest[:, parent]
                positions[:, joint] = positions[:, parent] + (rotations[:, parent] @ bone[..., None])[..., 0]
        return rotations, positions


def load_smpl(folder: Path, gender: str) -> SmplBody:
    """Load `SMPL_{GENDER}.npz` from `folder`; if missing, convert the published `.pkl` to it first.

    Raises:
        ModelFileError: If the model cannot be loaded; says where to get it.
    """
    if gender not in GENDERS:
        raise ModelFileError(f"SMPL: gender {gender!r} is none of {', '.join(GENDERS)}")
    path = folder / f"SMPL_{gender.upper()}.npz"
    try:
        if not path.is_file():
            convert_smpl(path.with_suffix(".pkl"), path)
        with read_npz(path) as npz:
            return _body({key: npz[key] for key in _KEYS})
    except (InputError, OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise ModelFileError(f"{path}: no SMPL model ({error}); SMPL_{gender.upper()}.pkl from {_PAGE}") from error


def convert_smpl(path: Path, out: Path) -> None:
    """Convert a published model file (a pickle of Python 2, read by the restricted unpickler) to an `.npz` of arrays.

    Raises:
        InputError: If the file cannot be read or lacks an entry.
    """
    content = read_pickle(path)
    if not isinstance(content, dict) or any(key not in content for key in _KEYS):
        raise InputError(f"{path}: not all of {', '.join(_KEYS)} are in it")
    arrays: dict[str, Any] = {key: np.asarray(content[key]) for key in _KEYS}
    _body(arrays)
    np.savez(out, **arrays)


def _body(arrays: dict[str, Any]) -> SmplBody:
    shapes = {
        "v_template": (NUM_VERTICES, 3),
        "posedirs": (NUM_VERTICES, 3, _POSE_FEATURES),
        "J_regressor": (NUM_JOINTS, NUM_VERTICES),
        "weights": (NUM_VERTICES, NUM_JOINTS),
        "kintree_table": (2, NUM_JOINTS),
    }
    for key, shape in shapes.items():
        if np.shape(arrays[key]) != shape:
            raise ValueError(f"{key} has shape {np.shape(arrays[key])}, expected {shape}")
    parents = (-1, *(int(parent) for parent in arrays["kintree_table"][0, 1:]))
    if any(not 0 <= parent < joint for joint, parent in enumerate(parents) if joint):
        raise ValueError("kintree_table is no tree")
    floats = {key: np.asarray(arrays[key], np.float64) for key in _KEYS[:-1]}
    return SmplBody(
        floats["v_template"],
        floats["shapedirs"][..., :NUM_BETAS],
        floats["posedirs"],
        floats["J_regressor"],
        floats["weights"],
        parents,
    )
