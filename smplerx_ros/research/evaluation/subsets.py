"""Hands, face and 14 joints of a mesh: from SMPL-X's licensed files as in publications, or from the skinning weights.

The files from SMPL-X's download page are expected beside the body models. They are pickles of Python 2, converted once
to one `.npz` by the restricted unpickler.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import IntArray
from smplerx_ros.body.model import BodyModel
from smplerx_ros.body.model_file import SMPLX_VERTICES
from smplerx_ros.body.skeleton import JOINT_INDEX, LEFT_HAND, RIGHT_HAND
from smplerx_ros.errors import InputError, ModelFileError
from smplerx_ros.io.files import reason

from .mesh_errors import JOINTS_14, VertexSubsets
from .pickles import read_npz, read_pickle

_log = logging.getLogger(__name__)

CONVERTED = "evaluation_subsets.npz"
MANO_FILE = "MANO_SMPLX_vertex_ids.pkl"
FLAME_FILE = "SMPL-X__FLAME_vertex_ids.npy"
JOINTS_14_FILE = "SMPLX_to_J14.pkl"
_FILES = (MANO_FILE, FLAME_FILE, JOINTS_14_FILE)
_SIZES = {"left_hand": 778, "right_hand": 778, "face": 5023}  # vertices of MANO and FLAME
_PAGE = "https://smpl-x.is.tue.mpg.de (after registration; SMPLX_to_J14.pkl comes with SMPLify-X's and ExPose's data)"
_HEAD = ("head", "jaw", "left_eye", "right_eye")


def load_subsets(body: BodyModel, folder: Path | None) -> VertexSubsets:
    """Load the published subsets if `body` is SMPL-X and `folder` has their files; otherwise use the skinning weights.

    Raises:
        ModelFileError: If a file is damaged.
    """
    if folder is None or not is_smplx(body):
        return subsets_from_skinning(body)
    if (folder / CONVERTED).is_file():
        return read_subsets(folder / CONVERTED)
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        _log.warning(
            "%s: %s missing: hands and face are selected by skinning weights, not comparable with the paper; from %s",
            folder,
            ", ".join(missing),
            _PAGE,
        )
        return subsets_from_skinning(body)
    convert_subsets(folder, folder / CONVERTED)
    return read_subsets(folder / CONVERTED)


def is_smplx(body: BodyModel) -> bool:
    """Return whether the mesh has the topology of SMPL-X, to which published results refer."""
    return len(body.v_template) == SMPLX_VERTICES


def subsets_from_skinning(body: BodyModel) -> VertexSubsets:
    """Select the vertices whose largest skinning weight is a joint of the hand or head; joints are 14 of the 55."""
    owner = np.argmax(body.skin_weights, axis=1)
    head = [JOINT_INDEX[name] for name in _HEAD]
    return VertexSubsets(
        left_hand=_owned(owner, [JOINT_INDEX["left_wrist"], *range(LEFT_HAND.start, LEFT_HAND.stop)]),
        right_hand=_owned(owner, [JOINT_INDEX["right_wrist"], *range(RIGHT_HAND.start, RIGHT_HAND.stop)]),
        face=_owned(owner, head),
        joints14=None,
        comparable=False,
        source=f"skinning weights and joints of {body.name}",
    )


def convert_subsets(folder: Path, out: Path) -> None:
    """Convert the three licensed files in `folder` to one `.npz`.

    Raises:
        ModelFileError: If a file is missing or invalid, or `out` cannot be written; says where to get the files.
    """
    try:
        hands = read_pickle(folder / MANO_FILE)
        face = np.load(folder / FLAME_FILE, allow_pickle=False)
        joints = np.asarray(read_pickle(folder / JOINTS_14_FILE), np.float64)
        sets: dict[str, Any] = {side: np.asarray(hands[side], np.int64).ravel() for side in ("left_hand", "right_hand")}
    except (InputError, OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise ModelFileError(
            f"{folder}: the files {', '.join(_FILES)} cannot be read ({reason(error)}); {_PAGE}"
        ) from error
    sets["face"] = np.asarray(face).astype(np.int64).ravel()
    _check(sets, joints, str(folder))
    try:
        np.savez(out, **sets, joints14=joints)
    except OSError as error:
        raise ModelFileError(f"{out}: cannot be written ({error.strerror})") from error


def read_subsets(path: Path) -> VertexSubsets:
    """Read a file written by `convert_subsets`.

    Raises:
        ModelFileError: If the file is damaged.
    """
    try:
        with read_npz(path) as npz:
            sets = {name: np.asarray(npz[name]) for name in _SIZES}
            joints = np.asarray(npz["joints14"])
    except InputError as error:
        raise ModelFileError(f"{error}; delete it to convert again") from error
    _check(sets, joints, str(path))
    return VertexSubsets(**sets, joints14=joints, comparable=True, source="MANO's and FLAME's vertices, SMPLX_to_J14")


def _check(sets: dict[str, NDArray[Any]], joints: NDArray[Any], label: str) -> None:
    for name, size in _SIZES.items():
        ids = sets[name]
        if ids.shape != (size,) or ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() >= SMPLX_VERTICES:
            raise ModelFileError(f"{label}: {name} is not {size} vertices of SMPL-X; {_PAGE}")
    if joints.shape != (len(JOINTS_14), SMPLX_VERTICES) or not np.isfinite(joints).all():
        raise ModelFileError(f"{label}: the regressor of 14 joints has shape {joints.shape}; {_PAGE}")


def _owned(owner: IntArray, joints: list[int]) -> IntArray:
    return np.flatnonzero(np.isin(owner, joints))
