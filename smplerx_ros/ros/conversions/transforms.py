"""One TFMessage per image: joints as `smplx_<slot>/<joint>` along SMPL-X's tree, and REP-155's frames.

Everything hangs below the camera's frame, which others own; no frame of theirs gets a parent here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.skeleton import JOINT_INDEX, JOINT_NAMES, LEFT_HAND, PARENTS, RIGHT_HAND
from smplerx_ros.body.tree import parent_from_joint, parents_among
from smplerx_ros.geometry.rotations import quaternion_from_matrix
from smplerx_ros.rep155.description import JOINTS, link_transforms
from smplerx_ros.rep155.faces import face_id
from smplerx_ros.rep155.people import Bodies
from smplerx_ros.types import Person

from .cdr import ENCAPSULATION, CdrWriter

_HANDS = frozenset((*range(55)[LEFT_HAND], *range(55)[RIGHT_HAND]))
_FACE = frozenset(JOINT_INDEX[name] for name in ("jaw", "left_eye", "right_eye"))
_ALL = frozenset(range(len(JOINT_NAMES)))


@dataclass(frozen=True, eq=False)
class Transforms:
    """`N` transforms: parent and child frames, `translations (N, 3)` metres, `quaternions (N, 4)` x, y, z, w."""

    frames: list[tuple[str, str]]
    translations: FloatArray
    quaternions: FloatArray


@lru_cache(maxsize=8)
def joints_of(*, body: bool, hands: bool, face: bool) -> frozenset[int]:
    """The SMPL-X joints of these groups: body 22, hands 30, face (jaw and eyes) 3."""
    groups = ((body, _ALL - _HANDS - _FACE), (hands, _HANDS), (face, _FACE))
    return frozenset().union(*(group for wanted, group in groups if wanted))


def joint_transforms(
    people: Sequence[Person],
    prefixes: Sequence[str],
    optical_from_joint: FloatArray,
    camera_frame: str,
    chosen: frozenset[int] = _ALL,
) -> Transforms:
    """The `chosen` joints of each person, with rotations `(P, 55, 3, 3)`; the topmost of them hang below the camera.

    Frames are called `prefix + joint`, with the person's one of `prefixes` (`smplx_0/`).
    Positions are the persons' own, so that TF and PersonArray say the same.
    """
    positions = np.stack([person.joints for person in people])
    indices, parents = _tree(chosen)
    rotations, translations = parent_from_joint(optical_from_joint, positions, parents)
    quaternions = quaternion_from_matrix(rotations[:, indices])
    frames = [names for prefix in prefixes for names in _joint_frames(prefix, camera_frame, chosen)]
    return Transforms(frames, translations[:, indices].reshape(-1, 3), quaternions.reshape(-1, 4))


def rep155_transforms(bodies: Bodies, camera_frame: str, *, links: bool) -> Transforms:
    """`body_<id>` of each person, with `links` those of the kinematic model; `face_<id>`, `gaze_<id>` of seen faces."""
    faces = [i for i, box in enumerate(bodies.face_boxes) if box is not None]
    frames = [(camera_frame, f"body_{person.id}") for person in bodies.people]
    names = [face_id(bodies.people[i].id) for i in faces]
    frames += [(camera_frame, f"face_{name}") for name in names]
    frames += [(f"face_{name}", f"gaze_{name}") for name in names]
    rotations = [bodies.body_rotations, bodies.face_rotations[faces], bodies.gaze_rotations[faces]]
    translations = [bodies.body_origins, bodies.face_origins[faces], np.zeros((len(faces), 3))]
    quaternions = quaternion_from_matrix(np.concatenate(rotations))
    if links:
        frames += [names for person in bodies.people for names in _link_frames(person.id)]
        places, turns = link_transforms(bodies.descriptions, bodies.angles.values)
        translations.append(places.reshape(-1, 3))
        quaternions = np.concatenate([quaternions, turns.reshape(-1, 4)])
    return Transforms(frames, np.concatenate(translations), quaternions)


class TransformWriter:
    """Writes the TFMessage of each frame as it travels: made of Python objects it takes several times as long.

    The bytes are kept from frame to frame, and only numbers and stamp change while the names stay.
    """

    def __init__(self) -> None:
        self._names: list[tuple[str, str]] | None = None  # parent and child of each transform in the bytes
        self._bytes = bytearray()
        self._stamps: NDArray[np.intp] = np.zeros((0, 2), np.intp)
        self._numbers: NDArray[np.intp] = np.zeros((0, 7), np.intp)

    def serialized(self, parts: Sequence[Transforms], stamp: Time) -> bytes:
        """All parts with the image's stamp, as `rclpy.serialization` would write their TFMessage."""
        names = [frames for part in parts for frames in part.frames]
        if names != self._names:
            self._bytes, self._stamps, self._numbers = _laid_out(names)
            self._names = names
        body = np.frombuffer(self._bytes, np.uint8, offset=len(ENCAPSULATION))
        body[: len(body) // 4 * 4].view("<u4")[self._stamps] = stamp.sec % 2**32, stamp.nanosec
        numbers = body[: len(body) // 8 * 8].view("<f8")
        for part, where in zip(parts, np.split(self._numbers, np.cumsum([len(p.frames) for p in parts])), strict=False):
            numbers[where[:, :3]], numbers[where[:, 3:]] = part.translations, part.quaternions
        return bytes(self._bytes)


def _laid_out(frames: Sequence[tuple[str, str]]) -> tuple[bytearray, NDArray[np.intp], NDArray[np.intp]]:
    """The bytes of a TFMessage, where its stamps lie `(N, 2)` in 4 bytes, and its numbers `(N, 7)` in 8 bytes."""
    writer = CdrWriter()
    writer.numbers("I", len(frames))
    stamps, numbers = [], []
    for names in frames:
        stamps.append(writer.align(4))
        writer.skip(8)
        for name in names:
            writer.text(name)
        numbers.append(writer.align(8))
        writer.skip(56)
    places = (np.add.outer(np.array(starts, np.intp), np.arange(n)) for starts, n in ((stamps, 2), (numbers, 7)))
    return bytearray(writer.message()), *places


@lru_cache(maxsize=64)
def _joint_frames(prefix: str, camera_frame: str, chosen: frozenset[int]) -> tuple[tuple[str, str], ...]:
    """Parent and child of a person's chosen joints."""
    names = [prefix + joint for joint in JOINT_NAMES]
    indices, parents = _tree(chosen)
    return tuple((camera_frame if parents[j] < 0 else names[parents[j]], names[j]) for j in indices)


@lru_cache(maxsize=64)
def _link_frames(person_id: str) -> tuple[tuple[str, str], ...]:
    """Parent and child of a person's links of REP-155's kinematic model."""
    return tuple((f"{joint.parent}_{person_id}", f"{joint.child}_{person_id}") for joint in JOINTS)


@lru_cache(maxsize=8)
def _tree(chosen: frozenset[int]) -> tuple[list[int], list[int]]:
    """The chosen joints in the order of the tree, and each joint's nearest chosen ancestor."""
    parents = list(PARENTS) if chosen == _ALL else parents_among(chosen)
    return sorted(chosen), parents
