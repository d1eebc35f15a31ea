"""Estimated bodies as the persons of an image: joints and extremities, where they are seen, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body import BodyModel
from smplerx_ros.body.skeleton import JOINT_NAMES, PARENTS
from smplerx_ros.detection.clean import clean_boxes
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import NEAR, Camera
from smplerx_ros.geometry.uncertainty import InImage
from smplerx_ros.types import BodyEstimate, DistanceSource, Observation, Person, SmplxParams

from .distance import pelvis_covariance

# The box of a person round joints and extremities, as shares of their extent: skin and hair lie outside.
_BOX_MARGIN, _BOX_TOP_MARGIN = 0.05, 0.10
_MIN_DISTANCE = 0.01  # metres round the optical centre: no pelvis is inside a lens, only what has no place got there
_BODY = slice(22)  # of the joints: all but jaw, eyes and fingers
_PARENTS = np.array(PARENTS[1:])  # of all joints but the root


def build_persons(
    body: BodyModel,
    observations: Sequence[Observation],
    estimates: Sequence[BodyEstimate | None],
    person_height: float | None,
) -> list[Person | None]:
    """A person for each estimate, all joints in one batch; None without an estimate, or outside the image.

    `person_height` in metres is what the backbone was told.
    """
    people: list[Person | None] = [None] * len(estimates)
    found = [(i, estimate) for i, estimate in enumerate(estimates) if estimate is not None]
    if not found:
        return people
    rotations, points = body.skeleton(SmplxParams.stack([estimate.params for _, estimate in found]))
    for (i, estimate), turns, places in zip(found, rotations, points, strict=True):
        people[i] = _person(observations[i], estimate, turns, places, person_height)
    return people


def _person(
    observation: Observation,
    estimate: BodyEstimate,
    rotations: FloatArray,
    places: FloatArray,
    person_height: float | None,
) -> Person | None:
    """A person from the joints' rotations `(55, 3, 3)` and the places `(76, 3)` of joints and extremities, metres.

    None if none of them is in front of the camera, all are beside the image, or the pelvis is in the camera itself.
    """
    camera = observation.frame.camera
    assert camera is not None
    if np.linalg.norm(places[0] - camera.centre) < _MIN_DISTANCE:
        return None
    pixels = camera.project(places)
    visible = pixels[np.isfinite(pixels).all(axis=-1)]
    if not len(visible):
        return None
    joints = len(JOINT_NAMES)
    ends = camera.project(_near_ends(places[:joints] - camera.centre) + camera.centre)
    seen = np.concatenate([visible, ends[np.isfinite(ends).all(axis=-1)]])
    box = box_in_image(seen, estimate.score, camera)
    if box is None:
        return None
    inside = _inside(pixels[:joints], camera)
    covariance = pelvis_covariance(
        observation, estimate, places[0], rotations[0], box_around(seen, 1.0), person_height, InImage.of(inside[_BODY])
    )
    return Person(
        id=observation.id,
        score=estimate.score,
        box=box,
        params=estimate.params,
        joints=places[:joints].astype(np.float32),
        joints_image=pixels[:joints].astype(np.float32),
        confidence=np.where(inside, estimate.confidence, 0).astype(np.float32),
        pose_covariance=covariance,
        face_landmarks=estimate.face_landmarks,
        rotations=rotations,
        joints_in_image=inside,
        distance_source=_distance_source(estimate, person_height),
        since_detection_s=observation.since_detection_s,
    )


def _distance_source(estimate: BodyEstimate, person_height: float | None) -> DistanceSource:
    source = estimate.distance_source
    given = source is DistanceSource.ASSUMED_STATURE and person_height is not None
    return DistanceSource.GIVEN_HEIGHT if given else source


def _inside(pixels: FloatArray, camera: Camera) -> NDArray[np.bool_]:
    """Which of `pixels (n, 2)` lie in the image; nobody saw the others, nor those behind the camera (NaN)."""
    return np.asarray(((pixels >= -0.5) & (pixels <= (camera.width - 0.5, camera.height - 0.5))).all(axis=-1))


def box_around(pixels: FloatArray, score: float) -> Box:
    """The box of a person whose joints and extremities are seen at `pixels (n, 2)`, in the image or not."""
    left, top = pixels.min(axis=0).tolist()
    right, bottom = pixels.max(axis=0).tolist()
    aside, below = max(_BOX_MARGIN * (right - left), 1.0), max(_BOX_MARGIN * (bottom - top), 1.0)
    return Box(left - aside, top - _BOX_TOP_MARGIN * (bottom - top) - 1, right + aside, bottom + below, score)


def box_in_image(pixels: FloatArray, score: float, camera: Camera) -> Box | None:
    """The part of that box in the image, as detectors see people; None for somebody beside it.

    Somebody close by reaches far beyond the image: boxes of what nobody sees cannot be compared with detections.
    """
    size = [camera.width, camera.height]
    return next(iter(clean_boxes([box_around(pixels.clip(0, size), score)], *size)), None)


def _near_ends(joints: FloatArray) -> FloatArray:
    """Where bones between `joints (55, 3)`, seen from the camera, pass its near plane: `(n, 3)`."""
    ends, starts = joints[1:], joints[_PARENTS]
    crossing = (ends[:, 2] < NEAR) != (starts[:, 2] < NEAR)
    ends, starts = ends[crossing], starts[crossing]
    share = (NEAR - starts[:, 2:]) / (ends[:, 2:] - starts[:, 2:])
    cut = starts + share * (ends - starts)
    cut[:, 2] = NEAR
    return np.asarray(cut)
