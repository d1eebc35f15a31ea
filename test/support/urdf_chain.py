"""Forward kinematics of a URDF by ROS's parser and SciPy's rotations, an independent reference."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation
from urdf_parser_py.urdf import URDF


def link_places(urdf: str, angles: dict[str, float]) -> tuple[dict[str, np.ndarray], dict[str, Rotation]]:
    """Return positions and rotations of all links in the frame of the root link; `angles` in radians by joint name."""
    robot = URDF.from_xml_string(urdf.encode())
    root = robot.get_root()
    places, rotations = {root: np.zeros(3)}, {root: Rotation.identity()}
    waiting = list(robot.joints)
    while waiting:
        ready = [joint for joint in waiting if joint.parent in places]
        assert ready, f"not connected to {root}: {[joint.child for joint in waiting]}"
        for joint in ready:
            origin = Rotation.from_euler("xyz", joint.origin.rpy)
            motion = Rotation.identity()
            if joint.type != "fixed":
                assert joint.limit.lower <= angles[joint.name] <= joint.limit.upper, joint.name
                motion = Rotation.from_rotvec(angles[joint.name] * np.array(joint.axis))
            places[joint.child] = places[joint.parent] + rotations[joint.parent].apply(joint.origin.xyz)
            rotations[joint.child] = rotations[joint.parent] * origin * motion
        waiting = [joint for joint in waiting if joint not in ready]
    return places, rotations
