from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smplerx_ros.io.video.times import MAX_WAITING, increasing_times

PERIOD = 0.1
CASES = {
    "as they are": ([5.0, 5.1, 5.3], [0, 0.1, 0.3]),
    "repeated": ([0, 0.1, 0.1, 0.3], [0, 0.1, 0.2, 0.3]),
    "repeated twice": ([0, 0.1, 0.1, 0.1, 0.4], [0, 0.1, 0.2, 0.3, 0.4]),
    "exchanged": ([0, 0.2, 0.1, 0.3], [0, 0.05, 0.1, 0.3]),
    "missing": ([0, 0.1, None, 0.3], [0, 0.1, 0.2, 0.3]),
    "missing at the end": ([0, 0.1, None, None], [0, 0.1, 0.2, 0.3]),
    "never there": ([None] * 12, [0.1 * i for i in range(12)]),
    "far too late once": ([0, 0.1, 9000, 0.3, 0.4], [0, 0.1, 0.2, 0.3, 0.4]),
    "too early once": ([3, 3.1, 0, 3.3, 3.4], [0, 0.1, 0.2, 0.3, 0.4]),
    "from the start": ([3, 3.1, 3.2, 3, 3.1, 3.2], [0, 0.1, 0.2, 0.3, 0.4, 0.5]),
    "a little back": ([3, 3.1, 3.2, 3.3, 3.15, 3.25, 3.35], [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    "an overflow": ([8, 8.1, -8, -7.9], [0, 0.1, 0.2, 0.3]),
    "a pause": ([0, 0.1, 60, 60.1], [0, 0.1, 60, 60.1]),
    "stopped": ([2.0] * 12, [0.1 * i for i in range(12)]),
    "one frame": ([7], [0]),
    "none": ([], []),
}


@pytest.mark.parametrize(("times", "expected"), CASES.values(), ids=CASES)
def test_times(times, expected):
    made = list(increasing_times([(time, number) for number, time in enumerate(times)], PERIOD))
    assert [number for _, number in made] == list(range(len(times)))
    np.testing.assert_allclose([seconds for seconds, _ in made], expected, atol=1e-9)


@given(st.lists(st.none() | st.floats(-1e5, 1e5) | st.integers(-3, 3).map(float)))
def test_any_times_increase_and_no_frame_is_lost(times):
    made = list(increasing_times([(time, number) for number, time in enumerate(times)], PERIOD))
    assert [number for _, number in made] == list(range(len(times)))
    assert (np.diff([seconds for seconds, _ in made]) > 0).all()


def test_few_frames_are_held():
    given_out = 0

    def endless():
        for number in range(1000):
            assert number - given_out <= MAX_WAITING + 1
            yield (0.0, number)

    for _ in increasing_times(endless(), PERIOD):
        given_out += 1
