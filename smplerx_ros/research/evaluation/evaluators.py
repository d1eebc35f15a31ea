"""Evaluators: ground truth of a data set, and the errors of predicted bodies against it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body import BodyModel
from smplerx_ros.errors import ConfigError, InputError
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.crops import crop_box, virtual_camera
from smplerx_ros.geometry.rotations import matrix_from_rotvec
from smplerx_ros.types import SmplxParams

from .body_models import NEUTRAL, BodyModels
from .datasets import LoadedSet
from .mesh_errors import MeshErrors, Meshes, Visible, joints14_errors
from .ply import read_vertices
from .smpl import NUM_BETAS, NUM_JOINTS, SmplBody, load_smpl
from .subsets import is_smplx, load_subsets

# Rotation from the frame of EHF's scans to the camera frame, published with the data set.
_CAMERA_FROM_SCAN = matrix_from_rotvec(np.array([-2.98747896, 0.01172457, -0.05704687]))
_DEPTH_MARGIN = 1e-4  # metres, added to depths before projection, as in SMPLer-X's evaluation


class Evaluator(Protocol):
    """Computes the errors of predictions for rows of a data set."""

    def errors(self, rows: NDArray[np.int64], params: SmplxParams) -> dict[str, FloatArray]:
        """Compute all metrics.

        Args:
            rows: `(n,)` people of the data set.
            params: Predicted bodies `(n, ...)`.

        Returns:
            Errors `(n,)` in mm, by metric.
        """

    @property
    def metadata(self) -> dict[str, Any]:
        """Everything about the evaluator on which the results depend."""


def load_evaluator(loaded: LoadedSet, bodies: BodyModels) -> Evaluator:
    """Return the evaluator for the ground truth of a data set.

    Raises:
        SmplerxError: If a file that it needs is missing.
    """
    if loaded.spec.truth == "smpl":
        return JointEvaluator(loaded, bodies)
    return MeshEvaluator(loaded, bodies)


class MeshEvaluator:
    """Evaluates against meshes from SMPL-X parameters or aligned scans, with all metrics of `MeshErrors`."""

    def __init__(self, loaded: LoadedSet, bodies: BodyModels) -> None:
        self._set = loaded
        self._bodies = bodies
        body = bodies.neutral
        if loaded.spec.truth == "scan" and not is_smplx(body):
            raise ConfigError(
                f"{loaded.spec.title}: the ground truth consists of SMPL-X meshes, but the body model is {body.name}: "
                "give the folder of SMPLX_NEUTRAL.npz (https://smpl-x.is.tue.mpg.de) with --body-models"
            )
        if loaded.spec.truth == "smplx":
            _require(loaded, "global_orient", "body_pose")
        if self._gendered:  # report missing models now rather than after hours
            for gender in sorted(set(loaded.people.genders or ())):
                bodies.for_gender(gender)
        self._metrics = MeshErrors(load_subsets(body, bodies.folder), len(body.v_template))

    @property
    def metadata(self) -> dict[str, Any]:
        """Body model and vertex subsets."""
        subsets = self._metrics.subsets
        return {
            "body_model": self._bodies.neutral.name,
            "vertex_sets": subsets.source,
            "vertex_sets_comparable": subsets.comparable,
        }

    def errors(self, rows: NDArray[np.int64], params: SmplxParams) -> dict[str, FloatArray]:
        """Compute all metrics of predicted bodies, posed with the neutral model.

        Raises:
            InputError: If the ground truth cannot be read.
        """
        visible = self._visible(rows) if self._set.spec.visible_only else None
        return self._metrics.errors(_posed(self._bodies.neutral, params), self.truth(rows), visible)

    def truth(self, rows: NDArray[np.int64]) -> Meshes:
        """Return the ground-truth meshes and joints."""
        if self._set.spec.truth == "scan":
            vertices = np.stack([self._scan(int(row)) for row in rows])
            return Meshes.from_vertices(vertices, self._bodies.neutral.joint_regressor)
        people = self._set.people.select(rows)
        if not self._gendered:
            return _posed(self._bodies.neutral, people.smplx_params())
        params = people.smplx_params(neutral=False)
        each = [self._bodies.for_gender(gender).vertices(params[i]) for i, gender in enumerate(people.genders or ())]
        return Meshes.from_vertices(np.concatenate(each), self._bodies.neutral.joint_regressor)

    @property
    def _gendered(self) -> bool:
        return self._set.spec.gendered and is_smplx(self._bodies.neutral) and self._set.people.genders is not None

    def _scan(self, row: int) -> FloatArray:
        path = self._set.scan_path(row)
        vertices = read_vertices(path)
        if len(vertices) != len(self._bodies.neutral.v_template):
            expected = f"{len(self._bodies.neutral.v_template)} as {self._bodies.neutral.name}"
            raise InputError(f"{path}: has {len(vertices)} vertices, expected {expected}")
        return np.asarray(vertices @ _CAMERA_FROM_SCAN.T)

    def _visible(self, rows: NDArray[np.int64]) -> Visible:
        """Return a function that tells which ground-truth points the box's virtual camera projects into the image."""
        sizes = self._set.people.image_sizes
        if sizes is None:
            raise InputError(f"{self._set.annotations}: meta has no height and width, needed to find visible points")
        cameras = np.stack([self._camera(int(row), sizes[row]) for row in rows])
        limits = sizes[rows][:, None, ::-1]

        def visible(points: FloatArray) -> NDArray[np.bool_]:
            depths = points[..., 2:] + _DEPTH_MARGIN
            pixels = points[..., :2] / depths * cameras[:, None, [0, 1], [0, 1]] + cameras[:, None, :2, 2]
            return np.asarray(((pixels >= 0) & (pixels < limits)).all(axis=-1))

        return visible

    def _camera(self, row: int, size: NDArray[Any]) -> FloatArray:
        x, y, width, height = (float(value) for value in self._set.people.boxes[row, :4])
        region = None
        if width > 0 and height > 0:
            region = crop_box(Box(x, y, x + width, y + height), int(size[1]), int(size[0]), self._set.spec.box_ratio)
        return np.full((3, 3), np.nan) if region is None else virtual_camera(region)


def _posed(body: BodyModel, params: SmplxParams) -> Meshes:
    """Pose bodies; joints are regressed from the posed mesh, as in published evaluations.

    The stand-in keeps its kinematic joints: its regressor is valid for the rest pose only (it extrapolates, and is
    centimetres off for other poses).
    """
    vertices = body.vertices(params)
    return (
        Meshes.from_vertices(vertices, body.joint_regressor)
        if is_smplx(body)
        else Meshes(vertices, body.joints(params))
    )


def _require(loaded: LoadedSet, *names: str) -> None:
    missing = [name for name in names if name not in loaded.people.params]
    if missing:
        raise InputError(
            f"{loaded.annotations}: {loaded.spec.truth} has no {', '.join(missing)}: "
            f"it contains no ground truth of {loaded.spec.title}"
        )


class JointEvaluator:
    """Evaluates 14 joints against those of SMPL bodies (3DPW)."""

    def __init__(self, loaded: LoadedSet, bodies: BodyModels) -> None:
        if bodies.folder is None:
            raise ConfigError(
                f"{loaded.spec.title}: the ground truth consists of SMPL bodies: give the folder of SMPL_NEUTRAL.pkl, "
                "SMPL_MALE.pkl, SMPL_FEMALE.pkl (https://smpl.is.tue.mpg.de) and SMPLX_NEUTRAL.npz with --body-models"
            )
        _require(loaded, "global_orient", "body_pose", "betas")
        pose, betas = (loaded.people.params[name].shape[1] for name in ("body_pose", "betas"))
        if pose != 3 * (NUM_JOINTS - 1) or betas < NUM_BETAS:
            raise InputError(f"{loaded.annotations}: smpl has {pose} values of body_pose and {betas} betas, not 69, 10")
        self._people = loaded.people
        self._body = bodies.neutral
        genders = loaded.people.genders or (NEUTRAL,) * len(loaded.people)
        self._genders = np.array([{"m": "male", "f": "female"}.get(g.lower()[:1], NEUTRAL) for g in genders])
        self._smpl: dict[str, SmplBody] = {
            name: load_smpl(bodies.folder, str(name)) for name in sorted(set(self._genders.tolist()))
        }

    @property
    def metadata(self) -> dict[str, Any]:
        """Body models."""
        return {"body_model": self._body.name, "truth": f"SMPL, {', '.join(self._smpl)}"}

    def errors(self, rows: NDArray[np.int64], params: SmplxParams) -> dict[str, FloatArray]:
        """Compute `mpjpe` and `pa_mpjpe` of 14 joints, regressed from the posed mesh by each body model's regressor."""
        regressor = self._body.joint_regressor.astype(np.float64)
        return joints14_errors(regressor @ self._body.vertices(params).astype(np.float64), self.joints(rows))

    def joints(self, rows: NDArray[np.int64]) -> FloatArray:
        """Return the 24 ground-truth SMPL joints `(n, 24, 3)`, metres."""
        given = self._people.select(rows).params
        pose = np.concatenate([given["global_orient"], given["body_pose"]], axis=1)
        joints = np.empty((len(rows), NUM_JOINTS, 3))
        for gender, body in self._smpl.items():
            chosen = self._genders[rows] == gender
            if chosen.any():
                joints[chosen] = body.regressed_joints(pose[chosen], given["betas"][chosen, :NUM_BETAS])
        return joints
