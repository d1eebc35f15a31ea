"""Data that the package's stages exchange: frozen, validated dataclasses with stated shapes, units and frames.

Coordinates are either in the `image`, in pixels (x right, y down, pixel centres at integers), or in the camera's
`optical` frame of REP-103 (x right, y down, z forward), in metres.
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
    """Which of `SmplxParams` were estimated; the others hold a prior or NaN. Same values as in SmplxParams.msg."""

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
    """How a person's distance, and with it the size, was obtained. Same values as in Person.msg."""

    UNKNOWN = 0
    ASSUMED_STATURE = 1  # from the mean stature of adults
    GIVEN_HEIGHT = 2  # from the parameter person_height
    MEASURED_STATURE = 3  # from this person's stature, measured in an earlier depth image
    DEPTH = 4  # from this frame's depth image
    GROUND = 5  # from the feet's contact with a known ground plane
    CAMERAS = 6  # triangulation by several cameras


class Degradation(IntFlag):
    """How the estimator reduces its work to meet the latency budget. Same values as in PersonArray.msg."""

    NONE = 0
    DETECTION_RATE = 1  # the detector runs less often
    MAX_PEOPLE = 2  # fewer people are estimated
    BACKBONE = 4  # a smaller backbone estimates them


class Gender(IntEnum):
    """Gender of a body model. Same values as in SmplxParams.msg."""

    UNKNOWN = 0
    NEUTRAL = 1
    FEMALE = 2
    MALE = 3

    @classmethod
    def of(cls, body_model: str) -> Gender:
        """Gender by the suffix of an SMPL-X model's name (`SMPLX_NEUTRAL`); UNKNOWN for any other name."""
        return cls.__members__.get(body_model.rpartition("_")[2], cls.UNKNOWN)


_LATEST = (1 << 63) - 1  # nanoseconds: files and messages store stamps as 64-bit integers

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


EYE_POSES = ("leye_pose", "reye_pose")  # NaN where they were not estimated


def _slices() -> dict[str, slice]:
    ends = accumulate(PARAM_SIZES.values())
    return {name: slice(end - size, end) for (name, size), end in zip(PARAM_SIZES.items(), ends, strict=True)}


PARAM_SLICES = _slices()  # where each parameter is in `SmplxParams.flat`


@dataclass(frozen=True, eq=False)
class SmplxParams:
    """SMPL-X parameters of one body, `(n,)` each, or of a batch, `(B, n)` each; float32, named as in smplx.

    Rotations are axis-angle in radians. Hand poses are relative to the body model's mean hand
    (smplx with `flat_hand_mean=False`). `global_orient` and `transl` are the body's pose in the optical
    frame: joint 0 is at `J0(betas) + transl` (metres). An eye pose that was not estimated is NaN.

    Raises:
        InputError: If a parameter has the wrong shape.
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
        # `~flag` is negative on Python 3.10, but messages and files store unsigned integers.
        object.__setattr__(self, "estimated", _ALL_PARTS & self.estimated)

    @classmethod
    def rest(cls, batch: int | None = None) -> SmplxParams:
        """Rest pose with mean shape at the origin, unbatched or `(batch, n)`, with `estimated` empty."""
        lead = () if batch is None else (batch,)
        arrays: dict[str, Any] = {name: np.zeros((*lead, size), np.float32) for name, size in PARAM_SIZES.items()}
        return cls(**arrays)

    @classmethod
    def stack(cls, items: list[SmplxParams]) -> SmplxParams:
        """Stack unbatched parameters to a batch; `estimated` is the intersection of theirs."""
        common = reduce(and_, [item.estimated for item in items], _ALL_PARTS)
        return cls.from_flat(np.stack([item.flat for item in items]), common)

    @classmethod
    def from_flat(cls, flat: FloatArray, estimated: Estimated = Estimated.NONE) -> SmplxParams:
        """Parameters from one array `(..., 188)`, the inverse of `flat`."""
        return cls(**{name: flat[..., where] for name, where in PARAM_SLICES.items()}, estimated=estimated)

    @property
    def flat(self) -> FloatArray:
        """All parameters, concatenated in the order of their fields: `(..., 188) float32` (see PARAM_SLICES)."""
        return np.concatenate([getattr(self, name) for name in PARAM_SIZES], axis=-1)

    def __getitem__(self, index: int) -> SmplxParams:
        """Parameters of one body of a batch."""
        if self.global_orient.ndim != 2:
            raise TypeError("only a batch of parameters can be indexed")
        return replace(self, **{name: getattr(self, name)[index] for name in PARAM_SIZES})


def is_finite(params: SmplxParams) -> NDArray[np.bool_]:
    """Whether each body `(...)` can be posed: all parameters are finite, but eye poses, which may be NaN."""
    values = [getattr(params, name) for name in PARAM_SIZES if name not in EYE_POSES]
    return np.asarray(np.isfinite(np.concatenate(values, axis=-1)).all(axis=-1))


@runtime_checkable
class HasParams(Protocol):
    """An object with SMPL-X parameters, such as a network's prediction or an estimated person."""

    @property
    def params(self) -> SmplxParams:
        """Parameters of one body or of a batch."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One camera image with its calibration, stamp and, optionally, depth and detections.

    Args:
        image: `(H, W, 3) uint8`, RGB.
        camera: The calibration; None if it is unknown.
        stamp_ns: Time of the image, in nanoseconds.
        frame_id: Name of the camera's optical frame.
        depth: `(H, W) float32`, registered to the image: metres along the optical axis, NaN where not measured.
        detections: Boxes from an external detector; None if it gave none for this image.
        source: Name of the camera where there are several; takes precedence over `frame_id` to distinguish them.

    Raises:
        InputError: If a field is invalid; the message names it.
    """

    image: NDArray[Any]  # uint8; but OpenCV's stubs type its results more loosely
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
        """Convert to a Python integer, since differences of NumPy's 64-bit integers can overflow."""
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
    """A tracked person to estimate in a frame; `id` links the person to earlier frames."""

    frame: Frame
    id: str
    box: Box
    since_detection_s: float = float("nan")  # seconds since a detection last confirmed the person; NaN: unknown


@dataclass(frozen=True, eq=False)
class BodyEstimate:
    """A backbone's estimate for one observation; `params` is unbatched, in the camera's optical frame."""

    score: float  # 0..1, confidence that this is a person
    params: SmplxParams
    confidence: FloatArray  # (55,) 0..1 per joint; low where a joint keeps a prior pose; NaN: unknown
    face_landmarks: FloatArray | None = None  # (478, 2) pixels, MediaPipe's face mesh; None: not seen or not known
    depth: DepthReading | None = None  # the person's reading in the depth image; None: the frame has no depth
    size_source: int = 0  # 0: from the image alone; n: the n-th size measured in depth images of this person
    distance_source: DistanceSource = DistanceSource.ASSUMED_STATURE


@dataclass(frozen=True, eq=False)
class Person:
    """One person in one frame. Unknown values are NaN."""

    id: str  # short, starts with a letter, never reused
    score: float
    box: Box
    params: SmplxParams  # unbatched
    joints: FloatArray  # (55, 3) metres, optical frame, SMPL-X order
    joints_image: FloatArray  # (55, 2) pixels of the input image (distorted if it is)
    confidence: FloatArray  # (55,) 0..1; 0 outside the image, NaN where the backbone gives none
    pose_covariance: FloatArray = field(
        default_factory=lambda: np.full((6, 6), np.nan)
    )  # pelvis x, y, z, rx, ry, rz; m^2, m rad, rad^2
    root_velocity: FloatArray = field(default_factory=lambda: np.full((3,), np.nan))  # m/s, optical frame
    left_wrist_velocity: FloatArray = field(default_factory=lambda: np.full((3,), np.nan))
    right_wrist_velocity: FloatArray = field(default_factory=lambda: np.full((3,), np.nan))
    face_landmarks: FloatArray | None = None  # (478, 2) pixels, MediaPipe's face mesh; None: not seen or not known
    rotations: FloatArray | None = None  # (55, 3, 3) optical_from_joint, of `params`; None: not computed
    joints_in_image: NDArray[np.bool_] = field(
        default_factory=lambda: np.zeros(NUM_JOINTS, np.bool_)
    )  # (55,) whether `joints_image` lies inside the image
    distance_source: DistanceSource = DistanceSource.UNKNOWN
    since_detection_s: float = float("nan")  # seconds since a detection last confirmed the person; NaN: unknown


@dataclass(frozen=True, eq=False)
class People:
    """The people of one frame, and how they were estimated."""

    frame: Frame
    people: tuple[Person, ...]
    camera: Camera  # `calibrated` is False if a field of view was assumed
    backbone: str
    body_model: str
    runtime: str
    stage_seconds: dict[str, float] = field(default_factory=dict)  # by stage, of the call that processed the frame
    num_not_estimated: int = 0  # tracked people in excess of `max_people`
    degraded: Degradation = Degradation.NONE  # how work is reduced to meet `latency.budget_ms`
    degraded_text: str = ""  # `degraded` in words; empty: not degraded
    warnings: Mapping[str, str] = field(default_factory=dict)  # problems with the frames, by a short key
