"""Models and parameters on which the body model and the smplx package must agree, and the results of smplx.

    python test/support/smplx_cases.py      # requires smplx and torch; writes test/data/smplx_golden.npz

smplx has a non-commercial licence: it is only called, and only where it is installed.
"""

from __future__ import annotations

import shutil
import tempfile
import zlib
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from smplerx_ros.body.model import STANDIN_FILE
from smplerx_ros.body.skeleton import JOINT_NAMES, PARENTS
from smplerx_ros.types import PARAM_SIZES, SmplxParams

GOLDEN = Path(__file__).resolve().parents[1] / "data" / "smplx_golden.npz"
MODELS = ("standin", "wide", "narrow")  # the embedded body; synthetic SMPL-X 1.1 and 1.0 files
VERTEX_STEP = 97  # the golden file contains every 97th vertex

NUM_VERTICES = 10475
NUM_FACES = 20908
NUM_JOINTS = len(JOINT_NAMES)
YAWS = (0.0, 0.31, -0.47, 0.62, -0.9, 1.4)  # rad, of the head: within and beyond the contour's 39 degrees


def synthetic_model(components: int) -> dict[str, np.ndarray]:
    """Generate a model of the official shapes with 400 or 20 `components`: vertices around a crude skeleton."""
    joints = _crude_joints()
    owner = np.arange(NUM_VERTICES) % NUM_JOINTS
    parent = np.maximum(PARENTS, 0)[owner]
    parent_weight = _uniform("share", NUM_VERTICES) * 0.4
    rows = np.arange(NUM_VERTICES)
    weights = np.zeros((NUM_VERTICES, NUM_JOINTS))
    weights[rows, owner] += 1 - parent_weight
    weights[rows, parent] += parent_weight
    regressor = np.zeros((NUM_JOINTS, NUM_VERTICES))
    regressor[owner[: 12 * NUM_JOINTS], rows[: 12 * NUM_JOINTS]] = 1 / 12
    floats = {
        "v_template": joints[owner] + _centred("template", NUM_VERTICES, 3) * 0.1,
        "shapedirs": _centred("shape", NUM_VERTICES, 3, components) * 0.01,
        "posedirs": _centred("pose", NUM_VERTICES, 3, 9 * (NUM_JOINTS - 1)) * 0.002,
        "J_regressor": regressor,
        "weights": weights,
        "lmk_bary_coords": _barycentric("static", 51),
        "dynamic_lmk_bary_coords": _barycentric("contour", 79, 17),
        "hands_componentsl": np.eye(45),
        "hands_componentsr": np.eye(45),
        "hands_meanl": _centred("left hand", 45),
        "hands_meanr": _centred("right hand", 45),
    }
    return {key: value.astype(np.float32) for key, value in floats.items()} | {
        "f": _integers("faces", NUM_VERTICES, NUM_FACES, 3).astype(np.uint32),
        "lmk_faces_idx": _integers("static faces", NUM_FACES, 51),
        "dynamic_lmk_faces_idx": _integers("contour faces", NUM_FACES, 79, 17),
        "kintree_table": np.array([PARENTS, range(NUM_JOINTS)]).astype(np.uint32),  # the root's parent is 2**32 - 1
    }


def write_model(name: str, path: Path) -> Path:
    """Write one of `MODELS` as an `.npz` file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if name == "standin":
        with as_file(files("smplerx_ros") / "assets" / STANDIN_FILE) as source:
            shutil.copyfile(source, path)
    else:
        np.savez(path, **synthetic_model(400 if name == "wide" else 20))
    return path


def parameters() -> SmplxParams:
    """Generate a batch: rest pose, random bodies of growing angles, one upright in an optical frame, rotated heads."""
    arrays = {name: _centred(name, len(YAWS) + 3, size) * 2 for name, size in PARAM_SIZES.items()}
    for name, values in arrays.items():
        scales = np.full((len(values), 1), 0.3) if name.endswith(("pose", "orient")) else np.ones((len(values), 1))
        scales[:3, 0] = (0, 0.1, 1)
        values *= scales
    arrays["global_orient"][2] = (np.pi, 0, 0)
    arrays["global_orient"][3:] = [(0, yaw, 0) for yaw in YAWS]
    arrays["body_pose"][3:, :36] *= 0.2  # hips to neck: the head's yaw stays near the one given
    return SmplxParams(**arrays)


def smplx_answers(path: Path, params: SmplxParams) -> tuple[np.ndarray, np.ndarray]:
    """Compute joints `(B, 144, 3)` and vertices `(B, V, 3)` by the smplx package."""
    import smplx
    import torch

    batch = len(params.transl)
    sizes = {"num_betas": 10, "num_expression_coeffs": 10, "batch_size": batch}
    options = {"use_pca": False, "flat_hand_mean": False, "use_face_contour": True, "ext": "npz"}
    model = smplx.create(str(path), "smplx", **sizes, **options)
    with torch.no_grad():
        out = model(**{name: torch.from_numpy(getattr(params, name)) for name in PARAM_SIZES})
    return out.joints.numpy(), out.vertices.numpy()


def make_golden() -> None:
    """Write the results of smplx for all `MODELS`."""
    params = parameters()
    arrays: dict[str, Any] = {name: getattr(params, name) for name in PARAM_SIZES}
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            joints, vertices = smplx_answers(write_model(name, Path(folder) / name / "SMPLX_NEUTRAL.npz"), params)
            arrays |= {f"{name}_joints": joints, f"{name}_vertices": vertices[:, ::VERTEX_STEP]}
    np.savez_compressed(GOLDEN, **arrays)


def _crude_joints() -> np.ndarray:
    """Return the joints of a stick figure, metres, each about a hand's width from its parent."""
    joints = np.zeros((NUM_JOINTS, 3))
    for joint in range(1, NUM_JOINTS):
        joints[joint] = joints[PARENTS[joint]] + _centred(JOINT_NAMES[joint], 3) * 0.3
    return joints


def _uniform(seed: str, *shape: int) -> np.ndarray:
    return np.random.default_rng(zlib.crc32(seed.encode())).random(shape)


def _centred(seed: str, *shape: int) -> np.ndarray:
    return _uniform(seed, *shape) - 0.5


def _integers(seed: str, limit: int, *shape: int) -> np.ndarray:
    return np.floor(_uniform(seed, *shape) * limit).astype(np.int64)


def _barycentric(seed: str, *shape: int) -> np.ndarray:
    raw = _uniform(seed, *shape, 3) + 0.01
    return raw / raw.sum(axis=-1, keepdims=True)


if __name__ == "__main__":
    make_golden()
