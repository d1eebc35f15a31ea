"""Joint frames as one TFMessage per image: `smplx_<id>/<joint>` along SMPL-X's tree, the root below the camera."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from geometry_msgs.msg import TransformStamped
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from ..body import BodyModel
from ..body.skeleton import JOINT_NAMES, PARENTS
from ..body.tree import parent_from_joint
from ..geometry.rotations import quaternion_from_matrix
from ..types import Person, SmplxParams


def joint_frame(person_id: str, joint: int) -> str:
    """Name of a joint's frame."""
    return f"smplx_{person_id}/{JOINT_NAMES[joint]}"


class TransformWriter:
    """Makes the TFMessage of each frame; its transforms are used again for the next, since making them costs most."""

    def __init__(self, body: BodyModel) -> None:
        self._body = body
        self._pool: list[TransformStamped] = []

    def update(self, people: Sequence[Person], header: Header) -> TFMessage:
        """55 transforms a person with the image's stamp; `header.frame_id` is the camera's optical frame.

        Joint positions are the persons' own, so that TF and PersonArray say the same. The message is valid until
        the next call.
        """
        if not people:
            return TFMessage()
        rotations, _ = self._body.transforms(SmplxParams.stack([person.params for person in people]))
        positions = np.stack([person.joints for person in people])
        local_rotations, translations = parent_from_joint(rotations, positions)
        quaternions = quaternion_from_matrix(local_rotations).reshape(-1, 4).tolist()
        frames = [frame for person in people for frame in _frames(person.id, header.frame_id)]
        while len(self._pool) < len(frames):
            self._pool.append(TransformStamped())
        used = self._pool[: len(frames)]
        for message, frame, xyz, xyzw in zip(
            used, frames, translations.reshape(-1, 3).tolist(), quaternions, strict=True
        ):
            message.header.stamp = header.stamp
            message.header.frame_id, message.child_frame_id = frame
            translation, rotation = message.transform.translation, message.transform.rotation
            translation.x, translation.y, translation.z = xyz
            rotation.x, rotation.y, rotation.z, rotation.w = xyzw
        return TFMessage(transforms=used)


def _frames(person_id: str, camera_frame: str) -> list[tuple[str, str]]:
    """Parent and child of each joint's transform; tf2 has no leading slashes."""
    names = [joint_frame(person_id, joint) for joint in range(len(JOINT_NAMES))]
    parents = [camera_frame.lstrip("/") if parent < 0 else names[parent] for parent in PARENTS]
    return list(zip(parents, names, strict=True))
