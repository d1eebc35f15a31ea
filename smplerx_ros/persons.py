"""Estimated bodies as the persons of an image: joints and extremities, where they are seen, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .body import BodyModel
from .body.skeleton import JOINT_NAMES
from .distance import place_covariance
from .types import BodyEstimate, Box, Observation, Person, SmplxParams

FloatArray = NDArray[np.floating[Any]]

# The box of a person round joints and extremities, as shares of their extent: skin and hair lie outside.
_BOX_MARGIN, _BOX_TOP_MARGIN = 0.05, 0.10


def persons(
    body: BodyModel,
    observations: Sequence[Observation],
    estimates: Sequence[BodyEstimate | None],
    person_height: float | None,
) -> list[Person | None]:
    """A person for each estimate, all joints in one batch; None without an estimate or in front of no camera.

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

    None if none of them is in front of the camera.
    """
    camera = observation.frame.camera
    assert camera is not None
    pixels = camera.project(places)
    visible = pixels[np.isfinite(pixels).all(axis=-1)]
    if not len(visible):
        return None
    joints = len(JOINT_NAMES)
    box = box_round(visible, estimate.score)
    return Person(
        id=observation.id,
        score=estimate.score,
        box=box,
        params=estimate.params,
        joints=places[:joints].astype(np.float32),
        joints_image=pixels[:joints].astype(np.float32),
        confidence=estimate.confidence,
        pose_covariance=place_covariance(observation, estimate.params, places[0], box, person_height),
        face_landmarks=estimate.face_landmarks,
        rotations=rotations,
    )


def box_round(pixels: FloatArray, score: float) -> Box:
    """The box of a person whose joints and extremities are seen at `pixels (n, 2)`."""
    left, top = pixels.min(axis=0).tolist()
    right, bottom = pixels.max(axis=0).tolist()
    aside, below = max(_BOX_MARGIN * (right - left), 1.0), max(_BOX_MARGIN * (bottom - top), 1.0)
    return Box(left - aside, top - _BOX_TOP_MARGIN * (bottom - top) - 1, right + aside, bottom + below, score)
