"""Build the stand-in body model from the `anny` package, in SMPL-X's file format.

    python3.11 -m venv VENV && VENV/bin/pip install -r scripts/standin/requirements.txt
    PYTHONPATH=. VENV/bin/python scripts/standin/build.py smplerx_ros/assets/SMPLX_NEUTRAL_standin_anny.npz

The result is identical for the same versions on the same machine.
"""

from __future__ import annotations

import argparse
import logging
import zipfile
from pathlib import Path
from typing import Any

import anny_source
import landmarks
import numpy as np
from numpy.typing import NDArray
from rig import joint_weights
from scipy.spatial import cKDTree
from shape_space import EXPRESSIONS, betas, expressions, joint_regressor
from t_pose import to_t_pose

from smplerx_ros.body.model_file import NAME_KEY, POSE_FEATURES, WIDE_COMPONENTS, WIDE_EXPRESSION_START
from smplerx_ros.body.skeleton import FINGERS, JOINT_NAMES, PARENTS

Array = NDArray[Any]

log = logging.getLogger("standin")

NAME = "standin_anny"
STEP = 2.0**-20  # positions (metres) and weights are rounded to multiples of it: 1 um, for a smaller file
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
MIRROR_TOLERANCE = 1e-6  # metres

# Relaxed hand (own design): flexion in radians of the first joint of each finger, and factors of the three joints.
RELAXED_FLEXION = {"index": 0.25, "middle": 0.3, "pinky": 0.4, "ring": 0.35}
RELAXED_FACTORS = (1.0, 1.2, 0.8)
RELAXED_THUMB = (0.15, -0.1, 0.0)


def build() -> dict[str, Array]:
    """Compute the arrays of the model file."""
    data = anny_source.load()
    mirror = _mirror(data.template.vertices)
    weights = joint_weights(data)
    template, joints = to_t_pose(data, weights, data.template)
    samples = [to_t_pose(data, weights, shape) for shape in data.samples]
    bodies = np.stack([template, *(vertices for vertices, _ in samples)])
    all_joints = np.stack([joints, *(positions for _, positions in samples)])
    expression_dirs = expressions(data.actions)
    regressor = joint_regressor(bodies, all_joints, expression_dirs, mirror)
    _report(bodies, all_joints, regressor)

    order = landmarks.smplx_vertex_order(
        landmarks.extra_joint_vertices(template, joints, weights, mirror), len(template)
    )
    static, contour = (landmarks.on_faces(v, data.faces) for v in landmarks.face_landmark_vertices(mirror))
    return {
        NAME_KEY: np.array(NAME),
        "v_template": _rounded(template[order]),
        "f": np.argsort(order)[data.faces].astype(np.uint32),
        "shapedirs": _shape_dirs(betas(bodies[1:], template), expression_dirs)[order],
        "posedirs": np.zeros((len(template), 3, POSE_FEATURES), np.float16),
        "J_regressor": regressor[:, order].astype(np.float32),
        "weights": _rounded(weights[order]),
        "kintree_table": np.array([PARENTS, range(len(PARENTS))]).astype(np.uint32),
        "joint_names": np.array(JOINT_NAMES),
        "expr_names": np.array(list(EXPRESSIONS)),
        **_hands(),
        **_face(static, contour),
    }


def _mirror(vertices: Array) -> Array:
    """Return `(V,)` the mirrored counterpart of each vertex; Anny's mesh is symmetric."""
    distance, mirror = cKDTree(vertices).query(vertices * [-1, 1, 1])
    if distance.max() > MIRROR_TOLERANCE:
        raise RuntimeError(f"the template is not symmetric: {distance.max()} m")
    return np.asarray(mirror)


def _rounded(values: Array) -> Array:
    return (np.round(values / STEP) * STEP).astype(np.float32)


def _shape_dirs(beta_dirs: Array, expression_dirs: Array) -> Array:
    dirs = np.zeros((*beta_dirs.shape[:2], WIDE_COMPONENTS), np.float32)
    dirs[..., : beta_dirs.shape[-1]] = _rounded(beta_dirs)
    dirs[..., WIDE_EXPRESSION_START : WIDE_EXPRESSION_START + expression_dirs.shape[-1]] = _rounded(expression_dirs)
    return dirs


def _hands() -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    for side, sign in (("l", 1.0), ("r", -1.0)):
        arrays[f"hands_mean{side}"] = _relaxed_hand(sign)
        arrays[f"hands_components{side}"] = np.eye(45, dtype=np.float32)
        arrays[f"hands_coeffs{side}"] = np.zeros((1, 45), np.float32)
    return arrays


def _relaxed_hand(sign: float) -> Array:
    """Return axis-angle `(45,)`; `sign` is 1 for the left hand. Fingers flex about the z axis of the T-pose."""
    pose = np.zeros((len(FINGERS), 3, 3), np.float32)
    for finger, flexion in RELAXED_FLEXION.items():
        pose[FINGERS.index(finger), :, 2] = [-sign * flexion * factor for factor in RELAXED_FACTORS]
    pose[FINGERS.index("thumb"), 0] = np.multiply(RELAXED_THUMB, (1, sign, sign))
    return pose.ravel()


def _face(static: tuple[Array, Array], contour: tuple[Array, Array]) -> dict[str, Array]:
    return {
        "lmk_faces_idx": static[0],
        "lmk_bary_coords": static[1],
        "dynamic_lmk_faces_idx": np.tile(contour[0], (landmarks.CONTOUR_ROWS, 1)),
        "dynamic_lmk_bary_coords": np.tile(contour[1], (landmarks.CONTOUR_ROWS, 1, 1)),
    }


def _report(bodies: Array, joints: Array, regressor: Array) -> None:
    heights = np.ptp(bodies[..., 1], axis=1)
    errors = np.linalg.norm(regressor @ bodies - joints, axis=-1) * 1e3
    log.info("height: template %.3f m, samples %.3f +- %.3f m", heights[0], heights[1:].mean(), heights[1:].std())
    log.info("joint regressor: mean error %.2f mm, largest %.2f mm", errors.mean(), errors.max())


def save_npz(path: Path, arrays: dict[str, Array]) -> None:
    """Write a compressed `.npz` without time stamps, so that its bytes depend on the arrays only."""
    with zipfile.ZipFile(path, "w") as archive:
        for key, value in arrays.items():
            entry = zipfile.ZipInfo(f"{key}.npy", ZIP_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(value, order="C"), allow_pickle=False)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description="Build the stand-in body model from the anny package.")
    parser.add_argument("output", type=Path)
    save_npz(parser.parse_args().output, build())


if __name__ == "__main__":
    main()
