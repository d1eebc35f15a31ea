"""Estimated bodies as the persons of an image: joints and extremities, where they are seen, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .body import BodyModel
from .body.skeleton import EXTRA_JOINT_NAMES, JOINT_NAMES
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
    points = body.landmarks144(SmplxParams.stack([estimate.params for _, estimate in found]))
    points = points[:, : len(JOINT_NAMES) + len(EXTRA_JOINT_NAMES)]
    for (i, estimate), places in zip(found, points, strict=True):
        people[i] = _person(observations[i], estimate, places, person_height)
    return people


def _person(
    observation: Observation, estimate: BodyEstimate, places: FloatArray, person_height: float | None
) -> Person | None:
    """A person from joints and extremities `places (76, 3)` metres; None if none of them is in front of the camera."""
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
    )


def box_round(pixels: FloatArray, score: float) -> Box:
    """The box of a person whose joints and extremities are seen at `pixels (n, 2)`."""
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    margin = np.maximum(_BOX_MARGIN * (high - low), 1.0)
    top = _BOX_TOP_MARGIN * (high - low)[1]
    return Box(low[0] - margin[0], low[1] - top - 1, high[0] + margin[0], high[1] + margin[1], score)
