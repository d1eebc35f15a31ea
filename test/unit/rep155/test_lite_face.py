"""The face of a real photograph through `lite`: landmarks and frame lie where the face is."""

from __future__ import annotations

import cv2
import numpy as np

from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.rep155.faces import MESH_POINTS
from smplerx_ros.rep155.people import BodyTracker
from smplerx_ros.types import Frame, SmplxParams
from support.paths import DATA

PHOTOGRAPH = DATA / "lite" / "astronaut.png"
CHIN, SELLION, NOSE = 8, 27, 30
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
RIGHT_PUPIL, LEFT_PUPIL = 68, 69


def test_landmarks_and_face_frame_lie_on_the_face() -> None:
    image = cv2.cvtColor(cv2.imread(str(PHOTOGRAPH)), cv2.COLOR_BGR2RGB)
    with Estimator.from_config({"detector": "full_frame"}) as estimator:
        (result,) = estimator.process([Frame(image)])
    (person,) = result.people
    assert person.face_landmarks is not None
    points = person.face_landmarks[list(MESH_POINTS)]
    rotations = estimator.body.transforms(SmplxParams.stack([person.params]))[0]
    bodies = BodyTracker(estimator.body).update([person], rotations, result.camera)
    box = bodies.face_boxes[0]
    assert box is not None

    right, left = points[RIGHT_EYE].mean(axis=0), points[LEFT_EYE].mean(axis=0)
    assert left[0] - right[0] > 0.3 * box.width  # she faces the camera: her left is on the right
    for pupil, eye in ((points[RIGHT_PUPIL], right), (points[LEFT_PUPIL], left)):
        assert np.linalg.norm(pupil - eye) < 0.1 * box.width
    assert points[SELLION][1] < points[NOSE][1] < points[CHIN][1]
    assert (points >= box.xyxy[:2]).all()
    assert (points <= box.xyxy[2:]).all()

    origin = result.camera.project(bodies.face_origins[0])
    assert np.linalg.norm(origin - points[SELLION]) < 0.2 * box.width
    assert bodies.face_rotations[0][2, 0] < -0.9  # x out of the face, to the camera
    assert bodies.face_rotations[0][1, 2] < -0.9  # z up
