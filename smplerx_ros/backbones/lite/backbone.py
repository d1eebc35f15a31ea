"""The `lite` backbone: landmarks, then the body that fits them. It remembers each person from frame to frame."""

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
from .sides import MAX_ELAPSED, exchanged, exchanges, held_on
from .targets import Sightings, body_pixels, sightings

_LONGEST_GAP = 0.5  # s; after that the last pose says nothing of the next, but the shape stays
_FRAME_SECONDS = 1 / 30  # where stamps do not tell (images without time)
_FEWEST_RAYS = 8  # that the lens sees of a person: a head without its face, which has 7, tells no distance
_HAND_MEMORY = 0.5  # s; a hand that is not seen relaxes this fast
_WRISTS = np.array([JOINT_INDEX[f"{side}_wrist"] for side in SIDES])
_HAND_POSES = (Estimated.LEFT_HAND_POSE, Estimated.RIGHT_HAND_POSE)
_BODY_PARTS = Estimated.GLOBAL_ORIENT | Estimated.BODY_POSE | Estimated.BETAS | Estimated.TRANSL


@dataclass(frozen=True, eq=False)
class _Memory:
    """One person in the last frame that showed them."""

    stamp_ns: int
    landmarks: PersonLandmarks
    camera: Camera
    track: Track | None  # None: through another camera
    hands: FloatArray  # (2, 45) left and right, relative to the mean hand
    held: tuple[float, float]  # seconds for which sides were exchanged, above and below the waist


class LiteBackbone:
    """Estimates people from the embedded landmark models.

    `person_height` in metres fixes the scale; None assumes an average adult. Betas and expressions are those of `body`:
    with the embedded stand-in they are not SMPL-X's.
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
        """Drop what is remembered of people who have left."""
        for person in ids:
            self._memory.pop(person, None)

    def reset(self) -> None:
        """Forget everybody."""
        self._memory.clear()

    def estimate(self, observations: Sequence[Observation]) -> list[BodyEstimate | None]:
        """One answer per observation, in their order; None where no body was found, or the lens sees too little of it.

        Frames need a camera.
        """
        memories = [self._known(o) for o in observations]
        queries = [
            LandmarkQuery(o.frame.image, o.box, m.landmarks if m is not None and _recent(m, o) else None)
            for o, m in zip(observations, memories, strict=True)
        ]
        landmarks = self._landmarks.estimate(queries)
        found = [(i, person) for i, person in enumerate(landmarks) if person is not None]
        answers: list[BodyEstimate | None] = [None] * len(observations)
        if found:
            indices, people = zip(*found, strict=True)
            fitted = self._fitted([observations[i] for i in indices], [memories[i] for i in indices], people)
            for i, estimate in zip(indices, fitted, strict=True):
                answers[i] = estimate
        return answers

    def _known(self, observation: Observation) -> _Memory | None:
        """What is remembered of this person, unless from the future; nothing metric of what another camera showed."""
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
        landmarks, held, wrong = self._with_sides_kept(observations, memories, landmarks, seconds)
        seen = [sightings(person, _camera(o)) for person, o in zip(landmarks, observations, strict=True)]
        tracks = [None if m is None else m.track for m in memories]
        trusted = [
            inf if mistaken or elapsed > _LONGEST_GAP else elapsed
            for mistaken, elapsed in zip(wrong, seconds, strict=True)
        ]
        poses = self._fitter.fit(seen, tracks, trusted)
        wrists = self._fitter.refiner.orientations(poses)[:, _WRISTS]
        hands = self._hands(landmarks, seen, wrists, memories, seconds)
        estimates: list[BodyEstimate | None] = []
        for i, (observation, person) in enumerate(zip(observations, landmarks, strict=True)):
            if np.count_nonzero(seen[i].ray_weights) < _FEWEST_RAYS:  # their place hangs on nothing
                estimates.append(None)
                continue
            track = tracks[i]
            kept = Track.start(poses[i]) if track is None else track.followed_by(poses[i], trusted[i])
            stamp_ns, camera = observation.frame.stamp_ns, _camera(observation)
            self._memory[observation.id] = _Memory(stamp_ns, person, camera, kept, hands[i], held[i])
            estimates.append(self._estimate(person, poses[i], hands[i]))
        return estimates

    def _with_sides_kept(
        self,
        observations: Sequence[Observation],
        memories: Sequence[_Memory | None],
        landmarks: Sequence[PersonLandmarks],
        seconds: Sequence[float],
    ) -> tuple[list[PersonLandmarks], list[tuple[float, float]], list[bool]]:
        """Landmarks with left and right as the frames before had them.

        And for how long that was held, and whether for too long: then those frames had them wrong.
        """
        kept, held, wrong = [], [], []
        for observation, memory, person, elapsed in zip(observations, memories, landmarks, seconds, strict=True):
            times, mistaken = (0.0, 0.0), False
            if memory is not None and memory.track is not None and elapsed <= MAX_ELAPSED:
                expected = self._fitter.refiner.places(memory.track.expected(elapsed))[0]
                found = exchanges(person, body_pixels(expected, _camera(observation)))
                times, mistaken = held_on(memory.held, found, elapsed)
            kept.append(exchanged(person, times[0] > 0, times[1] > 0))
            held.append(times)
            wrong.append(mistaken)
        return kept, held, wrong

    def _hands(
        self,
        people: Sequence[PersonLandmarks],
        seen: Sequence[Sightings],
        wrists: FloatArray,
        memories: Sequence[_Memory | None],
        seconds: Sequence[float],
    ) -> list[FloatArray]:
        """Of each person hand poses `(2, 45)` relative to the mean hand; those not seen relax from where they were.

        `wrists (N, 2, 3, 3)` optical_from_wrist.
        """
        poses = [
            np.zeros((len(SIDES), 45)) if memory is None else memory.hands * exp(-elapsed / _HAND_MEMORY)
            for memory, elapsed in zip(memories, seconds, strict=True)
        ]
        hands = [
            (i, side, hand.world @ seen[i].optical_from_ray.T)
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
    return observation.frame.stamp_ns - memory.stamp_ns <= _LONGEST_GAP * 1e9


def _seconds_since(memory: _Memory | None, observation: Observation) -> float:
    elapsed = 0 if memory is None else observation.frame.stamp_ns - memory.stamp_ns
    return elapsed * 1e-9 if elapsed > 0 else _FRAME_SECONDS
