"""Landmarks of one person's body, hands and face, and whom to look for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.errors import InputError
from smplerx_ros.geometry.boxes import Box

PARTS = ("left_hand", "right_hand", "face")
PART_TRIES, PART_EVERY = 3, 3  # frames in a row without a part; from then on a look in so many frames


@dataclass(frozen=True, eq=False)
class BodyLandmarks:
    """BlazePose's points of one person. Names: `topology.BODY_POINTS`; image points 33 and 34 fix the next region."""

    score: float  # 0..1, that this is a person
    points: FloatArray  # (39, 3) pixels; z on the scale of x, zero at the hips, smaller is nearer
    visibility: FloatArray  # (33,) 0..1, that the point is in the image and not hidden
    presence: FloatArray  # (33,) 0..1, that the point is in the image
    world: FloatArray  # (33, 3) metres, axes of the image (x right, y down, z away), origin between the hips
    roi: FloatArray  # (4,) the region seen by the network (regions.py)


@dataclass(frozen=True, eq=False)
class HandLandmarks:
    """The 21 points of one hand. Names: `topology.HAND_POINTS`."""

    score: float  # 0..1, that this is a hand
    right: float  # 0..1, that it is a right hand; weak, trust only below 0.2 and above 0.8
    points: FloatArray  # (21, 3) pixels; z on the scale of x, zero at the wrist
    world: FloatArray  # (21, 3) metres, axes of the image, origin near the middle finger's first joint
    roi: FloatArray  # (4,)
    carried: int = 0  # frames in a row, to this one, in which the region was not looked for


@dataclass(frozen=True, eq=False)
class FaceLandmarks:
    """The face mesh with irises, and the weights of its blend shapes. Names: `topology.BLENDSHAPE_NAMES`."""

    score: float  # 0..1, that this is a face
    points: FloatArray  # (478, 3) pixels; z on the scale of x
    blendshapes: FloatArray  # (52,) 0..1
    roi: FloatArray  # (4,)


@dataclass(frozen=True, eq=False)
class PersonLandmarks:
    """What was found of one person; None for a hand or face that is hidden, turned away or too blurred."""

    body: BodyLandmarks
    left_hand: HandLandmarks | None
    right_hand: HandLandmarks | None
    face: FaceLandmarks | None
    unseen: tuple[int, int, int] = (0, 0, 0)  # frames in a row, to this one, without each of `PARTS`

    def due(self, part: str) -> bool:
        """Whether to look for one of `PARTS` in the next frame: what stays hidden is not looked for in all of them."""
        frames = self.unseen[PARTS.index(part)]
        return frames < PART_TRIES or frames % PART_EVERY == 0


@dataclass(frozen=True, eq=False)
class LandmarkQuery:
    """Whom to look for: `image (H, W, 3) uint8 RGB`, a box, and, when tracking, the landmarks of an earlier frame."""

    image: NDArray[np.uint8]
    box: Box
    previous: PersonLandmarks | None = None

    def __post_init__(self) -> None:
        image = self.image
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise InputError(f"LandmarkQuery.image must be uint8 (H, W, 3) RGB, got {image.dtype} {image.shape}")

    @property
    def visible(self) -> bool:
        """Whether the box reaches into the image."""
        height, width = self.image.shape[:2]
        return self.box.x0 < width and self.box.y0 < height and self.box.x1 > 0 and self.box.y1 > 0

    def due(self, part: str) -> bool:
        """Whether to look for one of `PARTS`."""
        return self.previous is None or self.previous.due(part)
