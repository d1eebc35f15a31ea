"""Mapping of Anny's 163 bones to SMPL-X's 55 joints."""

from __future__ import annotations

from typing import Any

import numpy as np
from anny_source import AnnyData, Shape
from numpy.typing import NDArray

from smplerx_ros.body.skeleton import JOINT_INDEX, JOINT_NAMES

Array = NDArray[Any]

FINGER_NUMBERS = {"thumb": 1, "index": 2, "middle": 3, "ring": 4, "pinky": 5}
SIDES = {"left": "L", "right": "R"}
PELVIS_ABOVE_HIPS = 0.08  # metres; SMPL-X's pelvis joint lies above the line between the hips

_MIDLINE = {
    "pelvis": "root",
    "spine1": "spine03",
    "spine2": "spine02",
    "spine3": "spine01",
    "neck": "neck01",
    "head": "head",
    "jaw": "jaw",
}
_PAIRED = {
    "hip": "upperleg01",
    "knee": "lowerleg01",
    "ankle": "foot",
    "foot": "toe2-1",
    "collar": "clavicle",
    "shoulder": "upperarm01",
    "elbow": "lowerarm01",
    "wrist": "wrist",
    "eye": "eye",
}


def _bone_of_joint() -> dict[str, str]:
    """Return for each joint the bone at whose head it lies."""
    bones = dict(_MIDLINE)
    for side, letter in SIDES.items():
        bones |= {f"{side}_{joint}": f"{bone}.{letter}" for joint, bone in _PAIRED.items()}
        for finger, number in FINGER_NUMBERS.items():
            bones |= {f"{side}_{finger}{k}": f"finger{number}-{k}.{letter}" for k in (1, 2, 3)}
    return bones


BONE_OF_JOINT = _bone_of_joint()


def _joint_of_bone() -> dict[str, str]:
    """Return for each bone the joint that moves it; bones that are not listed follow their parent."""
    joints = {bone: joint for joint, bone in BONE_OF_JOINT.items()}
    joints |= {"spine05": "pelvis", "spine04": "pelvis"}
    for side, letter in SIDES.items():
        joints[f"pelvis.{letter}"] = "pelvis"
        joints |= {f"toe{k}-1.{letter}": f"{side}_foot" for k in range(1, 6)}
    return joints


def joint_weights(data: AnnyData) -> Array:
    """Compute the skinning weights `(V, 55)`; rows sum to one."""
    known = _joint_of_bone()
    owners: list[int] = []
    for name, parent in zip(data.bone_names, data.bone_parents, strict=True):  # parents come first
        owners.append(JOINT_INDEX[known[name]] if name in known else owners[parent])
    weights = np.zeros((len(data.weights), len(JOINT_NAMES)))
    np.add.at(weights.T, owners, data.weights.T)
    return weights / weights.sum(axis=1, keepdims=True)


def joint_positions(data: AnnyData, shape: Shape) -> Array:
    """Compute the joints `(55, 3)` of a body in rest pose."""
    bones = [data.bone_names.index(BONE_OF_JOINT[name]) for name in JOINT_NAMES]
    joints = shape.heads[bones].copy()
    hips = joints[[JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]]]
    joints[0] = hips.mean(axis=0) + np.array([0, PELVIS_ABOVE_HIPS, 0])
    return joints


def finger_ends(data: AnnyData, shape: Shape) -> dict[str, Array]:
    """Return the end of the last bone of each finger, by the name of its joint."""
    ends = {}
    for side in SIDES:
        for finger in FINGER_NUMBERS:
            joint = f"{side}_{finger}3"
            ends[joint] = shape.tails[data.bone_names.index(BONE_OF_JOINT[joint])]
    return ends
