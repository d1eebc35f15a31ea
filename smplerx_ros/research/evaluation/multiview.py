"""Multi-view evaluation of one person: ground truth from all cameras, and the error of each single camera against it.

The ground truth is triangulated from BlazePose's landmarks, to which `lite` is fitted as well: systematic errors of
that network, such as an offset of the hip joints, are part of the ground truth and cannot be seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.signal import butter, sosfiltfilt

from smplerx_ros.arrays import FloatArray
from smplerx_ros.backbones.lite.topology import BODY_INDEX, BODY_POINTS
from smplerx_ros.body import BodyModel
from smplerx_ros.body.skeleton import EXTRA_JOINT_INDEX, JOINT_INDEX, JOINT_NAMES
from smplerx_ros.errors import InputError
from smplerx_ros.types import Person, SmplxParams

from . import alignment
from .landmarks2d import Landmarks2D, mirrored_landmarks
from .triangulation import View, refine_views, reprojection_errors, resample_to_common_clock, triangulate

_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
LIMB_JOINTS = tuple(f"{side}_{limb}" for limb in _LIMBS for side in ("left", "right"))
ROOT = [LIMB_JOINTS.index(f"{side}_hip") for side in ("left", "right")]  # the root is their midpoint
# Head and feet: joints of the body model and the corresponding landmarks.
EXTREMITIES = {
    "nose": "nose",
    "left_ear": "left_ear",
    "right_ear": "right_ear",
    "left_heel": "left_heel",
    "right_heel": "right_heel",
    "left_big_toe": "left_foot_index",
    "right_big_toe": "right_foot_index",
}
_LIMB_LANDMARKS = [BODY_INDEX[name] for name in LIMB_JOINTS]
_EXTREMITY_LANDMARKS = [BODY_INDEX[name] for name in EXTREMITIES.values()]
_LIMB_NUMBERS = [JOINT_INDEX[name] for name in LIMB_JOINTS]  # of the body model's 144
_EXTREMITY_NUMBERS = [len(JOINT_NAMES) + EXTRA_JOINT_INDEX[name] for name in EXTREMITIES]
_BONES = [("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")]

_CUTOFF_HZ = 6.0  # of the low-pass filter, usual for human gait (Winter, Biomechanics, 2009, ch. 3)
_MIN_VISIBILITY, _FULL_VISIBILITY = 0.2, 0.7  # the weight of a landmark rises from 0 to 1 between them
_MIN_WEIGHT = 0.02  # keeps points defined that no camera sees
_SWAP_GAIN = 6.0  # pixels by which swapping sides must lower the mean reprojection error
_SWAP_ERROR_LIMIT = 60.0  # pixels; larger reprojection errors are clipped
_SWAP_ROUNDS = 3
_MATCH_DISTANCE = 0.75  # metres between the mid-hips of an estimate and of the ground truth


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """Triangulated landmarks of the person, with indicators of their accuracy. C cameras, T frames."""

    world: FloatArray  # (T, 33, 3) metres, at the frames of the common clock
    views: tuple[View, ...]  # refined
    swapped_sides: NDArray[np.bool_]  # (C, T, 2) frames in which left and right were swapped, above and below the waist
    reprojection_error: float  # pixels, median over visible limb joints
    leave_one_out_change: FloatArray  # (C,) metres, mean change of root-aligned limb joints without that camera
    bone_lengths: dict[str, tuple[float, float]]  # mean and standard deviation over time, metres

    def in_camera(self, camera: int) -> FloatArray:
        """Return the landmarks `(T, 33, 3)` at the times of the camera's images, in its optical frame, metres."""
        view = self.views[camera]
        frames = np.arange(len(self.world))
        times = np.clip(frames + view.delay, 0, frames[-1])
        return view.to_optical(CubicSpline(frames, self.world, axis=0)(times))


@dataclass(frozen=True)
class Score:
    """Mean errors of one camera over frames and joints. Metres and seconds; NaN if the person was never estimated."""

    frames: int
    followed: int  # frames with an estimate of the person
    identities: int  # distinct track ids of the person; ideally 1
    mpjpe: float  # 12 limb joints, relative to the mid-hips
    pa_mpjpe: float  # of the same joints, after a similarity alignment per frame
    extremities: float  # nose, ears, heels, toes, relative to the mid-hips
    distance_error: float  # absolute error of the distance from camera to mid-hips, as a fraction of it
    distance_bias: float  # signed mean of the same; positive: estimated too far away
    acceleration: float  # of the limb joints relative to the mid-hips
    truth_acceleration: float


def reconstruct_ground_truth(views: Sequence[View], landmarks: Sequence[Landmarks2D], rate: float) -> GroundTruth:
    """Triangulate the landmarks of all views, after resolving swapped sides and refining the calibration.

    Args:
        views: The calibrated cameras.
        landmarks: Landmarks in each of them, for the same number of frames.
        rate: Frame rate, Hz.
    """
    rays = np.stack([view.camera.normalize(seen.points) for view, seen in zip(views, landmarks, strict=True)])
    visibility = np.stack([seen.visibility for seen in landmarks])
    rays, visibility, swapped = _resolve_side_swaps(views, rays, visibility)
    weights = np.clip((visibility - _MIN_VISIBILITY) / (_FULL_VISIBILITY - _MIN_VISIBILITY), _MIN_WEIGHT, 1)
    views = refine_views(views, rays[:, :, _LIMB_LANDMARKS], weights[:, :, _LIMB_LANDMARKS])
    rays = resample_to_common_clock(views, rays)
    raw = triangulate(views, rays, weights)
    world = _smoothed(raw, rate)
    errors = np.linalg.norm(reprojection_errors(views, rays, raw), axis=-1)[..., _LIMB_LANDMARKS]
    partial = [_smoothed(triangulate(views, rays, _without(weights, k)), rate) for k in range(len(views))]
    changes = [
        alignment.root_aligned_errors(part[:, _LIMB_LANDMARKS], world[:, _LIMB_LANDMARKS], ROOT).mean()
        for part in partial
    ]
    return GroundTruth(
        world,
        tuple(views),
        swapped,
        float(np.median(errors[visibility[..., _LIMB_LANDMARKS] > _FULL_VISIBILITY])),
        np.array(changes),
        _measure_bones(world),
    )


def score(truth: GroundTruth, camera: int, people: Sequence[Sequence[Person]], body: BodyModel, rate: float) -> Score:
    """Compute the errors of one camera.

    Args:
        truth: The ground truth.
        camera: Index of the camera.
        people: Estimated people per frame, in the camera's optical frame. The one nearest to the ground truth is used.
        body: Body model of the estimates.
        rate: Frame rate, Hz.

    Raises:
        InputError: If the numbers of frames differ.
    """
    seen = truth.in_camera(camera)
    if len(people) != len(seen):
        raise InputError(f"{len(people)} frames of people, but {len(seen)} frames of ground truth")
    limbs, extremities = seen[:, _LIMB_LANDMARKS], seen[:, _EXTREMITY_LANDMARKS]
    roots = limbs[:, ROOT].mean(axis=1)
    chosen = [_nearest(candidates, root) for candidates, root in zip(people, roots, strict=True)]
    found = [(i, person) for i, person in enumerate(chosen) if person is not None]
    truth_acceleration = _mean(alignment.accelerations(alignment.from_root(limbs, ROOT), rate))
    if not found:
        nan = float("nan")
        return Score(len(people), 0, 0, nan, nan, nan, nan, nan, nan, truth_acceleration)
    at = [i for i, _ in found]
    points = body.landmarks144(SmplxParams.stack([person.params for _, person in found]))
    estimated, limbs, extremities = points[:, _LIMB_NUMBERS], limbs[at], extremities[at]
    offsets = estimated[:, ROOT].mean(axis=1, keepdims=True) - limbs[:, ROOT].mean(axis=1, keepdims=True)
    distance, true_distance = (np.linalg.norm(joints[:, ROOT].mean(axis=1), axis=-1) for joints in (estimated, limbs))
    relative_error = (distance - true_distance) / true_distance
    relative = np.full((len(people), *estimated.shape[1:]), np.nan)
    relative[at] = alignment.from_root(estimated, ROOT)
    return Score(
        frames=len(people),
        followed=len(found),
        identities=len({person.id for _, person in found}),
        mpjpe=_mean(alignment.root_aligned_errors(estimated, limbs, ROOT)),
        pa_mpjpe=_mean(alignment.similarity_aligned_errors(estimated, limbs)),
        extremities=_mean(alignment.joint_errors(points[:, _EXTREMITY_NUMBERS] - offsets, extremities)),
        distance_error=_mean(np.abs(relative_error)),
        distance_bias=_mean(relative_error),
        acceleration=_mean(alignment.accelerations(relative, rate)),
        truth_acceleration=truth_acceleration,
    )


def mean_score(scores: Mapping[str, Score]) -> dict[str, float]:
    """Average every field of the scores over cameras."""
    names = Score.__dataclass_fields__
    return {name: float(np.mean([getattr(one, name) for one in scores.values()])) for name in names}


def _resolve_side_swaps(
    views: Sequence[View], rays: FloatArray, visibility: FloatArray
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Swap left and right in frames where a camera contradicts the others.

    Returns:
        Rays and visibility with sides swapped, and where they were swapped `(C, T, 2)`, above and below the waist.
    """
    rays, visibility = rays.copy(), visibility.copy()
    swapped = np.zeros((*rays.shape[:2], 2), bool)
    partner = mirrored_landmarks()
    for _ in range(_SWAP_ROUNDS):
        before = swapped.copy()
        for camera in range(len(views)):
            for half, (limbs, points) in enumerate(_HALVES):
                wrong = _prefers_swapped_sides(views, rays[:, :, limbs], visibility[:, :, limbs], camera)
                order = np.arange(len(partner))
                order[points] = partner[points]
                rays[camera, wrong] = rays[camera, wrong][:, order]
                visibility[camera, wrong] = visibility[camera, wrong][:, order]
                swapped[camera, wrong, half] ^= True
        if (before == swapped).all():
            break
    return rays, visibility, swapped


def _prefers_swapped_sides(
    views: Sequence[View], rays: FloatArray, visibility: FloatArray, camera: int
) -> NDArray[np.bool_]:
    """Return `(T,)` whether a camera's limbs (left, right, ...) agree better with the others after swapping sides."""
    weights = _without(np.clip(visibility, _MIN_WEIGHT, 1), camera)
    points = triangulate(views, rays, weights)
    flipped = np.arange(rays.shape[2]).reshape(-1, 2)[:, ::-1].ravel()

    def mean_error(ray: FloatArray) -> FloatArray:
        errors = np.linalg.norm(reprojection_errors([views[camera]], ray[None], points)[0], axis=-1)
        return np.asarray(np.minimum(errors, _SWAP_ERROR_LIMIT).mean(axis=-1))

    return np.asarray(mean_error(rays[camera][:, flipped]) < mean_error(rays[camera]) - _SWAP_GAIN)


def _without(weights: FloatArray, camera: int) -> FloatArray:
    return np.asarray(weights * (np.arange(len(weights)) != camera)[:, None, None])


def _smoothed(points: FloatArray, rate: float) -> FloatArray:
    """Filter points `(T, ...)` with a zero-phase (forward and backward) Butterworth low-pass."""
    return np.asarray(sosfiltfilt(butter(2, _CUTOFF_HZ, fs=rate, output="sos"), points, axis=0))


def _measure_bones(world: FloatArray) -> dict[str, tuple[float, float]]:
    lengths = {
        f"{side}_{a}_{b}": np.linalg.norm(
            world[:, BODY_INDEX[f"{side}_{a}"]] - world[:, BODY_INDEX[f"{side}_{b}"]], axis=-1
        )
        for a, b in _BONES
        for side in ("left", "right")
    }
    return {name: (float(length.mean()), float(length.std())) for name, length in lengths.items()}


def _nearest(people: Sequence[Person], root: FloatArray) -> Person | None:
    def distance(person: Person) -> float:
        return float(np.linalg.norm(person.joints[[JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]]].mean(0) - root))

    nearest = min(people, key=distance, default=None)
    return nearest if nearest is not None and distance(nearest) < _MATCH_DISTANCE else None


def _mean(values: FloatArray) -> float:
    """Return the mean of all values that are not NaN; NaN if there are none."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


# Above and below the waist: limb joints in pairs of left and right, and all landmarks.
_LEGS = ("hip", "knee", "ankle", "heel", "foot")
_IS_LEG = np.array([name.split("_")[1] in _LEGS if "_" in name else False for name in BODY_POINTS])
_HALVES = (
    ([k for k in _LIMB_LANDMARKS if not _IS_LEG[k]], np.flatnonzero(~_IS_LEG)),
    ([k for k in _LIMB_LANDMARKS if _IS_LEG[k]], np.flatnonzero(_IS_LEG)),
)
