"""Faces: which of them the camera sees, where, and hri_msgs/FacialLandmarks' 70 points."""

from __future__ import annotations

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import NEAR, Camera
from smplerx_ros.types import Estimated, Person

# Outermost points of an adult's face in the axes of `face_<id>` (x front, y left, z up; origin at the sellion), metres:
# chin, forehead, sides and tip of the nose. Length of face 12 cm, width 14 cm (NASA-STD-3000, anthropometry).
_FACE_EXTENT = np.array(
    [[0.0, 0.0, -0.12], [-0.02, 0.0, 0.07], [-0.05, 0.07, -0.03], [-0.05, -0.07, -0.03], [0.02, 0.0, -0.04]]
)
_LARGEST_TURN = np.cos(np.radians(100))  # a face turned further from the camera is a back of a head

# Points of MediaPipe's face mesh at the places of iBUG's 68 and the two pupils, in hri_msgs' order.
_CONTOUR = (127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356)
_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
_NOSE = (168, 197, 5, 4, 75, 97, 2, 326, 305)
_EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
_OUTER_LIPS = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181)
_INNER_LIPS = (78, 82, 13, 312, 308, 317, 14, 87)
_PUPILS = (468, 473)
MESH_POINTS: tuple[int, ...] = (*_CONTOUR, *_BROWS, *_NOSE, *_EYES, *_OUTER_LIPS, *_INNER_LIPS, *_PUPILS)


def face_id(person_id: str) -> str:
    """The id of a person's face: bodies and faces have ids of their own."""
    return f"f{person_id}"


def person_of(face: str) -> str:
    """Whose face it is: the inverse of `face_id`."""
    return face[1:]


def face_box(person: Person, optical_from_face: FloatArray, origin: FloatArray, camera: Camera) -> Box | None:
    """Where the camera sees the person's face, pixels; None where it does not.

    A face is seen where the backbone found it, it does not look away, and its box reaches into the image.
    """
    if not person.params.estimated & Estimated.JAW_POSE:
        return None
    seen = origin - camera.centre
    towards = -float(optical_from_face[:, 0] @ seen)
    if seen[2] < NEAR or towards < _LARGEST_TURN * float(seen @ seen) ** 0.5:
        return None
    points = person.face_landmarks
    if points is None:
        points = camera.project(origin + _FACE_EXTENT @ optical_from_face.T)
    left, top = points.min(axis=0).tolist()
    right, bottom = points.max(axis=0).tolist()
    inside = left < camera.width and top < camera.height and right > 0 and bottom > 0  # false for NaN
    if not inside or not (left < right and top < bottom):
        return None
    return Box(left, top, right, bottom, person.score)
