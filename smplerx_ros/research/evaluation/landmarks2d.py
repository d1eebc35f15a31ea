"""Body landmarks of the largest person of a video, for ground truth: found without the estimator that is measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray, RgbImage
from smplerx_ros.backbones.lite.landmarks import LandmarkQuery, PersonLandmarks
from smplerx_ros.backbones.lite.topology import BODY_POINTS
from smplerx_ros.errors import InputError
from smplerx_ros.geometry.boxes import Box

_MARGIN = 0.05  # of a box round landmarks


class Landmarker(Protocol):
    """What is needed of a LandmarkEstimator."""

    def estimate(self, queries: list[LandmarkQuery]) -> list[PersonLandmarks | None]:
        """One answer per query."""


class Detector(Protocol):
    """What is needed of a detector."""

    def detect(self, images: list[RgbImage]) -> list[list[Box]]:
        """Boxes per image."""


@dataclass(frozen=True, eq=False)
class Landmarks2D:
    """`points (T, 33, 2)` pixels and `visibility (T, 33)` 0..1 of BlazePose's points (backbones/lite/topology.py)."""

    points: FloatArray
    visibility: FloatArray


def track_largest_person(
    images: Iterable[RgbImage], detector: Detector, landmarker: Landmarker, name: str
) -> Landmarks2D:
    """Landmarks of the person who is largest in the first image of the video `name`, image by image.

    Each image counts for itself: left and right are not carried over. Raises InputError where the person is lost.
    """
    points, visibility = [], []
    previous: PersonLandmarks | None = None
    for number, image in enumerate(images):
        box = _largest(detector.detect([image])[0], name) if previous is None else _box_round(previous)
        previous = landmarker.estimate([LandmarkQuery(image, box, previous)])[0]
        if previous is None:
            raise InputError(f"{name}: the person is lost in frame {number}")
        points.append(previous.body.points[: len(BODY_POINTS), :2])
        visibility.append(previous.body.visibility)
    return Landmarks2D(np.array(points), np.array(visibility))


def mirrored_landmarks() -> NDArray[np.intp]:
    """`(33,)` the landmark that shows the same point of the other half of the body; the nose's own is itself."""
    swap = {"left": "right", "right": "left"}
    names = ["_".join(swap.get(part, part) for part in name.split("_")) for name in BODY_POINTS]
    return np.array([BODY_POINTS.index(name) for name in names])


def _largest(boxes: list[Box], name: str) -> Box:
    if not boxes:
        raise InputError(f"{name}: nobody is found in the first image")
    return max(boxes, key=lambda box: box.width * box.height)


def _box_round(person: PersonLandmarks) -> Box:
    points = person.body.points[: len(BODY_POINTS), :2]
    margin = _MARGIN * np.ptp(points, axis=0).max()
    return Box(*(points.min(axis=0) - margin), *(points.max(axis=0) + margin))
