"""Joint frames in their parents: chaining them gives the joints back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smplerx_ros.body.skeleton import PARENTS
from smplerx_ros.body.tree import parent_from_joint


@given(st.integers(0, 2**32 - 1))
def test_the_chain_gives_rotations_and_positions_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rotations = Rotation.random(2 * 55, random_state=rng).as_matrix().reshape(2, 55, 3, 3)
    positions = rng.normal(0, 2, (2, 55, 3))
    local_rotations, translations = parent_from_joint(rotations, positions)

    chained_rotations, chained_positions = np.empty_like(rotations), np.empty_like(positions)
    for joint, parent in enumerate(PARENTS):
        above_rotation = np.eye(3) if parent < 0 else chained_rotations[:, parent]
        above = np.zeros(3) if parent < 0 else chained_positions[:, parent]
        chained_rotations[:, joint] = above_rotation @ local_rotations[:, joint]
        chained_positions[:, joint] = above + np.einsum("...ij,...j->...i", above_rotation, translations[:, joint])
    np.testing.assert_allclose(chained_rotations, rotations, atol=1e-9)
    np.testing.assert_allclose(chained_positions, positions, atol=1e-9)
    assert np.shares_memory(rotations, local_rotations) is False
