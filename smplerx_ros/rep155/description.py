"""REP-155's kinematic model of a person: joints, axes and limits, and the URDF for a body's dimensions.

Names, tree and axes are those of the REP's kinematic model and its reference description (ros4hri/human_description
1.0.1). With all angles at zero the body stands upright with hanging arms. Limits are the reference's, except for
shoulders and hips, which have a larger range in humans (AAOS, Joint Motion, 1965; the reference's hips cannot sit).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.skeleton import JOINT_INDEX

from .axes import JOINT_FROM_REP
from .urdf_visuals import SHAPES, cylinder, numbers, sphere

Axis = tuple[float, float, float]

_X, _Y, _Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Joint:
    """A joint of the model, which moves the link `child` relative to `parent`; names lack the person's id."""

    name: str
    parent: str
    child: str
    axis: Axis | None = None  # None: fixed
    lower: float = 0.0  # radians
    upper: float = 0.0
    at: str = ""  # SMPL-X joint whose rest position is the child's origin; "": see BodyDescription


def _negative(axis: Axis) -> Axis:
    return (-axis[0], -axis[1], -axis[2])


def _arm(side: str, name: str) -> list[Joint]:
    out, into = (_Z, _negative(_Z)) if side == "l" else (_negative(_Z), _Z)
    up = _X if side == "l" else _negative(_X)
    return [
        Joint(f"{side}_y_shoulder", "torso", f"{side}_y_shoulder", into, -1.7, 2.5, f"{name}_shoulder"),
        Joint(f"{side}_p_shoulder", f"{side}_y_shoulder", f"{side}_p_shoulder", up, -1.1, 3.9),
        # More than a full rotation, which the rolls over all directions of an upper arm need.
        Joint(f"{side}_r_shoulder", f"{side}_p_shoulder", f"{side}_shoulder", out, -4.2, 4.2),
        Joint(f"{side}_elbow", f"{side}_shoulder", f"{side}_elbow", _negative(_Y), 0.0, 2.5, f"{name}_elbow"),
        Joint(f"{side}_wrist", f"{side}_elbow", f"{side}_wrist", at=f"{name}_wrist"),
    ]


def _leg(side: str, name: str) -> list[Joint]:
    out = _X if side == "l" else _negative(_X)
    return [
        Joint(f"{side}_y_hip", "body", f"{side}_y_hip", _negative(_Z), -1.7, 1.7, f"{name}_hip"),
        Joint(f"{side}_p_hip", f"{side}_y_hip", f"{side}_p_hip", out, -1.8, 1.8),
        Joint(f"{side}_r_hip", f"{side}_p_hip", f"{side}_hip", _negative(_Y), -1.2, 2.6),
        Joint(f"{side}_knee", f"{side}_hip", f"{side}_knee", _negative(_Y), -2.5, 0.0, f"{name}_knee"),
        Joint(f"{side}_ankle", f"{side}_knee", f"{side}_ankle", at=f"{name}_ankle"),
    ]


JOINTS: tuple[Joint, ...] = (
    Joint("waist", "body", "waist", _Y, -0.2, 1.0, "spine2"),
    Joint("torso", "waist", "torso"),
    Joint("r_head", "torso", "r_head", _X, -1.0, 1.0, "head"),
    Joint("y_head", "r_head", "y_head", _Z, -1.4, 1.4),
    Joint("p_head", "y_head", "p_head", _negative(_Y), -1.5, 1.5),
    Joint("head", "p_head", "head"),
    *_arm("l", "left"),
    *_arm("r", "right"),
    *_leg("l", "left"),
    *_leg("r", "right"),
)
MOVING: tuple[Joint, ...] = tuple(joint for joint in JOINTS if joint.axis is not None)
ANGLE_INDEX: dict[str, int] = {joint.name: i for i, joint in enumerate(MOVING)}
LOWER, UPPER = (np.array([getattr(joint, side) for joint in MOVING]) for side in ("lower", "upper"))

_MOVING_ROWS = [i for i, joint in enumerate(JOINTS) if joint.axis is not None]
_AXES = np.array([joint.axis for joint in MOVING])
JOINT_ROW: dict[str, int] = {joint.name: i for i, joint in enumerate(JOINTS)}  # in BodyDescription.origins
_AT = {joint.name: JOINT_INDEX[joint.at] for joint in JOINTS if joint.at}
_HIPS = [JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]]
_SHOULDERS = [JOINT_INDEX["left_shoulder"], JOINT_INDEX["right_shoulder"]]
CHEST = [JOINT_INDEX[name] for name in ("neck", "left_collar", "right_collar")]
_ARMS = [(f"{side}_y_shoulder", f"{side}_elbow", f"{side}_wrist") for side in ("l", "r")]
_LEGS = [(f"{side}_y_hip", f"{side}_knee", f"{side}_ankle") for side in ("l", "r")]
_ARM_ROWS, _LEG_ROWS = ([JOINT_ROW[limb[0]] for limb in limbs] for limbs in (_ARMS, _LEGS))
_ARM_JOINTS, _LEG_JOINTS = ([_AT[limb[0]] for limb in limbs] for limbs in (_ARMS, _LEGS))
# Upper and lower segments of limbs: start, end, and the row of the end joint.
_BONES = [bone for limb in (*_ARMS, *_LEGS) for bone in pairwise(limb)]
_BONE_JOINTS = np.array([[_AT[near], _AT[far]] for near, far in _BONES]).T
_BONE_ROWS = [JOINT_ROW[far] for _, far in _BONES]
_EFFORT, _VELOCITY = "1000", "10"  # required by URDF; not limited here


@dataclass(frozen=True, eq=False)
class BodyDescription:
    """The dimensions of one person, metres, with all angles at zero."""

    origins: FloatArray  # (26, 3) position of each joint in its parent link
    chest: FloatArray  # (3, 3) neck and collars in the link `waist`, which move with the chest only

    @classmethod
    def from_rest(cls, rest_joints: FloatArray) -> list[BodyDescription]:
        """Descriptions of `P` people from rest joints `(P, 55, 3)`, metres, template axes (x left, y up, z front)."""
        positions = (rest_joints - rest_joints[:, _HIPS].mean(axis=1, keepdims=True)) @ JOINT_FROM_REP
        waist, torso = positions[:, _AT["waist"]], positions[:, _SHOULDERS].mean(axis=1)
        origins = np.zeros((len(positions), len(JOINTS), 3))
        origins[:, JOINT_ROW["waist"]] = waist
        origins[:, JOINT_ROW["torso"]] = torso - waist
        origins[:, JOINT_ROW["r_head"]] = positions[:, _AT["r_head"]] - torso
        origins[:, _ARM_ROWS] = positions[:, _ARM_JOINTS] - torso[:, None]
        origins[:, _LEG_ROWS] = positions[:, _LEG_JOINTS]
        bones = positions[:, _BONE_JOINTS[1]] - positions[:, _BONE_JOINTS[0]]
        origins[:, _BONE_ROWS, 2] = -np.sqrt(np.einsum("pji,pji->pj", bones, bones))
        chests = positions[:, CHEST] - waist[:, None]
        return [cls(*both) for both in zip(origins, chests, strict=True)]

    def origin(self, joint: str) -> FloatArray:
        """Position `(3,)` of a joint in its parent link, metres."""
        return np.asarray(self.origins[JOINT_ROW[joint]])

    def differs(self, other: BodyDescription, metres: float) -> bool:
        """Whether the position of any joint differs by more than `metres`."""
        offsets = self.origins - other.origins
        return bool(np.einsum("ji,ji->j", offsets, offsets).max() > metres**2)

    def urdf(self, person_id: str) -> str:
        """The model as URDF; every link and joint carries the suffix `_<person_id>`."""
        robot = ElementTree.Element("robot", name=f"human_{person_id}")
        for link in ("body", *(joint.child for joint in JOINTS)):
            element = ElementTree.SubElement(robot, "link", name=f"{link}_{person_id}")
            for end, radius in SHAPES.get(link, ()):
                element.append(cylinder(self.origin(end), radius, person_id) if end else sphere(radius, person_id))
        for joint, origin in zip(JOINTS, self.origins, strict=True):
            robot.append(_joint_element(joint, origin, person_id))
        return ElementTree.tostring(robot, encoding="unicode")


def _joint_element(joint: Joint, origin: FloatArray, person_id: str) -> ElementTree.Element:
    kind = "fixed" if joint.axis is None else "revolute"
    element = ElementTree.Element("joint", name=f"{joint.name}_{person_id}", type=kind)
    ElementTree.SubElement(element, "parent", link=f"{joint.parent}_{person_id}")
    ElementTree.SubElement(element, "child", link=f"{joint.child}_{person_id}")
    ElementTree.SubElement(element, "origin", xyz=numbers(origin), rpy="0 0 0")
    if joint.axis is not None:
        ElementTree.SubElement(element, "axis", xyz=numbers(joint.axis))
        limits = {"lower": f"{joint.lower:g}", "upper": f"{joint.upper:g}", "effort": _EFFORT, "velocity": _VELOCITY}
        ElementTree.SubElement(element, "limit", limits)
    return element


def link_transforms(descriptions: Sequence[BodyDescription], angles: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Poses of child links in their parent links, as robot_state_publisher computes them.

    Args:
        descriptions: Dimensions of `P` people.
        angles: Joint angles `(P, 20)`, radians.

    Returns:
        Positions `(P, 26, 3)`, metres, and quaternions `(P, 26, 4)` as x, y, z, w.
    """
    quaternions = np.zeros((len(descriptions), len(JOINTS), 4))
    quaternions[..., 3] = 1.0
    quaternions[:, _MOVING_ROWS, :3] = np.sin(angles / 2)[..., None] * _AXES
    quaternions[:, _MOVING_ROWS, 3] = np.cos(angles / 2)
    return np.stack([description.origins for description in descriptions]), quaternions
