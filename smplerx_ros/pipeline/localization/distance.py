"""How far people are: depth images where frames have them, and how sure the distance is."""

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

_SIZE_TOLERANCE = 0.08  # of a stature's logarithm: more than noise does from one depth image to the next


@dataclass(frozen=True)
class _Size:
    """A person's as depth showed it: `stature` in metres, and the how-many-th size it is.

    `doubted`: another stature that the last depth image showed, and that may be an outlier. The first one is believed.
    """

    number: int
    stature: float
    doubted: float | None = None

    def then(self, stature: float) -> _Size:
        """As the next depth image shows it: another size only from the second image on that shows it in a row."""
        if _alike(stature, self.stature):
            return _Size(self.number, stature)
        if self.doubted is None or not _alike(stature, self.doubted):
            return replace(self, doubted=stature)
        return _Size(self.number + 1, stature)


def _alike(stature: float, other: float) -> bool:
    return abs(log(stature / other)) <= _SIZE_TOLERANCE


class Distances:
    """Puts people where depth images show them, and remembers how tall that makes them.

    A person taken for 1.2 times as far is 1.2 times too big as well: place and size change together, and the picture
    stays the same. Nobody grows from image to image: where a later depth image is missing or does not show a person,
    the distance follows from the size that an earlier one showed. So distances do not jump where depth comes and goes.
    They do where depth first shows a size, and where it shows another one twice in a row (once is taken for an
    outlier, and the image for one without depth); `BodyEstimate.size_source` tells.
    """

    def __init__(self, body: BodyModel) -> None:
        self._body = body
        self._sizes: dict[str, _Size] = {}

    def localize(
        self, observations: Sequence[Observation], estimates: Sequence[BodyEstimate | None]
    ) -> list[BodyEstimate | None]:
        """`estimates` at the distances that are known of the people; unchanged where none is."""
        measured = measured_by_depth(self._body, observations, estimates)
        return [
            None if before is None or after is None else self._placed(observation, before, after)
            for observation, before, after in zip(observations, estimates, measured, strict=True)
        ]

    def forget(self, people: Collection[str]) -> None:
        """Drop people who have left."""
        for person in people:
            self._sizes.pop(person, None)

    def reset(self) -> None:
        """Forget everybody."""
        self._sizes.clear()

    def _placed(self, observation: Observation, estimate: BodyEstimate, measured: BodyEstimate) -> BodyEstimate:
        known, stature = self._sizes.get(observation.id), self._stature(estimate.params)
        if measured.depth is not None and measured.depth.usable:
            # Not the stature of the resized shape: shapes have limits, distances have none.
            shown = stature * measured.depth.ratio
            known = _Size(1, shown) if known is None else known.then(shown)
            self._sizes[observation.id] = known
            if known.doubted is None:
                return replace(measured, size_source=known.number)
        camera = observation.frame.camera
        if known is None or camera is None:
            return measured
        # Of the estimate, not of what was measured: an outlier has not shown the distance.
        params = resized(self._body, estimate.params, known.stature / stature, camera.centre)
        source = DistanceSource.MEASURED_STATURE
        return replace(measured, params=params, size_source=known.number, distance_source=source)

    def _stature(self, params: SmplxParams) -> float:
        return max(float(self._body.stature(params.betas)[0]), LEAST_STATURE)


def measured_by_depth(
    body: BodyModel, observations: Sequence[Observation], estimates: Sequence[BodyEstimate | None]
) -> list[BodyEstimate | None]:
    """`estimates` at the distances that the frames' depth images show; unchanged where they show none."""
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
    """`(6, 6)` covariance of the pelvis `(3,)`, turned `(3, 3)`, of a person in `box`; see geometry/uncertainty.py.

    `box` is that of the whole person, `inside` tells how much of it is in the image.
    """
    camera = observation.frame.camera
    assert camera is not None
    seen = pelvis - camera.centre  # where the rays begin
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
    place = position_covariance(seen, along, across, focal_sigma(seen, camera, measured=measured))
    return pose_covariance(place, rotation_covariance(seen, optical_from_pelvis[:, 1], inside))
