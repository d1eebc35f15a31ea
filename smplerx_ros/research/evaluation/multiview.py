"""One person in several calibrated cameras: the truth from all views, and each single camera's estimates against it.

The truth is triangulated from BlazePose's landmarks, which `lite` fits, too: what that network always gets wrong in the
same way, such as where a hip joint lies, the truth shares.
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
ROOT = [LIMB_JOINTS.index(f"{side}_hip") for side in ("left", "right")]  # their middle
# Head and feet: points of the body's surface and the landmarks that show them.
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

_CUTOFF_HZ = 6.0  # of the low-pass usual for markers of walking people (Winter, Biomechanics, 2009, ch. 3)
_GUESSED, _SEEN = 0.2, 0.7  # visibility below which a landmark is a guess, and above which it counts in full
_LEAST_WEIGHT = 0.02  # keeps points defined that no camera sees
_SIDES_GAIN, _SIDES_LIMIT = (
    6.0,
    60.0,
)  # pixels, mean over a group: what exchanged sides must gain; larger errors are cut
_SIDES_ROUNDS = 3
_SAME_PERSON = 0.75  # metres from the truth's mid-hips


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """The person's landmarks in space, and what is known of their errors."""

    world: FloatArray  # (T, 33, 3) metres, at the frames of the common clock
    views: tuple[View, ...]  # refined
    exchanged: NDArray[np.bool_]  # (C, T, 2) frames whose sides were exchanged above and below the waist
    reprojection: float  # pixels, median over limb joints that are seen
    without_camera: FloatArray  # (C,) metres, mean change of the root-aligned limb joints if a camera is left out
    bones: dict[str, tuple[float, float]]  # length and its standard deviation over time, metres

    def in_camera(self, camera: int) -> FloatArray:
        """`(T, 33, 3)` landmarks at the times of the camera's pictures, in its optical frame."""
        view = self.views[camera]
        frames = np.arange(len(self.world))
        times = np.clip(frames + view.delay, 0, frames[-1])
        return view.to_optical(CubicSpline(frames, self.world, axis=0)(times))


@dataclass(frozen=True)
class Score:
    """One camera's errors, means over frames and joints. Metres, seconds; NaN where nobody was followed."""

    frames: int
    followed: int  # frames with an estimate of this person
    identities: int  # ids that the person had; 1 is right
    mpjpe: float  # 12 limb joints, relative to the mid-hips
    pa_mpjpe: float  # after the best similarity per frame
    extremities: float  # nose, ears, heels, toes, relative to the mid-hips
    distance_error: float  # share of the distance of the mid-hips from the camera
    distance_bias: float  # the same with its sign; positive is too far
    acceleration: float  # of the limb joints relative to the mid-hips
    truth_acceleration: float


def reconstruct_ground_truth(views: Sequence[View], landmarks: Sequence[Landmarks2D], rate: float) -> GroundTruth:
    """The truth from every view's landmarks; `rate` frames per second."""
    rays = np.stack([view.camera.normalize(seen.points) for view, seen in zip(views, landmarks, strict=True)])
    visibility = np.stack([seen.visibility for seen in landmarks])
    rays, visibility, exchanged = _agreeing_sides(views, rays, visibility)
    weights = np.clip((visibility - _GUESSED) / (_SEEN - _GUESSED), _LEAST_WEIGHT, 1)
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
        exchanged,
        float(np.median(errors[visibility[..., _LIMB_LANDMARKS] > _SEEN])),
        np.array(changes),
        _bone_lengths(world),
    )


def score(truth: GroundTruth, camera: int, people: Sequence[Sequence[Person]], body: BodyModel, rate: float) -> Score:
    """One camera's people, frame by frame, against the truth. Of several people the one nearest to it is measured."""
    seen = truth.in_camera(camera)
    if len(people) != len(seen):
        raise InputError(f"{len(people)} frames of people against {len(seen)} frames of truth")
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
    share = (distance - true_distance) / true_distance
    relative = np.full((len(people), *estimated.shape[1:]), np.nan)
    relative[at] = alignment.from_root(estimated, ROOT)
    return Score(
        frames=len(people),
        followed=len(found),
        identities=len({person.id for _, person in found}),
        mpjpe=_mean(alignment.root_aligned_errors(estimated, limbs, ROOT)),
        pa_mpjpe=_mean(alignment.similarity_aligned_errors(estimated, limbs)),
        extremities=_mean(alignment.joint_errors(points[:, _EXTREMITY_NUMBERS] - offsets, extremities)),
        distance_error=_mean(np.abs(share)),
        distance_bias=_mean(share),
        acceleration=_mean(alignment.accelerations(relative, rate)),
        truth_acceleration=truth_acceleration,
    )


def mean_score(scores: Mapping[str, Score]) -> dict[str, float]:
    """Mean over cameras of everything a score holds."""
    names = Score.__dataclass_fields__
    return {name: float(np.mean([getattr(one, name) for one in scores.values()])) for name in names}


def _agreeing_sides(
    views: Sequence[View], rays: FloatArray, visibility: FloatArray
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Rays and visibility with left and right exchanged in frames where a camera contradicts the others."""
    rays, visibility = rays.copy(), visibility.copy()
    exchanged = np.zeros((*rays.shape[:2], 2), bool)
    partner = mirrored_landmarks()
    for _ in range(_SIDES_ROUNDS):
        before = exchanged.copy()
        for camera in range(len(views)):
            for half, (limbs, points) in enumerate(_HALVES):
                wrong = _contradicts(views, rays[:, :, limbs], visibility[:, :, limbs], camera)
                order = np.arange(len(partner))
                order[points] = partner[points]
                rays[camera, wrong] = rays[camera, wrong][:, order]
                visibility[camera, wrong] = visibility[camera, wrong][:, order]
                exchanged[camera, wrong, half] ^= True
        if (before == exchanged).all():
            break
    return rays, visibility, exchanged


def _contradicts(views: Sequence[View], rays: FloatArray, visibility: FloatArray, camera: int) -> NDArray[np.bool_]:
    """`(T,)` whether a camera's limbs (left and right in turn) fit the other cameras better with sides exchanged."""
    weights = _without(np.clip(visibility, _LEAST_WEIGHT, 1), camera)
    points = triangulate(views, rays, weights)
    flipped = np.arange(rays.shape[2]).reshape(-1, 2)[:, ::-1].ravel()

    def misfit(ray: FloatArray) -> FloatArray:
        errors = np.linalg.norm(reprojection_errors([views[camera]], ray[None], points)[0], axis=-1)
        return np.asarray(np.minimum(errors, _SIDES_LIMIT).mean(axis=-1))

    return np.asarray(misfit(rays[camera][:, flipped]) < misfit(rays[camera]) - _SIDES_GAIN)


def _without(weights: FloatArray, camera: int) -> FloatArray:
    return np.asarray(weights * (np.arange(len(weights)) != camera)[:, None, None])


def _smoothed(points: FloatArray, rate: float) -> FloatArray:
    """Points `(T, ...)` through a Butterworth low-pass, forth and back."""
    return np.asarray(sosfiltfilt(butter(2, _CUTOFF_HZ, fs=rate, output="sos"), points, axis=0))


def _bone_lengths(world: FloatArray) -> dict[str, tuple[float, float]]:
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
    return nearest if nearest is not None and distance(nearest) < _SAME_PERSON else None


def _mean(values: FloatArray) -> float:
    """Mean of what is known."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


# Limb joints in pairs of left and right, and all landmarks, above and below the waist.
_LEGS = ("hip", "knee", "ankle", "heel", "foot")
_IS_LEG = np.array([name.split("_")[1] in _LEGS if "_" in name else False for name in BODY_POINTS])
_HALVES = (
    ([k for k in _LIMB_LANDMARKS if not _IS_LEG[k]], np.flatnonzero(~_IS_LEG)),
    ([k for k in _LIMB_LANDMARKS if _IS_LEG[k]], np.flatnonzero(_IS_LEG)),
)
