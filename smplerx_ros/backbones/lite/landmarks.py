"""Landmarks of a person's body, hands and face, and the query for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.errors import InputError
from smplerx_ros.geometry.boxes import Box

PARTS = ("left_hand", "right_hand", "face")
PART_TRIES, PART_EVERY = 3, 3  # frames without a part until it is searched only in every n-th frame, and that n


@dataclass(frozen=True, eq=False)
class BodyLandmarks:
    """BlazePose landmarks of a person (`topology.BODY_POINTS`); image points 33 and 34 define the next region."""

    score: float  # 0..1, confidence that this is a person
    points: FloatArray  # (39, 3) pixels; z in the scale of x, zero at the hips, smaller is nearer
    visibility: FloatArray  # (33,) 0..1, probability that the point is in the image and not occluded
    presence: FloatArray  # (33,) 0..1, probability that the point is in the image
    world: FloatArray  # (33, 3) metres, axes of the image (x right, y down, z away), origin between the hips
    roi: FloatArray  # (4,) region that the network processed (regions.py)


@dataclass(frozen=True, eq=False)
class HandLandmarks:
    """The 21 landmarks of a hand (`topology.HAND_POINTS`)."""

    score: float  # 0..1, confidence that this is a hand
    right: float  # 0..1, confidence that it is a right hand; unreliable between 0.2 and 0.8
    points: FloatArray  # (21, 3) pixels; z in the scale of x, zero at the wrist
    world: FloatArray  # (21, 3) metres, axes of the image, origin near the middle finger's first joint
    roi: FloatArray  # (4,)
    carried: int = 0  # consecutive frames, up to this one, in which the region was propagated


@dataclass(frozen=True, eq=False)
class FaceLandmarks:
    """The face mesh with irises, and the weights of blend shapes (`topology.BLENDSHAPE_NAMES`)."""

    score: float  # 0..1, confidence that this is a face
    points: FloatArray  # (478, 3) pixels; z in the scale of x
    blendshapes: FloatArray  # (52,) 0..1
    roi: FloatArray  # (4,)


@dataclass(frozen=True, eq=False)
class PersonLandmarks:
    """Landmarks of a person; None for an undetected hand or face, such as an occluded or blurred one."""

    body: BodyLandmarks
    left_hand: HandLandmarks | None
    right_hand: HandLandmarks | None
    face: FaceLandmarks | None
    unseen: tuple[int, int, int] = (0, 0, 0)  # consecutive frames, up to this one, without each of `PARTS`

    def due(self, part: str) -> bool:
        """Whether to search for one of `PARTS` in the next frame; hidden parts are searched for in some frames only."""
        frames = self.unseen[PARTS.index(part)]
        return frames < PART_TRIES or frames % PART_EVERY == 0


@dataclass(frozen=True, eq=False)
class LandmarkQuery:
    """A person to find in an image."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    box: Box
    previous: PersonLandmarks | None = None  # of an earlier frame, if the person is tracked

    def __post_init__(self) -> None:
        image = self.image
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise InputError(f"LandmarkQuery.image must be uint8 (H, W, 3) RGB, got {image.dtype} {image.shape}")

    @property
    def visible(self) -> bool:
        """Whether the box overlaps the image."""
        height, width = self.image.shape[:2]
        return self.box.x0 < width and self.box.y0 < height and self.box.x1 > 0 and self.box.y1 > 0

    def due(self, part: str) -> bool:
        """Whether to search for one of `PARTS`."""
        return self.previous is None or self.previous.due(part)
