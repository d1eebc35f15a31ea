"""Follow transforms as tf2 does, for tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation


def chain(transforms: Iterable[Any], root: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Positions and rotations of all frames in `root`; parents have to come before their children."""
    positions, rotations = {root: np.zeros(3)}, {root: np.eye(3)}
    for transform in transforms:
        parent, child = transform.header.frame_id, transform.child_frame_id
        t, q = transform.transform.translation, transform.transform.rotation
        positions[child] = positions[parent] + rotations[parent] @ [t.x, t.y, t.z]
        rotations[child] = rotations[parent] @ Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix()
    return positions, rotations
