"""Faces: visibility, bounding boxes, and the 70 points of hri_msgs/FacialLandmarks."""

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
_MIN_FACING_COSINE = np.cos(np.radians(100))  # of the angle between face and camera: beyond, the head's back is visible

# Points of MediaPipe's face mesh that correspond to iBUG's 68 points and the two pupils, in hri_msgs' order.
_CONTOUR = (127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356)
_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
_NOSE = (168, 197, 5, 4, 75, 97, 2, 326, 305)
_EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
_OUTER_LIPS = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181)
_INNER_LIPS = (78, 82, 13, 312, 308, 317, 14, 87)
_PUPILS = (468, 473)
MESH_POINTS: tuple[int, ...] = (*_CONTOUR, *_BROWS, *_NOSE, *_EYES, *_OUTER_LIPS, *_INNER_LIPS, *_PUPILS)


def face_id(person_id: str) -> str:
    """The id of a person's face; ids of bodies and faces must differ (REP-155)."""
    return f"f{person_id}"


def person_of(face: str) -> str:
    """The id of the person with this face; the inverse of `face_id`."""
    return face[1:]


def face_box(person: Person, optical_from_face: FloatArray, origin: FloatArray, camera: Camera) -> Box | None:
    """The bounding box of a person's face in the image, pixels; None if it is not visible.

    A face is visible if the backbone estimated it, it does not face away, and its box overlaps the image.

    Args:
        person: The person.
        optical_from_face: Rotation `(3, 3)`.
        origin: Origin of the face's frame `(3,)`, metres, optical frame.
        camera: Camera of the image.
    """
    if not person.params.estimated & Estimated.JAW_POSE:
        return None
    seen = origin - camera.centre
    towards = -float(optical_from_face[:, 0] @ seen)
    if seen[2] < NEAR or towards < _MIN_FACING_COSINE * float(seen @ seen) ** 0.5:
        return None
    points = person.face_landmarks
    if points is None:
        points = camera.project(origin + _FACE_EXTENT @ optical_from_face.T)
    left, top = points.min(axis=0).tolist()
    right, bottom = points.max(axis=0).tolist()
    inside = left < camera.width and top < camera.height and right > 0 and bottom > 0  # False for NaN
    if not inside or not (left < right and top < bottom):
        return None
    return Box(left, top, right, bottom, person.score)
