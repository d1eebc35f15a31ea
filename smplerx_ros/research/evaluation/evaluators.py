"""The truth of a set, and how far predicted bodies are from it."""

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

# EHF's scans stand in their own frame: the camera's, as a rotation vector.
_CAMERA_FROM_SCAN = matrix_from_rotvec(np.array([-2.98747896, 0.01172457, -0.05704687]))
_DEPTH_MARGIN = 1e-4  # metres, added to depths in projections, as the reference does


class Evaluator(Protocol):
    """Measures predictions for rows of a set."""

    def errors(self, rows: NDArray[np.int64], params: SmplxParams) -> dict[str, FloatArray]:
        """Measures `(n,)` in mm, by name, of predicted bodies `(n, ...)`."""

    @property
    def metadata(self) -> dict[str, Any]:
        """What the figures depend on."""


def load_evaluator(loaded: LoadedSet, bodies: BodyModels) -> Evaluator:
    """The evaluator that the set's entry asks for. Raises SmplerxError for files that it needs and that are missing."""
    if loaded.spec.truth == "smpl":
        return JointEvaluator(loaded, bodies)
    return MeshEvaluator(loaded, bodies)


class MeshEvaluator:
    """Ground truth from SMPL-X parameters or aligned scans; every measure of `MeshErrors`."""

    def __init__(self, loaded: LoadedSet, bodies: BodyModels) -> None:
        self._set = loaded
        self._bodies = bodies
        body = bodies.neutral
        if loaded.spec.truth == "scan" and not is_smplx(body):
            raise ConfigError(
                f"{loaded.spec.title}: its truth are meshes of SMPL-X, {body.name} is another body: name the folder "
                "that holds SMPLX_NEUTRAL.npz (https://smpl-x.is.tue.mpg.de) with --body-models"
            )
        if loaded.spec.truth == "smplx":
            _require(loaded, "global_orient", "body_pose")
        if self._gendered:  # what is missing is said before hours of work
            for gender in sorted(set(loaded.people.genders or ())):
                bodies.for_gender(gender)
        self._measure = MeshErrors(load_subsets(body, bodies.folder), len(body.v_template))

    @property
    def metadata(self) -> dict[str, Any]:
        """Body model and vertex sets."""
        subsets = self._measure.subsets
        return {
            "body_model": self._bodies.neutral.name,
            "vertex_sets": subsets.source,
            "vertex_sets_comparable": subsets.comparable,
        }

    def errors(self, rows: NDArray[np.int64], params: SmplxParams) -> dict[str, FloatArray]:
        """Of predicted bodies, posed with the neutral model. Raises InputError where the truth cannot be read."""
        visible = self._visible(rows) if self._set.spec.visible_only else None
        return self._measure.errors(_posed(self._bodies.neutral, params), self.truth(rows), visible)

    def truth(self, rows: NDArray[np.int64]) -> Meshes:
        """The truth's meshes and joints."""
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
            raise InputError(f"{path}: has {len(vertices)} vertices, the body {self._bodies.neutral.name} has others")
        return np.asarray(vertices @ _CAMERA_FROM_SCAN.T)

    def _visible(self, rows: NDArray[np.int64]) -> Visible:
        """Which points of the truth the box's virtual camera, for which it is placed, sees in the image."""
        sizes = self._set.people.image_sizes
        if sizes is None:
            raise InputError(f"{self._set.annotations}: meta has no height and width, which say what is visible")
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
    """A body with joints regressed from its posed mesh, as published figures have them; the stand-in with its joints.

    The stand-in's regressor holds at rest only: it extrapolates, and a pose throws its joints centimetres off.
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
            f"there is no truth of {loaded.spec.title} in it"
        )


class JointEvaluator:
    """Ground truth from SMPL parameters, of which 14 joints are compared: 3DPW."""

    def __init__(self, loaded: LoadedSet, bodies: BodyModels) -> None:
        if bodies.folder is None:
            raise ConfigError(
                f"{loaded.spec.title}: its truth are SMPL bodies: name the folder that holds SMPL_NEUTRAL.pkl, "
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
        """`mpjpe` and `pa_mpjpe` of the 14 joints that each body's own regressor finds in its posed mesh."""
        regressor = self._body.joint_regressor.astype(np.float64)
        return joints14_errors(regressor @ self._body.vertices(params).astype(np.float64), self.joints(rows))

    def joints(self, rows: NDArray[np.int64]) -> FloatArray:
        """The 24 joints of the truth `(n, 24, 3)`, metres."""
        given = self._people.select(rows).params
        pose = np.concatenate([given["global_orient"], given["body_pose"]], axis=1)
        joints = np.empty((len(rows), NUM_JOINTS, 3))
        for gender, body in self._smpl.items():
            chosen = self._genders[rows] == gender
            if chosen.any():
                joints[chosen] = body.regressed_joints(pose[chosen], given["betas"][chosen, :NUM_BETAS])
        return joints
