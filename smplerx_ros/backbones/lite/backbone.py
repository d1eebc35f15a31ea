"""The `lite` backbone: it estimates landmarks and fits a body to them, with state for each person."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import exp, inf

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.model import BodyModel
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.rotations import rotvec_from_matrix
from smplerx_ros.types import BodyEstimate, Estimated, Observation, SmplxParams

from .confidence import joint_confidence
from .face import FacePose, face_pose
from .fingers import SIDES, FingerSolver
from .fit import BodyFitter, Track
from .landmark_estimator import LandmarkEstimator
from .landmarks import LandmarkQuery, PersonLandmarks
from .refinement import Pose
from .sides import MAX_ELAPSED, detect_swaps, swapped_sides, update_held
from .targets import Measurements, body_pixels, measure

_MAX_GAP = 0.5  # seconds, after which the last pose does not predict the next one any more; the shape is kept
_FRAME_SECONDS = 1 / 30  # assumed if stamps do not increase (images without time)
_MIN_RAYS = 8  # of a person: a head without its face has 7, which do not determine a distance
_HAND_RELAXATION = 0.5  # seconds: time constant with which an unseen hand relaxes
_WRISTS = np.array([JOINT_INDEX[f"{side}_wrist"] for side in SIDES])
_HAND_POSES = (Estimated.LEFT_HAND_POSE, Estimated.RIGHT_HAND_POSE)
_BODY_PARTS = Estimated.GLOBAL_ORIENT | Estimated.BODY_POSE | Estimated.BETAS | Estimated.TRANSL


@dataclass(frozen=True, eq=False)
class _Memory:
    """State of a person after the last frame that showed them."""

    stamp_ns: int
    landmarks: PersonLandmarks
    camera: Camera
    track: Track | None  # None: from another camera
    hands: FloatArray  # (2, 45) left and right, relative to the mean hand
    held: tuple[float, float]  # seconds for which sides have been swapped, above and below the waist


class LiteBackbone:
    """Estimates people from the embedded landmark models.

    Args:
        body: The body model; betas and expressions are its own, so those of the stand-in are not SMPL-X's.
        landmarks: The landmark models.
        person_height: Height of the people in metres, which determines the scale; None for an average adult.
    """

    name = "lite"
    confirms_people = True

    def __init__(self, body: BodyModel, landmarks: LandmarkEstimator, person_height: float | None = None) -> None:
        self._body = body
        self._landmarks = landmarks
        self._fitter = BodyFitter(body, person_height)
        self._fingers = FingerSolver(body)
        self._memory: dict[str, _Memory] = {}

    @property
    def runtime(self) -> str:
        """Execution provider of the networks."""
        return self._landmarks.provider

    def forget(self, ids: Collection[str]) -> None:
        """Discard the state of people whose tracks have ended."""
        for person in ids:
            self._memory.pop(person, None)

    def reset(self) -> None:
        """Discard the state of all people."""
        self._memory.clear()

    def estimate(self, observations: Sequence[Observation]) -> list[BodyEstimate | None]:
        """Estimate the bodies of all observations, whose frames have a camera.

        Returns:
            One estimate per observation, in order; None if no body was found, or too little of it is visible.
        """
        memories = [self._recall(o) for o in observations]
        queries = [
            LandmarkQuery(o.frame.image, o.box, m.landmarks if m is not None and _recent(m, o) else None)
            for o, m in zip(observations, memories, strict=True)
        ]
        landmarks = self._landmarks.estimate(queries)
        found = [(i, person) for i, person in enumerate(landmarks) if person is not None]
        estimates: list[BodyEstimate | None] = [None] * len(observations)
        if found:
            indices, people = zip(*found, strict=True)
            fitted = self._fitted([observations[i] for i in indices], [memories[i] for i in indices], people)
            for i, estimate in zip(indices, fitted, strict=True):
                estimates[i] = estimate
        return estimates

    def _recall(self, observation: Observation) -> _Memory | None:
        """State of this person, unless it is from the future; without metric quantities if from another camera."""
        memory = self._memory.get(observation.id)
        if memory is None or memory.stamp_ns > observation.frame.stamp_ns:
            return None
        return memory if memory.camera.sees_like(_camera(observation)) else replace(memory, track=None)

    def _fitted(
        self,
        observations: Sequence[Observation],
        memories: Sequence[_Memory | None],
        landmarks: Sequence[PersonLandmarks],
    ) -> list[BodyEstimate | None]:
        seconds = [_seconds_since(memory, o) for memory, o in zip(memories, observations, strict=True)]
        landmarks, held, wrong = self._with_consistent_sides(observations, memories, landmarks, seconds)
        measured = [measure(person, _camera(o)) for person, o in zip(landmarks, observations, strict=True)]
        tracks = [None if m is None else m.track for m in memories]
        trusted = [
            inf if mistaken or elapsed > _MAX_GAP else elapsed for mistaken, elapsed in zip(wrong, seconds, strict=True)
        ]
        poses = self._fitter.fit(measured, tracks, trusted)
        wrists = self._fitter.refiner.orientations(poses)[:, _WRISTS]
        hands = self._hands(landmarks, measured, wrists, memories, seconds)
        estimates: list[BodyEstimate | None] = []
        for i, (observation, person) in enumerate(zip(observations, landmarks, strict=True)):
            if np.count_nonzero(measured[i].ray_weights) < _MIN_RAYS:  # the position is undetermined
                estimates.append(None)
                continue
            track = tracks[i]
            kept = Track.start(poses[i]) if track is None else track.followed_by(poses[i], trusted[i])
            stamp_ns, camera = observation.frame.stamp_ns, _camera(observation)
            self._memory[observation.id] = _Memory(stamp_ns, person, camera, kept, hands[i], held[i])
            estimates.append(self._estimate(person, poses[i], hands[i]))
        return estimates

    def _with_consistent_sides(
        self,
        observations: Sequence[Observation],
        memories: Sequence[_Memory | None],
        landmarks: Sequence[PersonLandmarks],
        seconds: Sequence[float],
    ) -> tuple[list[PersonLandmarks], list[tuple[float, float]], list[bool]]:
        """Swap left and right where the network exchanged them, according to the previous frames.

        Returns:
            The landmarks; for how long they have been swapped, above and below the waist, in seconds; and whether that
            was too long, so that the previous frames were wrong.
        """
        kept, held, wrong = [], [], []
        for observation, memory, person, elapsed in zip(observations, memories, landmarks, seconds, strict=True):
            times, mistaken = (0.0, 0.0), False
            if memory is not None and memory.track is not None and elapsed <= MAX_ELAPSED:
                expected = self._fitter.refiner.points(memory.track.expected(elapsed))[0]
                found = detect_swaps(person, body_pixels(expected, _camera(observation)))
                times, mistaken = update_held(memory.held, found, elapsed)
            kept.append(swapped_sides(person, times[0] > 0, times[1] > 0))
            held.append(times)
            wrong.append(mistaken)
        return kept, held, wrong

    def _hands(
        self,
        people: Sequence[PersonLandmarks],
        measured: Sequence[Measurements],
        wrists: FloatArray,
        memories: Sequence[_Memory | None],
        seconds: Sequence[float],
    ) -> list[FloatArray]:
        """Hand poses `(2, 45)` of each person relative to the mean hand; unseen hands relax.

        `wrists (N, 2, 3, 3)` are rotations optical_from_wrist.
        """
        poses = [
            np.zeros((len(SIDES), 45)) if memory is None else memory.hands * exp(-elapsed / _HAND_RELAXATION)
            for memory, elapsed in zip(memories, seconds, strict=True)
        ]
        hands = [
            (i, side, hand.world @ measured[i].optical_from_ray.T)
            for i, person in enumerate(people)
            for side, hand in enumerate((person.left_hand, person.right_hand))
            if hand is not None
        ]
        if hands:
            owners, sides, points = (np.array(values) for values in zip(*hands, strict=True))
            fingers = self._fingers.solve(sides, wrists[owners, sides], points).reshape(-1, 45)
            for i, side, pose in zip(owners, sides, fingers - self._body.hands_mean[sides], strict=True):
                poses[i][side] = pose
        return poses

    def _estimate(self, person: PersonLandmarks, pose: Pose, hands: FloatArray) -> BodyEstimate:
        estimated = _BODY_PARTS
        for hand, flag in zip((person.left_hand, person.right_hand), _HAND_POSES, strict=True):
            if hand is not None:
                estimated |= flag
        face, face_landmarks = _NO_FACE, None
        if person.face is not None:
            face_landmarks = person.face.points[:, :2]
            face = face_pose(person.face.blendshapes, self._body.expression_names)
            estimated |= Estimated.JAW_POSE | Estimated.LEYE_POSE | Estimated.REYE_POSE
            estimated |= Estimated.NONE if face.expression is None else Estimated.EXPRESSION
        rotvecs = rotvec_from_matrix(pose.rotations[0])
        params = SmplxParams(
            global_orient=rotvecs[0],
            body_pose=rotvecs[1:].reshape(-1),
            left_hand_pose=hands[0],
            right_hand_pose=hands[1],
            jaw_pose=face.jaw_pose,
            leye_pose=face.leye_pose,
            reye_pose=face.reye_pose,
            betas=pose.betas[0],
            expression=np.zeros(10) if face.expression is None else face.expression,
            transl=pose.transl[0],
            estimated=estimated,
        )
        return BodyEstimate(person.body.score, params, joint_confidence(person), face_landmarks)


_NO_FACE = FacePose(np.zeros(3), np.full(3, np.nan), np.full(3, np.nan), None)


def _camera(observation: Observation) -> Camera:
    camera = observation.frame.camera
    if camera is None:
        raise ValueError("Observation.frame has no camera: the estimator supplies an assumed one")
    return camera


def _recent(memory: _Memory, observation: Observation) -> bool:
    return observation.frame.stamp_ns - memory.stamp_ns <= _MAX_GAP * 1e9


def _seconds_since(memory: _Memory | None, observation: Observation) -> float:
    elapsed = 0 if memory is None else observation.frame.stamp_ns - memory.stamp_ns
    return elapsed * 1e-9 if elapsed > 0 else _FRAME_SECONDS
