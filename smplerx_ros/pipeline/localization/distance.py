"""Distances of people, from depth images where frames have them, and the covariance of the pelvis."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import log

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.model import BodyModel
from smplerx_ros.body.stature import KNOWN_STATURE_SIGMA, LEAST_STATURE, MEAN_STATURE, STATURE_SIGMA, resized
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.depth import read_depth
from smplerx_ros.geometry.uncertainty import (
    WHOLE,
    InImage,
    focal_sigma,
    pose_covariance,
    position_covariance,
    rotation_covariance,
    sigma_across,
    sigma_along,
    sigma_along_measured,
)
from smplerx_ros.types import BodyEstimate, DistanceSource, Observation, SmplxParams

_SIZE_TOLERANCE = 0.08  # of the logarithm of the stature; the noise between depth images is smaller


@dataclass(frozen=True)
class _Size:
    """A person's size as measured in depth images.

    Attributes:
        number: 1 for the first size measured of this person, 2 for the next, and so on (`BodyEstimate.size_source`).
        stature: Metres.
        candidate: A different stature measured in the last depth image, which may be an outlier.
    """

    number: int
    stature: float
    candidate: float | None = None

    def measured(self, stature: float) -> _Size:
        """The size after another measurement; it changes if two in a row agree on a different stature."""
        if _similar(stature, self.stature):
            return _Size(self.number, stature)
        if self.candidate is None or not _similar(stature, self.candidate):
            return replace(self, candidate=stature)
        return _Size(self.number + 1, stature)


def _similar(stature: float, other: float) -> bool:
    return abs(log(stature / other)) <= _SIZE_TOLERANCE


class Distances:
    """Distances by depth images, and by the sizes of people that earlier depth images showed.

    Distance and size of a person in one image are proportional: one estimated 1.2 times too far is also 1.2 times too
    large, with the same projection. A person's size is constant, so without a usable depth reading the distance follows
    from the size measured earlier, and does not jump where depth comes and goes. It does jump where depth first shows a
    size, and where it shows another one twice in a row (a single one counts as an outlier); then
    `BodyEstimate.size_source` changes.
    """

    def __init__(self, body: BodyModel) -> None:
        self._body = body
        self._sizes: dict[str, _Size] = {}

    def localize(
        self, observations: Sequence[Observation], estimates: Sequence[BodyEstimate | None]
    ) -> list[BodyEstimate | None]:
        """Move and resize the estimates to the known distances; those without one are unchanged, None stays None."""
        measured = measured_by_depth(self._body, observations, estimates)
        return [
            None if before is None or after is None else self._localize(observation, before, after)
            for observation, before, after in zip(observations, estimates, measured, strict=True)
        ]

    def forget(self, people: Collection[str]) -> None:
        """Drop the sizes of these people."""
        for person in people:
            self._sizes.pop(person, None)

    def reset(self) -> None:
        """Drop all sizes."""
        self._sizes.clear()

    def _localize(self, observation: Observation, estimate: BodyEstimate, measured: BodyEstimate) -> BodyEstimate:
        known, stature = self._sizes.get(observation.id), self._stature(estimate.params)
        if measured.depth is not None and measured.depth.usable:
            # Not the stature of the resized shape, whose betas are limited.
            seen = stature * measured.depth.ratio
            known = _Size(1, seen) if known is None else known.measured(seen)
            self._sizes[observation.id] = known
            if known.candidate is None:
                return replace(measured, size_source=known.number)
        camera = observation.frame.camera
        if known is None or camera is None:
            return measured
        # Of the estimate, not of the measurement, which may be an outlier.
        params = resized(self._body, estimate.params, known.stature / stature, camera.centre)
        source = DistanceSource.MEASURED_STATURE
        return replace(measured, params=params, size_source=known.number, distance_source=source)

    def _stature(self, params: SmplxParams) -> float:
        return max(float(self._body.stature(params.betas)[0]), LEAST_STATURE)


def measured_by_depth(
    body: BodyModel, observations: Sequence[Observation], estimates: Sequence[BodyEstimate | None]
) -> list[BodyEstimate | None]:
    """Move and resize the estimates to the distances measured in the frames' depth images, where they are usable."""
    return [
        estimate if estimate is None else _measured(body, observation, estimate)
        for observation, estimate in zip(observations, estimates, strict=True)
    ]


def _measured(body: BodyModel, observation: Observation, estimate: BodyEstimate) -> BodyEstimate:
    depth, camera, params = observation.frame.depth, observation.frame.camera, estimate.params
    if depth is None or camera is None:
        return estimate
    points, normals = body.surface(params)
    reading = read_depth(depth, camera, points[0], normals[0], body.surface_on_head)
    if not reading.usable:
        return replace(estimate, depth=reading)
    params = resized(body, params, reading.ratio, camera.centre)
    return replace(estimate, params=params, depth=reading, distance_source=DistanceSource.DEPTH)


def pelvis_covariance(
    observation: Observation,
    estimate: BodyEstimate,
    pelvis: FloatArray,
    optical_from_pelvis: FloatArray,
    box: Box,
    person_height: float | None,
    inside: InImage = WHOLE,
) -> FloatArray:
    """Covariance of the pelvis pose in the optical frame, with the models of geometry/uncertainty.py.

    Args:
        observation: The observation; its frame has a camera.
        estimate: The estimate, whose `distance_source` determines the uncertainty of the distance.
        pelvis: `(3,)` metres, optical frame.
        optical_from_pelvis: `(3, 3)` rotation.
        box: Box around the whole person, in the image or not.
        person_height: The configured stature in metres; None if unknown.
        inside: How much of the person is in the image.

    Returns:
        `(6, 6)` of x, y, z (m) and rotations about the optical axes (rad).
    """
    camera = observation.frame.camera
    assert camera is not None
    seen = pelvis - camera.centre  # relative to the optical centre
    distance = float(np.sqrt(seen @ seen))
    now = estimate.distance_source is DistanceSource.DEPTH
    measured = now or estimate.distance_source is DistanceSource.MEASURED_STATURE
    if now:
        along = sigma_along_measured(distance, inside)
    elif person_height is None and not measured:
        along = sigma_along(distance, MEAN_STATURE, STATURE_SIGMA, inside)
    else:
        along = sigma_along(distance, person_height or MEAN_STATURE, KNOWN_STATURE_SIGMA, inside)
    across = sigma_across(seen, camera, max(box.width, box.height), inside)
    position = position_covariance(seen, along, across, focal_sigma(seen, camera, measured=measured))
    return pose_covariance(position, rotation_covariance(seen, optical_from_pelvis[:, 1], inside))
