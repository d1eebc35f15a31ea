"""Joint frames as one TFMessage per image: `smplx_<id>/<joint>` along SMPL-X's tree, the root below the camera."""

from __future__ import annotations

from collections.abc import Sequence

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


def transforms_message(people: Sequence[Person], body: BodyModel, header: Header) -> TFMessage:
    """55 transforms a person with the image's stamp; `header.frame_id` is the camera's optical frame.

    Joint positions are the persons' own, so that TF and PersonArray say the same.
    """
    message = TFMessage()
    if not people:
        return message
    optical_from_joint, _ = body.transforms(SmplxParams.stack([person.params for person in people]))
    camera_frame = header.frame_id.lstrip("/")  # tf2 has no leading slashes
    for person, rotations in zip(people, optical_from_joint, strict=True):
        local_rotations, translations = parent_from_joint(rotations, person.joints)
        quaternions = quaternion_from_matrix(local_rotations)
        names = [joint_frame(person.id, joint) for joint in range(len(JOINT_NAMES))]
        for joint, (xyz, xyzw) in enumerate(zip(translations.tolist(), quaternions.tolist(), strict=True)):
            parent = camera_frame if PARENTS[joint] < 0 else names[PARENTS[joint]]
            message.transforms.append(_transform(header, parent, names[joint], xyz, xyzw))
    return message


def _transform(
    header: Header, parent: str, child: str, xyz: Sequence[float], xyzw: Sequence[float]
) -> TransformStamped:
    message = TransformStamped(child_frame_id=child)
    message.header.stamp = header.stamp
    message.header.frame_id = parent
    translation, rotation = message.transform.translation, message.transform.rotation
    translation.x, translation.y, translation.z = xyz
    rotation.x, rotation.y, rotation.z, rotation.w = xyzw
    return message
