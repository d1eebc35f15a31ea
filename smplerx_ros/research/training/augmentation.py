"""Augmentation of crops and annotations: random scale, in-plane rotation, horizontal flip and colour.

Pixels are mapped by `crop = middle + scale R F (image - centre)`, where F flips x and R rotates about the optical axis.
The same R and F apply to points in metres, because the optical axis is normal to the image.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.skeleton import EXTRA_JOINT_NAMES, JOINT_NAMES, JOINTS_137, NUM_STATIC_LANDMARKS
from smplerx_ros.geometry.constants import CROP_HEIGHT, CROP_WIDTH
from smplerx_ros.geometry.crops import WARP_WIDTH, warp_from_image
from smplerx_ros.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix

# SMPLer-X's augmentation: standard normal noise, clipped at the maxima, times the spreads.
SCALE_SPREAD, MAX_SCALE = 0.25, 1.0
ROTATION_SPREAD_DEG, MAX_ROTATION, ROTATION_PROBABILITY = 30.0, 2.0, 0.6
COLOR_LOW, COLOR_HIGH = 0.8, 1.2
FLIP_PROBABILITY = 0.5

_MIDDLE = np.array([CROP_WIDTH / 2, CROP_HEIGHT / 2])  # pixels of the crop
_MIRROR_ROTVEC = np.array([1.0, -1.0, -1.0])


def _ones() -> FloatArray:
    return np.ones(3)


@dataclass(frozen=True, eq=False)
class Augmentation:
    """Augmentation of one crop; the default is the identity."""

    scale: float = 1.0  # of the cropped region: above 1, people appear smaller
    rotation: float = 0.0  # radians, from x towards y
    flip: bool = False  # horizontally, before the rotation
    color: FloatArray = field(default_factory=_ones)  # (3,) factors of red, green, blue

    @classmethod
    def random(cls, rng: np.random.Generator) -> Augmentation:
        """Draw an augmentation from SMPLer-X's distribution."""
        scale = 1 + SCALE_SPREAD * float(np.clip(rng.standard_normal(), -MAX_SCALE, MAX_SCALE))
        rotation = np.radians(ROTATION_SPREAD_DEG) * float(np.clip(rng.standard_normal(), -MAX_ROTATION, MAX_ROTATION))
        rotate = rng.uniform() < ROTATION_PROBABILITY
        color = rng.uniform(COLOR_LOW, COLOR_HIGH, 3)
        return cls(scale, rotation if rotate else 0.0, bool(rng.uniform() < FLIP_PROBABILITY), color)

    def crop_from_image(self, region: FloatArray) -> FloatArray:
        """Return the affine transform `(2, 3)` from image pixels to pixels of the 256x192 crop.

        Args:
            region: `(4,)` x, y, width, height of the cropped region, in image pixels.
        """
        if (self.scale, self.rotation, self.flip) == (1.0, 0.0, False):
            return np.asarray(warp_from_image(region), np.float64) / 2  # bit-identical to the crops at inference
        x, y, width, height = np.asarray(region, np.float64)
        linear = WARP_WIDTH / 2 / (width * self.scale) * self.optical[:2, :2]
        return np.column_stack([linear, _MIDDLE - linear @ [x + width / 2, y + height / 2]])

    @property
    def optical(self) -> FloatArray:
        """The linear transform `(3, 3)` of points in the optical frame: flip, then rotation."""
        rotation = matrix_from_rotvec([0.0, 0.0, self.rotation])
        return np.asarray(rotation @ np.diag([-1.0 if self.flip else 1.0, 1.0, 1.0]))

    def joints(self, joints: FloatArray) -> FloatArray:
        """Augment joints `(137, 3)`, metres; a flip exchanges left and right."""
        return np.asarray((joints @ self.optical.T)[self.order])

    @property
    def order(self) -> NDArray[np.intp]:
        """Permutation `(137,)` of the joints: identity, or exchange of left and right."""
        return MIRRORED_137 if self.flip else np.arange(len(MIRRORED_137))

    @property
    def rotation_order(self) -> NDArray[np.intp]:
        """Permutation `(53,)` of the rotations."""
        return MIRRORED_ROTATIONS if self.flip else np.arange(len(MIRRORED_ROTATIONS))

    @property
    def parts(self) -> list[int]:
        """Permutation of left hand, right hand and face."""
        return [1, 0, 2] if self.flip else [0, 1, 2]

    def pose(self, rotvecs: FloatArray) -> FloatArray:
        """Augment axis-angle rotations `(53, 3)`, rows as in `backbones.smpler_x.prediction.ROTATIONS`."""
        posed = rotvecs[self.rotation_order] * (_MIRROR_ROTVEC if self.flip else 1.0)
        posed[0] = rotvec_from_matrix(matrix_from_rotvec([0.0, 0.0, self.rotation]) @ matrix_from_rotvec(posed[0]))
        return np.asarray(posed)


def _other_side(names: list[str]) -> NDArray[np.intp]:
    """Return for each of `names` the index of its counterpart on the other side."""
    swapped = [name.replace("left", "\0").replace("right", "left").replace("\0", "right") for name in names]
    return np.array([names.index(name) for name in swapped])


def _mirrored_137() -> NDArray[np.intp]:
    """Return the counterparts of the 137 joints; those of the face by their iBUG numbers."""
    ibug = [*range(17, 17 + NUM_STATIC_LANDMARKS), *range(17)]
    names = [*JOINT_NAMES, *EXTRA_JOINT_NAMES]
    first = len(names)
    in_144 = [*_other_side(names), *(first + ibug.index(_mirrored_ibug(number)) for number in ibug)]
    # Eyeballs (body) and eyes (face) are the same entries of the 144: take the counterpart within the same part.
    part = [0 if i < 25 else 1 if i < 65 else 2 for i in range(len(JOINTS_137))]
    keys = list(zip(part, JOINTS_137, strict=True))
    return np.array([keys.index((p, int(in_144[i]))) for p, i in keys])


# Ranges of iBUG's 68 landmarks whose order is reversed by a flip: contour, brows, nose bridge (each point on its own),
# nostrils, and upper and lower edges of outer and inner lips. Eye corners and lids map to those of the other eye.
_MIRRORED_RUNS = (
    *((0, 16), (17, 26), (27, 27), (28, 28), (29, 29), (30, 30), (31, 35)),
    *((48, 54), (55, 59), (60, 64), (65, 67)),
)
_EYES_MIRRORED = dict(zip(range(36, 48), (45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40), strict=True))


def _mirrored_ibug(number: int) -> int:
    """Return the counterpart of one of iBUG's 68 landmarks."""
    runs = (first + last - number for first, last in _MIRRORED_RUNS if first <= number <= last)
    return next(runs, _EYES_MIRRORED.get(number, number))


def _mirrored_rotations() -> NDArray[np.intp]:
    """Return the counterparts of the 53 rotations."""
    left, right = JOINT_NAMES[25:40], JOINT_NAMES[40:55]
    return _other_side([*JOINT_NAMES[:22], *left, *right, "jaw"])


MIRRORED_137 = _mirrored_137()
MIRRORED_ROTATIONS = _mirrored_rotations()
