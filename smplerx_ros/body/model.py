"""The body model, which computes joints, landmarks and mesh from SMPL-X parameters."""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.errors import InputError, ModelFileError
from smplerx_ros.geometry.rotations import matrix_from_rotvec
from smplerx_ros.io.files import file_problem
from smplerx_ros.types import PARAM_SLICES, HasParams, SmplxParams

from .kinematics import forward_kinematics
from .landmarks import FaceLandmarks
from .model_file import ADVICE, NUM_BETAS, BodyData, read_body
from .skeleton import EXTRA_JOINT_VERTICES, JOINT_INDEX, JOINT_NAMES, JOINTS_137, LEFT_HAND, RIGHT_HAND
from .skinning import Posed, Skin
from .surface import Surface

STANDIN_FILE = "SMPLX_NEUTRAL_standin_anny.npz"


def load_body(path: str | Path | None = None) -> BodyModel:
    """Load a body model.

    Args:
        path: `SMPLX_{NEUTRAL,MALE,FEMALE}.npz` or a file of the same format; None for the embedded stand-in body.

    Raises:
        ModelFileError: If the file is missing, damaged, a pickle or not in SMPL-X's format.
    """
    if path is None:
        resource = files("smplerx_ros") / "assets" / STANDIN_FILE
        with resource.open("rb") as file:
            return BodyModel(read_body(file, STANDIN_FILE))
    path = Path(path).expanduser()
    if path.suffix == ".pkl":
        raise ModelFileError(f"{path}: pickles can run code and are never loaded; {ADVICE}")
    if problem := file_problem(path):
        raise ModelFileError(f"{path}: {problem}; {ADVICE}")
    with path.open("rb") as file:
        return BodyModel(read_body(file, str(path)))


class BodyModel:
    """A body with SMPL-X's 55 joints.

    Methods accept parameters, or a prediction or person that has `params`, and return a batch; unbatched parameters
    give `B = 1`. Results are in metres, in the frame of `global_orient` and `transl`, which is the camera's optical
    frame. As in smplx with `flat_hand_mean=False`, the mean hand is added to the hand poses: zero is the relaxed hand.
    An eye pose of NaN is taken as the rest pose; any other NaN propagates, but only within its own body.
    """

    def __init__(self, data: BodyData) -> None:
        self.name = data.name
        """`standin_anny` for the embedded body, otherwise the stem of the file, such as `SMPLX_NEUTRAL`."""
        self.faces = data.faces
        """`(F, 3) int32` vertex indices."""
        self.hands_mean = data.hands_mean
        """`(2, 45) float64`: mean left and right hand, axis-angle."""
        self.expression_names = data.expression_names
        """Names of the ten expressions; empty for SMPL-X, whose expressions are unnamed."""
        self._data = data
        regressor = data.joint_regressor.astype(np.float64)
        self.joint_template: FloatArray = regressor @ data.v_template.astype(np.float64)
        """`(55, 3) float64`: joints at rest with mean shape, metres, template frame (x left, y up, z front)."""
        dirs = data.shape_dirs.astype(np.float64).reshape(len(data.v_template), -1)
        self._joint_dirs: FloatArray = (regressor @ dirs).reshape(len(JOINT_NAMES), 3, -1)

    @property
    def data(self) -> BodyData:
        """The content of the model file."""
        return self._data

    @property
    def v_template(self) -> FloatArray:
        """`(V, 3)` mesh at rest with mean shape, metres, template frame (x left, y up, z front)."""
        return self._data.v_template

    @property
    def joint_regressor(self) -> FloatArray:
        """`(55, V)`: weights of the vertices in each joint."""
        return self._data.joint_regressor

    @property
    def skin_weights(self) -> FloatArray:
        """`(V, 55)`: skinning weights of each vertex."""
        return self._data.weights

    @property
    def joint_shapedirs(self) -> FloatArray:
        """`(55, 3, 10) float64`: metres per unit of each beta."""
        return self._joint_dirs[..., :NUM_BETAS]

    @property
    def joint_expression_dirs(self) -> FloatArray:
        """`(55, 3, 10) float64`: metres per unit of expression; smplx regresses joints from the face's shape, too."""
        return self._joint_dirs[..., NUM_BETAS:]

    def rest_joints(self, betas: ArrayLike, expression: ArrayLike | None = None) -> FloatArray:
        """Joints at rest `(B, 55, 3) float64`, metres, template frame; `betas` and `expression (B, 10)`."""
        joints = self.joint_template + _blend(self.joint_shapedirs, betas)
        return joints if expression is None else joints + _blend(self.joint_expression_dirs, expression)

    def skeleton(self, params: SmplxParams | HasParams) -> tuple[FloatArray, FloatArray]:
        """Rotations `(B, 55, 3, 3)` as in `transforms`, then joints and extra joints `(B, 76, 3)`, float64."""
        posed = self._pose(params)
        joints = posed.positions + posed.transl[:, None]
        return posed.rotations, np.concatenate([joints, self._extra_skin.vertices(posed)], axis=1)

    def joints(self, params: SmplxParams | HasParams) -> FloatArray:
        """Joint positions `(B, 55, 3) float64`; no vertex is computed."""
        return self.transforms(params)[1]

    def transforms(self, params: SmplxParams | HasParams) -> tuple[FloatArray, FloatArray]:
        """Rotations `optical_from_joint (B, 55, 3, 3)` and positions `(B, 55, 3)` of the joints, float64.

        In the rest pose all joint frames are parallel to the template frame.
        """
        posed = self._pose(params)
        return posed.rotations, posed.positions + posed.transl[:, None]

    def vertices(self, params: SmplxParams | HasParams) -> FloatArray:
        """Vertices of the mesh `(B, V, 3) float32`, with shape, expression and pose correctives."""
        return self.skinned(self._skin, params)

    def skinned(self, skin: Skin, params: SmplxParams | HasParams) -> FloatArray:
        """Vertices of a part of the mesh `(B, n, 3) float32`, as in `vertices`."""
        return skin.vertices(self._pose(params))

    def stature(self, betas: ArrayLike) -> FloatArray:
        """Height of the body in the rest pose `(B,)`, metres, for `betas (B, 10)`; linear in them."""
        return np.asarray(self._stature[0] + np.atleast_2d(np.asarray(betas, np.float64)) @ self._stature[1:])

    def surface(self, params: SmplxParams | HasParams) -> tuple[FloatArray, FloatArray]:
        """Points on trunk and head, metres, and their outward unit normals, each `(B, S, 3)`."""
        return self._surface.posed(self._pose(params))

    @property
    def surface_on_head(self) -> NDArray[np.bool_]:
        """`(S,)`: which points of `surface` are on the head; the others are on the trunk."""
        return self._surface.on_head

    def extra_joints(self, params: SmplxParams | HasParams) -> FloatArray:
        """Nose, eyes, ears, toes, heels and finger tips `(B, 21, 3) float32`, named by `EXTRA_JOINT_NAMES`."""
        return self._extra_skin.vertices(self._pose(params))

    def extra_joints_rest(self) -> FloatArray:
        """The extra joints `(21, 3) float32` on the template."""
        return self._extra_skin.template

    def landmarks144(self, params: SmplxParams | HasParams) -> FloatArray:
        """Joints in the order of smplx, `(B, 144, 3)`, metres.

        55 joints, 21 extra joints, 51 static face landmarks, 17 landmarks of the face contour.
        """
        posed = self._pose(params)
        joints = posed.positions + posed.transl[:, None]
        face = self._face.points(posed)
        return np.concatenate([joints, self._extra_skin.vertices(posed), face], axis=1)

    def landmarks137(self, params: SmplxParams | HasParams) -> FloatArray:
        """Joints in the order of SMPLer-X `(B, 137, 3)`: body 0:25, left hand 25:45, right hand 45:65, face 65:137."""
        return self.landmarks144(params)[:, JOINTS_137]

    def face_landmarks_rest(self) -> FloatArray:
        """The 51 static face landmarks `(51, 3)`, iBUG order 17..67, on the template."""
        return self._face.static_template()

    @cached_property
    def _stature(self) -> FloatArray:
        """`(11,)` metres: stature of the mean shape, and change per unit of each beta."""
        up, slopes = self.v_template[:, 1], self._data.shape_dirs[:, 1, :NUM_BETAS]
        shapes = np.vstack([np.zeros(NUM_BETAS), np.eye(NUM_BETAS)]).astype(np.float64)
        statures = np.ptp(up + shapes @ slopes.T, axis=1)
        return np.append(statures[:1], statures[1:] - statures[:1])

    @cached_property
    def _surface(self) -> Surface:
        return Surface.from_data(self._data)

    @cached_property
    def _skin(self) -> Skin:
        return Skin.from_data(self._data)

    @cached_property
    def _extra_skin(self) -> Skin:
        return Skin.from_data(self._data, EXTRA_JOINT_VERTICES)

    @cached_property
    def _face(self) -> FaceLandmarks:
        return FaceLandmarks(self._data)

    def _pose(self, params: SmplxParams | HasParams) -> Posed:
        values = _batched(params)
        coefficients = np.concatenate([values["betas"], values["expression"]], axis=1)
        local = matrix_from_rotvec(self._rotvecs(values))
        rest = self.joint_template + _blend(self._joint_dirs, coefficients)
        rotations, positions = forward_kinematics(local, rest)
        return Posed(coefficients, local, rest, rotations, positions, values["transl"])

    def _rotvecs(self, values: dict[str, FloatArray]) -> FloatArray:
        """Axis-angle rotations `(B, 55, 3)` of all joints, in their order."""
        vectors = np.concatenate([values[name] for name in _POSES_IN_JOINT_ORDER], axis=1)
        eyes = vectors[:, _EYES].reshape(-1, 2, 3)
        eyes[np.isnan(eyes).any(axis=2)] = 0.0  # not estimated: rest pose
        vectors[:, _EYES] = eyes.reshape(-1, 6)
        vectors[:, _HANDS] += self.hands_mean.ravel()
        return vectors.reshape(-1, len(JOINT_NAMES), 3)


_POSES_IN_JOINT_ORDER = (
    *("global_orient", "body_pose", "jaw_pose", "leye_pose", "reye_pose"),
    *("left_hand_pose", "right_hand_pose"),
)
_EYES, _HANDS = slice(3 * JOINT_INDEX["left_eye"], 3 * LEFT_HAND.start), slice(3 * LEFT_HAND.start, 3 * RIGHT_HAND.stop)


def _batched(given: SmplxParams | HasParams) -> dict[str, FloatArray]:
    """Parameters by name as `(B, n)`, float64."""
    params = given if isinstance(given, SmplxParams) else given.params
    if params.global_orient.ndim > 2:
        raise InputError(f"SmplxParams.global_orient has shape {params.global_orient.shape}, expected (3,) or (B, 3)")
    flat = np.atleast_2d(params.flat).astype(np.float64)
    return {name: flat[:, where] for name, where in PARAM_SLICES.items()}


def _blend(dirs: FloatArray, coefficients: ArrayLike) -> FloatArray:
    """Offsets `(B, 55, 3)` of `dirs (55, 3, n)` for `coefficients (B, n)`."""
    weights = np.atleast_2d(np.asarray(coefficients, dtype=np.float64))
    offsets = weights @ dirs.reshape(-1, dirs.shape[-1]).T
    return np.asarray(offsets.reshape(len(weights), *dirs.shape[:2]))
