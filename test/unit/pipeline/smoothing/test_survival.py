"""What must not break a filter: half turns, no time between frames, time that goes back, numbers at their limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from smplerx_ros.pipeline.smoothing.motion import Motion
from smplerx_ros.pipeline.smoothing.one_euro import Cutoff
from smplerx_ros.pipeline.smoothing.person_smoother import Sample, SmoothingOptions
from smplerx_ros.types import PARAM_SIZES, SmplxParams
from support.bodies import standin

BODY = standin()
OPTIONS = SmoothingOptions(Cutoff(1.0, 8.0), Cutoff(0.5, 5.0))
ANGLES = st.sampled_from([0.0, np.pi, -np.pi, np.pi - 1e-7, -np.pi + 1e-7, 3 * np.pi, 1e-12]) | st.floats(-10, 10)
STAMPS = st.integers(0, 5_000_000_000)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ANGLES, st.sampled_from(range(3)), STAMPS, st.floats(0.3, 60)), min_size=2, max_size=12))
def test_what_comes_out_is_finite(frames: list[tuple[float, int, int, float]]) -> None:
    """Any order of stamps, repeated ones too; every joint turns by the angle round one axis."""
    motion = Motion(OPTIONS, BODY)
    for angle, axis, stamp, distance in frames:
        turn = np.zeros(3, np.float32)
        turn[axis] = angle
        params = replace(
            SmplxParams.rest(),
            global_orient=turn,
            body_pose=np.tile(turn, 21),
            transl=np.array([0, 0, distance], np.float32),
        )
        smooth = motion.smooth([Sample("p1", params, stamp)])[0]
        for name in PARAM_SIZES:
            assert np.isfinite(getattr(smooth, name)).all(), name
        velocities = motion.velocities(Sample("p1", params, stamp), np.full((55, 3), distance))
        assert not np.isinf(velocities).any()


def test_a_half_turn_is_kept_on_its_side() -> None:
    """Seen as +pi and as -pi in turn, it is one orientation: the filter must not average it to none."""
    motion = Motion(OPTIONS, BODY)
    for k in range(20):
        turn = np.array([0, np.pi - 1e-3, 0], np.float32) * (-1) ** k
        seen = replace(SmplxParams.rest(), global_orient=turn)
        smooth = motion.smooth([Sample("p1", seen, k * 33_000_000)])[0]
        assert abs(np.linalg.norm(smooth.global_orient) - np.pi) < 0.01
