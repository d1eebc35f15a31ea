"""People to TF: joints as `smplx_<slot>/<joint>` along SMPL-X's kinematic tree, and the frames of REP-155.

There is one TFMessage per image. The root of all frames is the camera's optical frame, which gets no parent here.
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
    """`N` transforms: (parent, child) frames, translations `(N, 3)` in metres, quaternions `(N, 4)` as x, y, z, w."""

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
    """Transforms of the joints of each person.

    Args:
        people: `P` people; positions are taken from them, so that TF and PersonArray agree.
        prefixes: Prefix of the frame names of each person (`smplx_0/`), followed by the joint's name.
        optical_from_joint: Rotations `(P, 55, 3, 3)`.
        camera_frame: Optical frame, the parent of joints without a chosen ancestor.
        chosen: Indices of the joints to include.
    """
    positions = np.stack([person.joints for person in people])
    indices, parents = _tree(chosen)
    rotations, translations = parent_from_joint(optical_from_joint, positions, parents)
    quaternions = quaternion_from_matrix(rotations[:, indices])
    frames = [names for prefix in prefixes for names in _joint_frames(prefix, camera_frame, chosen)]
    return Transforms(frames, translations[:, indices].reshape(-1, 3), quaternions.reshape(-1, 4))


def rep155_transforms(bodies: Bodies, camera_frame: str, *, links: bool) -> Transforms:
    """`body_<id>` of each person, `face_<id>` and `gaze_<id>` of visible faces, with `links` the kinematic model."""
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
        positions, rotated = link_transforms(bodies.descriptions, bodies.angles.values)
        translations.append(positions.reshape(-1, 3))
        quaternions = np.concatenate([quaternions, rotated.reshape(-1, 4)])
    return Transforms(frames, np.concatenate(translations), quaternions)


class TransformWriter:
    """Serializes TFMessages without Python message objects, which take many times as long.

    The bytes are reused from image to image; while the frame names stay the same, only numbers and stamps are replaced.
    """

    def __init__(self) -> None:
        self._names: list[tuple[str, str]] | None = None  # (parent, child) of each transform in `_bytes`
        self._bytes = bytearray()
        self._stamps: NDArray[np.intp] = np.zeros((0, 2), np.intp)
        self._numbers: NDArray[np.intp] = np.zeros((0, 7), np.intp)

    def serialized(self, parts: Sequence[Transforms], stamp: Time) -> bytes:
        """The serialized TFMessage of all parts, stamped with `stamp`."""
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
    """A TFMessage with zeros, and the indices of its stamps `(N, 2)`, as uint32, and numbers `(N, 7)`, as float64."""
    writer = CdrWriter()
    writer.numbers("I", len(frames))
    stamps, numbers = [], []
    for names in frames:
        stamps.append(writer.align(4))
        writer.skip(8)
        for name in names:
            writer.string(name)
        numbers.append(writer.align(8))
        writer.skip(56)
    indices = (np.add.outer(np.array(starts, np.intp), np.arange(n)) for starts, n in ((stamps, 2), (numbers, 7)))
    return bytearray(writer.message()), *indices


@lru_cache(maxsize=64)
def _joint_frames(prefix: str, camera_frame: str, chosen: frozenset[int]) -> tuple[tuple[str, str], ...]:
    """(parent, child) of a person's chosen joints."""
    names = [prefix + joint for joint in JOINT_NAMES]
    indices, parents = _tree(chosen)
    return tuple((camera_frame if parents[j] < 0 else names[parents[j]], names[j]) for j in indices)


@lru_cache(maxsize=64)
def _link_frames(person_id: str) -> tuple[tuple[str, str], ...]:
    """(parent, child) of the links of a person's kinematic model (REP-155)."""
    return tuple((f"{joint.parent}_{person_id}", f"{joint.child}_{person_id}") for joint in JOINTS)


@lru_cache(maxsize=8)
def _tree(chosen: frozenset[int]) -> tuple[list[int], list[int]]:
    """The chosen joints in tree order, and the nearest chosen ancestor of each joint (-1: none)."""
    parents = list(PARENTS) if chosen == _ALL else parents_among(chosen)
    return sorted(chosen), parents
