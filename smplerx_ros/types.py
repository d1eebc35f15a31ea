"""What flows through the package: frozen, validated, with shapes, units and frames stated.

Frames of reference: `image` is pixels (x right, y down, pixel centres at integers); `optical` is the
camera's optical frame of REP-103 (x right, y down, z forward), in metres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, IntFlag
from functools import reduce
from itertools import accumulate
from numbers import Integral
from operator import and_, or_
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray

from .errors import InputError
from .geometry.boxes import Box
from .geometry.camera import Camera
from .geometry.depth import DepthReading

NUM_JOINTS = 55  # SMPL-X: 22 body, jaw, 2 eyes, 15 per hand (body/skeleton.py)


class Estimated(IntFlag):
    """Which parts of `SmplxParams` were observed; the others are a prior or NaN. Same values as SmplxParams.msg."""

    NONE = 0
    GLOBAL_ORIENT = 1
    BODY_POSE = 2
    LEFT_HAND_POSE = 4
    RIGHT_HAND_POSE = 8
    JAW_POSE = 16
    LEYE_POSE = 32
    REYE_POSE = 64
    BETAS = 128
    EXPRESSION = 256
    TRANSL = 512


class DistanceSource(IntEnum):
    """What a person's distance rests on, and the size with it. Same values as Person.msg."""

    UNKNOWN = 0
    ASSUMED_STATURE = 1  # the mean stature of adults
    GIVEN_HEIGHT = 2  # the parameter person_height
    MEASURED_STATURE = 3  # the stature that an earlier depth image showed of this person
    DEPTH = 4  # this frame's depth image
    GROUND = 5  # where the feet stand on a known ground plane
    CAMERAS = 6  # triangulation by several cameras


class Degradation(IntFlag):
    """What is done less because of the latency budget. Same values as PersonArray.msg."""

    NONE = 0
    DETECTION_RATE = 1  # detections come less often
    MAX_PEOPLE = 2  # fewer people are estimated
    BACKBONE = 4  # a smaller backbone estimates them


class Gender(IntEnum):
    """Of a body model. Same values as SmplxParams.msg."""

    UNKNOWN = 0
    NEUTRAL = 1
    FEMALE = 2
    MALE = 3

    @classmethod
    def of(cls, body_model: str) -> Gender:
        """Of SMPL-X's models, whose names end in it (`SMPLX_NEUTRAL`); unknown of any other."""
        return cls.__members__.get(body_model.rpartition("_")[2], cls.UNKNOWN)


_LATEST = (1 << 63) - 1  # nanoseconds, which files and messages hold in 64 bits

_ALL_PARTS = reduce(or_, Estimated)  # never ~NONE, which is negative on Python 3.10


PARAM_SIZES = {
    "global_orient": 3,
    "body_pose": 63,
    "left_hand_pose": 45,
    "right_hand_pose": 45,
    "jaw_pose": 3,
    "leye_pose": 3,
    "reye_pose": 3,
    "betas": 10,
    "expression": 10,
    "transl": 3,
}


def _slices() -> dict[str, slice]:
    ends = accumulate(PARAM_SIZES.values())
    return {name: slice(end - size, end) for (name, size), end in zip(PARAM_SIZES.items(), ends, strict=True)}


PARAM_SLICES = _slices()  # of each parameter in `SmplxParams.flat`


@dataclass(frozen=True, eq=False)
class SmplxParams:
    """Parameters of one body `(n,)` or of a batch `(B, n)`, float32, named as in smplx.

    Rotations are axis-angle in radians. Hand poses are relative to the body model's mean hand
    (smplx with `flat_hand_mean=False`). `global_orient` and `transl` place the body in the optical
    frame: joint 0 is at `J0(betas) + transl` (metres). An eye pose that was not estimated is NaN.
    """

    global_orient: FloatArray
    body_pose: FloatArray
    left_hand_pose: FloatArray
    right_hand_pose: FloatArray
    jaw_pose: FloatArray
    leye_pose: FloatArray
    reye_pose: FloatArray
    betas: FloatArray
    expression: FloatArray
    transl: FloatArray
    estimated: Estimated = Estimated.NONE

    def __post_init__(self) -> None:
        lead = np.shape(self.global_orient)[:-1]
        for name, size in PARAM_SIZES.items():
            value = np.asarray(getattr(self, name), dtype=np.float32)
            if value.shape != (*lead, size):
                raise InputError(f"SmplxParams.{name} has shape {value.shape}, expected {(*lead, size)}")
            object.__setattr__(self, name, value)
        # `~flag` is negative on Python 3.10, and messages and files hold unsigned numbers.
        object.__setattr__(self, "estimated", _ALL_PARTS & self.estimated)

    @classmethod
    def rest(cls, batch: int | None = None) -> SmplxParams:
        """Rest pose and mean shape at the origin, unbatched or `(batch, n)`; nothing estimated."""
        lead = () if batch is None else (batch,)
        arrays: dict[str, Any] = {name: np.zeros((*lead, size), np.float32) for name, size in PARAM_SIZES.items()}
        return cls(**arrays)

    @classmethod
    def stack(cls, items: list[SmplxParams]) -> SmplxParams:
        """Batch of unbatched parameters; `estimated` keeps what all of them have."""
        common = reduce(and_, [item.estimated for item in items], _ALL_PARTS)
        return cls.from_flat(np.stack([item.flat for item in items]), common)

    @classmethod
    def from_flat(cls, flat: FloatArray, estimated: Estimated = Estimated.NONE) -> SmplxParams:
        """From `(..., 188)`: all parameters in the order of their fields."""
        return cls(**{name: flat[..., where] for name, where in PARAM_SLICES.items()}, estimated=estimated)

    @property
    def flat(self) -> FloatArray:
        """`(..., 188) float32`: all parameters in the order of their fields (PARAM_SLICES)."""
        return np.concatenate([getattr(self, name) for name in PARAM_SIZES], axis=-1)

    def __getitem__(self, index: int) -> SmplxParams:
        """One body of a batch."""
        if self.global_orient.ndim != 2:
            raise TypeError("only a batch of parameters can be indexed")
        return replace(self, **{name: getattr(self, name)[index] for name in PARAM_SIZES})


@runtime_checkable
class HasParams(Protocol):
    """Anything that comes with parameters: a network's prediction, an estimated person."""

    @property
    def params(self) -> SmplxParams:
        """Unbatched or a batch."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One camera image: `image (H, W, 3) uint8 RGB`; `camera` None means that no calibration is known.

    `depth (H, W) float32`, if known: metres along the optical axis at each pixel of the image, NaN where not measured.
    `detections`: boxes from a detector of the user's own; None where none are known for this image. `source`: the
    camera's name where there are several; it tells cameras apart before `frame_id` does. Raises InputError, which names
    the field, for anything else.
    """

    image: NDArray[Any]  # uint8; OpenCV's types do not say so of what it returns
    camera: Camera | None = None
    stamp_ns: int = 0
    frame_id: str = ""
    depth: NDArray[np.float32] | None = None
    detections: tuple[Box, ...] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        image = self.image
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            got = f"{getattr(image, 'dtype', type(image).__name__)} {np.shape(image)}"
            raise InputError(f"Frame.image must be uint8 (H, W, 3) RGB, got {got}")
        if image.size == 0:
            raise InputError(f"Frame.image is empty: shape {image.shape}")
        if not isinstance(self.camera, Camera | None):
            raise InputError(f"Frame.camera must be a Camera or None, got {type(self.camera).__name__}")
        if self.camera is not None and (self.camera.width, self.camera.height) != (image.shape[1], image.shape[0]):
            raise InputError(
                f"Frame.camera is for {self.camera.width}x{self.camera.height} pixels, "
                f"the image has {image.shape[1]}x{image.shape[0]}"
            )
        if self.depth is not None:
            self._check_depth(self.depth)
        for name in ("frame_id", "source"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"Frame.{name} must be a string, got {type(getattr(self, name)).__name__}")
        object.__setattr__(self, "stamp_ns", self._stamp(self.stamp_ns))
        object.__setattr__(self, "detections", self._boxes(self.detections))

    @staticmethod
    def _stamp(stamp: object) -> int:
        """A Python integer: NumPy's of 64 bits overflow in differences."""
        if isinstance(stamp, Integral) and not isinstance(stamp, bool) and abs(int(stamp)) <= _LATEST:
            return int(stamp)
        got = type(stamp).__name__ if isinstance(stamp, Integral) else f"{stamp!r:.40} ({type(stamp).__name__})"
        raise InputError(f"Frame.stamp_ns must be an integer of nanoseconds that fits in 64 bits, got {got}")

    @staticmethod
    def _boxes(boxes: object) -> tuple[Box, ...] | None:
        if boxes is None:
            return None
        if not isinstance(boxes, (list, tuple)):
            raise InputError(f"Frame.detections must be a tuple or list of Box, or None, got {type(boxes).__name__}")
        for i, box in enumerate(boxes):
            if not isinstance(box, Box):
                raise InputError(f"Frame.detections[{i}] must be a Box, got {type(box).__name__}")
        return tuple(boxes)

    def _check_depth(self, depth: NDArray[np.float32]) -> None:
        if not isinstance(depth, np.ndarray) or depth.dtype != np.float32 or depth.shape != self.image.shape[:2]:
            got = f"{getattr(depth, 'dtype', type(depth).__name__)} {np.shape(depth)}"
            raise InputError(f"Frame.depth must be float32 of the image's size {self.image.shape[:2]}, got {got}")


@dataclass(frozen=True, eq=False)
class Observation:
    """A tracked person to be estimated in a frame: the identity links it to earlier frames."""

    frame: Frame
    id: str
    box: Box
    since_detection_s: float = float("nan")  # of the detection that last confirmed the person; NaN: not known


@dataclass(frozen=True, eq=False)
class BodyEstimate:
    """What a backbone answers for one observation. `params` unbatched, in the frame's optical frame."""

    score: float  # 0..1, that this is a person
    params: SmplxParams
    confidence: FloatArray  # (55,) 0..1 per joint; low where a joint keeps a prior pose; NaN where nothing tells
    face_landmarks: FloatArray | None = None  # (478, 2) pixels, MediaPipe's face mesh; None: not seen or not known
    depth: DepthReading | None = None  # what the frame's depth image shows of the person; None: there is no such image
    size_source: int = 0  # 0: the image alone; then the how-many-th size that depth images, of now or before, showed
    distance_source: DistanceSource = DistanceSource.ASSUMED_STATURE


@dataclass(frozen=True, eq=False)
class Person:
    """One person in one frame. Unknown values are NaN."""

    id: str  # short, starts with a letter, never used again
    score: float
    box: Box
    params: SmplxParams  # unbatched
    joints: FloatArray  # (55, 3) metres, optical frame, SMPL-X order
    joints_image: FloatArray  # (55, 2) pixels of the input image (distorted if it is)
    confidence: FloatArray  # (55,) 0..1; 0 outside the image, NaN where the backbone does not tell
    pose_covariance: FloatArray = field(
        default_factory=lambda: np.full((6, 6), np.nan)
    )  # pelvis x, y, z, rx, ry, rz; m^2, m rad, rad^2
    root_velocity: FloatArray = field(default_factory=lambda: np.full((3,), np.nan))  # m/s, optical frame
    left_wrist_velocity: FloatArray = field(default_factory=lambda: np.full((3,), np.nan))
    right_wrist_velocity: FloatArray = field(default_factory=lambda: np.full((3,), np.nan))
    face_landmarks: FloatArray | None = None  # (478, 2) pixels, MediaPipe's face mesh; None: not seen or not known
    rotations: FloatArray | None = None  # (55, 3, 3) optical_from_joint, as the params turn them; None: not computed
    joints_in_image: NDArray[np.bool_] = field(
        default_factory=lambda: np.zeros(NUM_JOINTS, np.bool_)
    )  # (55,) whether `joints_image` lies inside the image
    distance_source: DistanceSource = DistanceSource.UNKNOWN
    since_detection_s: float = float("nan")  # seconds since a detector last confirmed the person; NaN: not known


@dataclass(frozen=True, eq=False)
class People:
    """The people of one frame, and how they were found."""

    frame: Frame
    people: tuple[Person, ...]
    camera: Camera  # `calibrated` is False where a field of view was assumed
    backbone: str
    body_model: str
    runtime: str
    stage_seconds: dict[str, float] = field(default_factory=dict)  # of the call that the frame was part of
    num_not_estimated: int = 0  # people in view above `max_people`
    degraded: Degradation = Degradation.NONE  # what is done less because of `latency.budget_ms`
    degraded_text: str = ""  # the same in words; empty: nothing
    warnings: Mapping[str, str] = field(default_factory=dict)  # what is wrong with the frames, by a short name
