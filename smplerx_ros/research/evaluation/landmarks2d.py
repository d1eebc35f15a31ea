"""Body landmarks of the largest person in a video, for ground truth that is independent of the estimator."""

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

_MARGIN = 0.05  # around landmarks, as a fraction of their larger extent


class Landmarker(Protocol):
    """The interface of LandmarkEstimator that is used here."""

    def estimate(self, queries: list[LandmarkQuery]) -> list[PersonLandmarks | None]:
        """Return one estimate per query."""


class Detector(Protocol):
    """The interface of a detector that is used here."""

    def detect(self, images: list[RgbImage]) -> list[list[Box]]:
        """Return the boxes per image."""


@dataclass(frozen=True, eq=False)
class Landmarks2D:
    """BlazePose's landmarks (backbones/lite/topology.py) in T frames."""

    points: FloatArray  # (T, 33, 2) pixels
    visibility: FloatArray  # (T, 33) 0..1


def track_largest_person(
    images: Iterable[RgbImage], detector: Detector, landmarker: Landmarker, name: str
) -> Landmarks2D:
    """Track the person with the largest box in the first image.

    Each image is estimated on its own: the assignment of left and right is not propagated.

    Args:
        images: The frames of a video.
        detector: Finds the person in the first image.
        landmarker: Estimates the landmarks, from the second image on in a box around the previous ones.
        name: Of the video, for error messages.

    Raises:
        InputError: If nobody is found in the first image, or the person is lost later.
    """
    points, visibility = [], []
    previous: PersonLandmarks | None = None
    for number, image in enumerate(images):
        box = _largest(detector.detect([image])[0], name) if previous is None else _bounding_box(previous)
        previous = landmarker.estimate([LandmarkQuery(image, box, previous)])[0]
        if previous is None:
            raise InputError(f"{name}: the person is lost in frame {number}")
        points.append(previous.body.points[: len(BODY_POINTS), :2])
        visibility.append(previous.body.visibility)
    return Landmarks2D(np.array(points), np.array(visibility))


def mirrored_landmarks() -> NDArray[np.intp]:
    """Return `(33,)` the index of each landmark's counterpart on the other side of the body (the nose's is itself)."""
    swap = {"left": "right", "right": "left"}
    names = ["_".join(swap.get(part, part) for part in name.split("_")) for name in BODY_POINTS]
    return np.array([BODY_POINTS.index(name) for name in names])


def _largest(boxes: list[Box], name: str) -> Box:
    if not boxes:
        raise InputError(f"{name}: nobody is found in the first image")
    return max(boxes, key=lambda box: box.width * box.height)


def _bounding_box(person: PersonLandmarks) -> Box:
    points = person.body.points[: len(BODY_POINTS), :2]
    margin = _MARGIN * np.ptp(points, axis=0).max()
    return Box(*(points.min(axis=0) - margin), *(points.max(axis=0) + margin))
