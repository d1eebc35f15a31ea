"""People in terms of REP-155: body frames, joint angles and faces, with each person's dimensions kept over time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body import BodyModel
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.types import Estimated, Person

from .axes import body_frames, face_frames, gaze_rotations
from .decomposition import Angles, joint_angles
from .description import MOVING, BodyDescription
from .faces import face_box

# Smaller changes of dimensions cause no new URDF: wrists and ankles stay exact with the old one, since the angles are
# solved to reach them.
_MIN_CHANGE = 0.005  # metres


@dataclass(frozen=True, eq=False)
class Bodies:
    """`P` people; rotations `(P, 3, 3)` and origins `(P, 3)` in the optical frame, metres."""

    people: tuple[Person, ...]
    descriptions: tuple[BodyDescription, ...]
    remeasured: tuple[bool, ...]  # whether the description is new
    angles: Angles
    body_rotations: FloatArray
    body_origins: FloatArray
    face_rotations: FloatArray
    face_origins: FloatArray
    gaze_rotations: FloatArray  # face_from_gaze
    face_boxes: tuple[Box | None, ...]  # in the image; None: not visible


@dataclass(frozen=True, eq=False)
class _Memory:
    description: BodyDescription
    angles: FloatArray  # (20,)


@dataclass(frozen=True)
class AngleCounts:
    """How well the kinematic model reproduces the poses, over all people so far."""

    angles: int = 0  # computed
    limited: int = 0  # of them clamped to their limits
    largest_residual: float = 0.0  # metres, of wrists and ankles in the last frame

    def plus(self, angles: Angles) -> AngleCounts:
        """The counts with one more frame."""
        return AngleCounts(
            self.angles + angles.values.size,
            self.limited + int(angles.clamped.sum()),
            float(angles.residuals.max(initial=0.0)),
        )


class BodyTracker:
    """Keeps descriptions and angles from frame to frame, so that URDFs stay valid and angles are continuous."""

    def __init__(self, body: BodyModel) -> None:
        self._body = body
        self._memory: dict[str, _Memory] = {}
        self.counts = AngleCounts()

    def update(self, people: Sequence[Person], optical_from_joint: FloatArray, camera: Camera) -> Bodies:
        """The bodies of at least one person seen by `camera`; `optical_from_joint`: rotations `(P, 55, 3, 3)`."""
        joints = np.stack([person.joints for person in people]).astype(np.float64)
        described = BodyDescription.from_rest(self._rest(people))
        measured = [self._described(person, new) for person, new in zip(people, described, strict=True)]
        descriptions = tuple(description for description, _ in measured)
        known = [self._memory.get(person.id) for person in people]
        before = np.array([memory.angles if memory else np.zeros(len(MOVING)) for memory in known])
        angles = joint_angles(descriptions, optical_from_joint, joints, before)
        self.counts = self.counts.plus(angles)
        for person, description, values in zip(people, descriptions, angles.values, strict=True):
            self._memory[person.id] = _Memory(description, values)
        both_eyes = Estimated.LEYE_POSE | Estimated.REYE_POSE
        eyes = np.array([person.params.estimated & both_eyes == both_eyes for person in people])
        faces = face_frames(optical_from_joint, joints)
        return Bodies(
            tuple(people),
            descriptions,
            tuple(new for _, new in measured),
            angles,
            *body_frames(optical_from_joint, joints),
            *faces,
            gaze_rotations(optical_from_joint, eyes),
            tuple(face_box(*face, camera) for face in zip(people, *faces, strict=True)),
        )

    def forget(self, ids: Collection[str]) -> None:
        """Forget people who have left."""
        for identity in ids:
            self._memory.pop(identity, None)

    def _rest(self, people: Sequence[Person]) -> FloatArray:
        betas, expressions = (np.stack([getattr(p.params, name) for p in people]) for name in ("betas", "expression"))
        return self._body.rest_joints(betas, expressions)

    def _described(self, person: Person, description: BodyDescription) -> tuple[BodyDescription, bool]:
        known = self._memory.get(person.id)
        if known is not None and not description.differs(known.description, _MIN_CHANGE):
            return known.description, False
        return description, True
