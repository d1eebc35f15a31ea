"""Face landmarks on the mesh: static ones, and the contour, whose triangles depend on the yaw of the head."""

from __future__ import annotations

import numpy as np

from smplerx_ros.arrays import FloatArray, IntArray

from .model_file import CONTOUR_ROWS, BodyData
from .skeleton import JOINT_INDEX
from .skinning import Posed, Skin

MAX_YAW = CONTOUR_ROWS // 2  # degrees; rows 0..39 are for yaws 0..39, rows 40..78 for yaws -1..-39


class FaceLandmarks:
    """The 51 static and 17 contour landmarks of a body; only the vertices of their triangles are skinned."""

    def __init__(self, data: BodyData) -> None:
        static = data.faces[data.landmark_faces]
        contour = data.faces[data.contour_faces]
        used, slots = np.unique(np.concatenate([static.ravel(), contour.ravel()]), return_inverse=True)
        self._skin = Skin.from_data(data, used)
        self._static: IntArray = slots[: static.size].reshape(static.shape)  # (51, 3) into the skin's vertices
        self._contour: IntArray = slots[static.size :].reshape(contour.shape)  # (79, 17, 3)
        self._static_weights = data.landmark_barycentric
        self._contour_weights = data.contour_barycentric

    def static_template(self) -> FloatArray:
        """Static landmarks `(51, 3)` on the template, metres."""
        return _interpolate(self._skin.template[self._static], self._static_weights)

    def points(self, posed: Posed) -> FloatArray:
        """Static landmarks, then contour landmarks for each body's head yaw: `(B, 68, 3)`, metres, frame of `posed`."""
        vertices = self._skin.vertices(posed)
        static = _interpolate(vertices[:, self._static], self._static_weights)
        rows = contour_rows(posed.rotations[:, JOINT_INDEX["neck"]])
        bodies = np.arange(len(rows))[:, None, None]
        contour = _interpolate(vertices[bodies, self._contour[rows]], self._contour_weights[rows])
        return np.concatenate([static, contour], axis=1)


def contour_rows(rotations: FloatArray) -> IntArray:
    """Rows of the contour table `(B,)` for global neck rotations `(B, 3, 3)`, chosen as in smplx.

    The row is that of the negated angle about the vertical axis (of the Euler angles Rz Ry Rx), rounded to whole
    degrees and clipped to +-39; NaN gives row 0.
    """
    horizontal = np.hypot(rotations[:, 0, 0], rotations[:, 1, 0])
    yaw = np.degrees(np.arctan2(rotations[:, 2, 0], horizontal))
    degrees = np.rint(np.clip(np.nan_to_num(yaw), -MAX_YAW, MAX_YAW)).astype(np.int64)
    return np.where(degrees < 0, MAX_YAW - degrees, degrees)


def _interpolate(corners: FloatArray, barycentric: FloatArray) -> FloatArray:
    """Points `(..., 3)` with the given barycentric coordinates in triangles `corners (..., 3, 3)`."""
    points: FloatArray = np.einsum("...kc,...k->...c", corners, barycentric.astype(np.float32))
    return points
