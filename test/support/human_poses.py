"""Random SMPL-X poses within human ranges of motion (AAOS, Joint Motion, 1965)."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from smplerx_ros.backbones.smpler_x.prediction import ESTIMATED
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.types import PARAM_SIZES, SmplxParams

UPRIGHT = (np.pi, 0.0, 0.0)  # global_orient of an upright person facing the camera, optical frame


def human_poses(seed: int, people: int, *, trunk: bool = False, turned: bool = True) -> SmplxParams:
    """Draw a batch of people 3 m in front of the camera.

    Args:
        seed: Of the random generator.
        people: Size of the batch.
        trunk: Whether spine, neck and collars are posed as well.
        turned: Random orientation; otherwise upright and facing the camera.
    """
    rng = np.random.default_rng(seed)
    pose = np.zeros((people, 21, 3))

    def angles(low: float, high: float) -> np.ndarray:
        return rng.uniform(np.radians(low), np.radians(high), people)

    def rotate(joint: str, *rotations: Rotation) -> None:
        total = rotations[0]
        for rotation in rotations[1:]:
            total = total * rotation
        pose[:, JOINT_INDEX[joint] - 1] = total.as_rotvec()

    def about(axis: str, values: np.ndarray) -> Rotation:
        return Rotation.from_rotvec(np.outer(values, np.eye(3)["XYZ".index(axis)]))

    for side, sign in (("left", 1), ("right", -1)):
        # Template axes: x left, y up, z front; legs point down, arms sideways.
        leg = about("X", -angles(-20, 120)), about("Z", sign * angles(-30, 45)), about("Y", sign * angles(-45, 45))
        rotate(f"{side}_hip", *leg)
        rotate(f"{side}_knee", about("X", angles(0, 130)))
        rotate(f"{side}_ankle", about("X", angles(-30, 30)))
        raised = about("Z", sign * (angles(0, 180) - np.pi / 2))
        rotate(f"{side}_shoulder", about("Y", -sign * angles(-60, 135)), raised, about("X", angles(-90, 70)))
        rotate(f"{side}_elbow", about("Y", -sign * angles(0, 143)), about("X", angles(-80, 80)))
        if trunk:
            rotate(f"{side}_collar", *(about(axis, angles(-15, 15)) for axis in "XYZ"))
    rotate("head", about("Y", angles(-40, 40)), about("X", angles(-25, 25)), about("Z", angles(-20, 20)))
    if trunk:
        rotate("neck", about("Y", angles(-30, 30)), about("X", angles(-20, 20)), about("Z", angles(-15, 15)))
        for joint in ("spine1", "spine2", "spine3"):
            rotate(joint, about("Y", angles(-12, 12)), about("X", angles(-10, 25)), about("Z", angles(-10, 10)))

    values = {name: np.zeros((people, size)) for name, size in PARAM_SIZES.items()}
    values["body_pose"] = pose.reshape(people, 63)
    values["betas"] = rng.normal(0, 1, (people, 10))
    upright = np.tile(UPRIGHT, (people, 1))
    values["global_orient"] = Rotation.random(people, random_state=rng).as_rotvec() if turned else upright
    values["transl"][:] = (0.0, 0.2, 3.0)
    values["leye_pose"][:] = values["reye_pose"][:] = np.nan
    return SmplxParams(**values, estimated=ESTIMATED)
