"""Persons from estimated bodies: joints, their projections, box, visibility and pose covariance."""

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

# Margins of a box around joints and extremities, relative to their extent: skin and hair are outside of them.
_BOX_MARGIN, _BOX_TOP_MARGIN = 0.05, 0.10
_MIN_DISTANCE = 0.01  # metres between pelvis and optical centre; nearer means that the backbone found no position
_BODY = slice(22)  # joints other than jaw, eyes and fingers
_PARENTS = np.array(PARENTS[1:])  # of joints 1 to 54


def build_persons(
    body: BodyModel,
    observations: Sequence[Observation],
    estimates: Sequence[BodyEstimate | None],
    person_height: float | None,
) -> list[Person | None]:
    """Build a person from each estimate, with all joints computed in one batch.

    Args:
        body: The body model.
        observations: The observations; their frames have cameras.
        estimates: The estimate of each observation, or None.
        person_height: The stature in metres that the backbone was configured with; None if unknown.

    Returns:
        A person for each observation; None without an estimate, and for people outside the image.
    """
    people: list[Person | None] = [None] * len(estimates)
    found = [(i, estimate) for i, estimate in enumerate(estimates) if estimate is not None]
    if not found:
        return people
    rotations, points = body.skeleton(SmplxParams.stack([estimate.params for _, estimate in found]))
    for (i, estimate), joint_rotations, positions in zip(found, rotations, points, strict=True):
        people[i] = _person(observations[i], estimate, joint_rotations, positions, person_height)
    return people


def _person(
    observation: Observation,
    estimate: BodyEstimate,
    rotations: FloatArray,
    positions: FloatArray,
    person_height: float | None,
) -> Person | None:
    """Build a person from joint rotations `(55, 3, 3)` and positions `(76, 3)` of joints and extremities, metres.

    None if all of them are behind the camera or outside the image, or if the pelvis is at the optical centre.
    """
    camera = observation.frame.camera
    assert camera is not None
    if np.linalg.norm(positions[0] - camera.centre) < _MIN_DISTANCE:
        return None
    pixels = camera.project(positions)
    visible = pixels[np.isfinite(pixels).all(axis=-1)]
    if not len(visible):
        return None
    joints = len(JOINT_NAMES)
    ends = camera.project(_near_ends(positions[:joints] - camera.centre) + camera.centre)
    seen = np.concatenate([visible, ends[np.isfinite(ends).all(axis=-1)]])
    box = box_in_image(seen, estimate.score, camera)
    if box is None:
        return None
    whole, inside = box_around(seen, 1.0), _inside(pixels[:joints], camera)
    covariance = pelvis_covariance(
        observation, estimate, positions[0], rotations[0], whole, person_height, InImage.of(inside[_BODY])
    )
    return Person(
        id=observation.id,
        score=estimate.score,
        box=box,
        params=estimate.params,
        joints=positions[:joints].astype(np.float32),
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
    """Which of `pixels (n, 2)` are inside the image; False for NaN (behind the camera)."""
    return np.asarray(((pixels >= -0.5) & (pixels <= (camera.width - 0.5, camera.height - 0.5))).all(axis=-1))


def box_around(pixels: FloatArray, score: float) -> Box:
    """Box of a person whose joints and extremities project to `pixels (n, 2)`, inside the image or not."""
    left, top = pixels.min(axis=0).tolist()
    right, bottom = pixels.max(axis=0).tolist()
    side, bottom_margin = max(_BOX_MARGIN * (right - left), 1.0), max(_BOX_MARGIN * (bottom - top), 1.0)
    return Box(left - side, top - _BOX_TOP_MARGIN * (bottom - top) - 1, right + side, bottom + bottom_margin, score)


def box_in_image(pixels: FloatArray, score: float, camera: Camera) -> Box | None:
    """The visible part of `box_around`, comparable with detections; None if the person is outside the image."""
    size = [camera.width, camera.height]
    return next(iter(clean_boxes([box_around(pixels.clip(0, size), score)], *size)), None)


def _near_ends(joints: FloatArray) -> FloatArray:
    """Intersections `(n, 3)` of the bones between `joints (55, 3)` with the camera's near plane."""
    ends, starts = joints[1:], joints[_PARENTS]
    crossing = (ends[:, 2] < NEAR) != (starts[:, 2] < NEAR)
    ends, starts = ends[crossing], starts[crossing]
    share = (NEAR - starts[:, 2:]) / (ends[:, 2:] - starts[:, 2:])
    cut = starts + share * (ends - starts)
    cut[:, 2] = NEAR
    return np.asarray(cut)
