"""One TFMessage per image: joints as `smplx_<id>/<joint>` along SMPL-X's tree, and REP-155's frames.

Everything hangs below the camera's frame, which others own; no frame of theirs gets a parent here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from numpy.typing import NDArray
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from ..body.skeleton import JOINT_INDEX, JOINT_NAMES, LEFT_HAND, PARENTS, RIGHT_HAND
from ..body.tree import parent_from_joint, parents_among
from ..geometry.rotations import quaternion_from_matrix
from ..rep155.description import JOINTS, link_transforms
from ..rep155.faces import face_id
from ..rep155.people import Bodies
from ..types import Person

FloatArray = NDArray[np.floating[Any]]

_HANDS = frozenset((*range(55)[LEFT_HAND], *range(55)[RIGHT_HAND]))
_FACE = frozenset(JOINT_INDEX[name] for name in ("jaw", "left_eye", "right_eye"))
_ALL = frozenset(range(len(JOINT_NAMES)))


@dataclass(frozen=True)
class Transforms:
    """`N` transforms: parent and child frames, `translations (N, 3)` metres, `quaternions (N, 4)` x, y, z, w."""

    frames: list[tuple[str, str]]
    translations: FloatArray
    quaternions: FloatArray


def joints_of(*, body: bool, hands: bool, face: bool) -> frozenset[int]:
    """The SMPL-X joints of these groups: body 22, hands 30, face (jaw and eyes) 3."""
    groups = ((body, _ALL - _HANDS - _FACE), (hands, _HANDS), (face, _FACE))
    return frozenset().union(*(group for wanted, group in groups if wanted))


def joint_frame(person_id: str, joint: int) -> str:
    """Name of a joint's frame."""
    return f"smplx_{person_id}/{JOINT_NAMES[joint]}"


def joint_transforms(
    people: Sequence[Person], optical_from_joint: FloatArray, camera_frame: str, chosen: frozenset[int] = _ALL
) -> Transforms:
    """The `chosen` joints of each person, with rotations `(P, 55, 3, 3)`; the topmost of them hang below the camera.

    Positions are the persons' own, so that TF and PersonArray say the same.
    """
    positions = np.stack([person.joints for person in people])
    indices, parents = _tree(chosen)
    rotations, translations = parent_from_joint(optical_from_joint, positions, parents)
    quaternions = quaternion_from_matrix(rotations[:, indices])
    frames = []
    for person in people:
        names = [joint_frame(person.id, joint) for joint in range(len(JOINT_NAMES))]
        frames += [(camera_frame if parents[j] < 0 else names[parents[j]], names[j]) for j in indices]
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
        frames += [(f"{j.parent}_{p.id}", f"{j.child}_{p.id}") for p in bodies.people for j in JOINTS]
        places, turns = link_transforms(bodies.descriptions, bodies.angles.values)
        translations.append(places.reshape(-1, 3))
        quaternions = np.concatenate([quaternions, turns.reshape(-1, 4)])
    return Transforms(frames, np.concatenate(translations), quaternions)


class TransformWriter:
    """Makes the TFMessage of each frame; its transforms are used again for the next, since making them costs most.

    They share one stamp, and their names are set only where they change.
    """

    def __init__(self) -> None:
        self._stamp = Time()
        self._pool: list[TransformStamped] = []
        self._names: list[tuple[str, str]] = []  # parent and child of each

    def message(self, parts: Sequence[Transforms], stamp: Time) -> TFMessage:
        """All parts with the image's stamp. The message is valid until the next call."""
        frames = [names for part in parts for names in part.frames]
        self._stamp.sec, self._stamp.nanosec = stamp.sec, stamp.nanosec
        self._name(frames)
        used = self._pool[: len(frames)]
        numbers = (zip(part.translations.tolist(), part.quaternions.tolist(), strict=True) for part in parts)
        for message, (xyz, xyzw) in zip(used, chain.from_iterable(numbers), strict=True):
            translation, rotation = message.transform.translation, message.transform.rotation
            translation.x, translation.y, translation.z = xyz
            rotation.x, rotation.y, rotation.z, rotation.w = xyzw
        return TFMessage(transforms=used)

    def _name(self, frames: list[tuple[str, str]]) -> None:
        while len(self._pool) < len(frames):
            self._pool.append(TransformStamped(header=Header(stamp=self._stamp)))
            self._names.append(("", ""))
        for i, names in enumerate(frames):
            if self._names[i] != names:
                self._names[i] = names
                self._pool[i].header.frame_id, self._pool[i].child_frame_id = names


@lru_cache(maxsize=8)
def _tree(chosen: frozenset[int]) -> tuple[list[int], list[int]]:
    """The chosen joints in the order of the tree, and each joint's nearest chosen ancestor."""
    parents = list(PARENTS) if chosen == _ALL else parents_among(chosen)
    return sorted(chosen), parents
