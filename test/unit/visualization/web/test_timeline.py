from __future__ import annotations

import numpy as np
import pytest

from smplerx_ros.visualization.web.timeline import SPAN_S, Timeline


def test_ages_lie_where_they_arrived() -> None:
    timeline = Timeline()
    for k in range(5):
        timeline.add(100.0 + k, 10.0 * k)
    seconds, ages = timeline.ages(105.0)
    assert seconds.tolist() == [-5, -4, -3, -2, -1]
    assert ages.tolist() == [0, 10, 20, 30, 40]


def test_only_the_last_minute_is_remembered() -> None:
    timeline = Timeline()
    for k in range(100):
        timeline.add(float(k), 1.0)
    seconds, _ = timeline.ages(99.0)
    assert seconds.min() == -SPAN_S
    assert len(seconds) == SPAN_S + 1


def test_rates_count_arrivals() -> None:
    timeline = Timeline()
    for k in range(200):  # 10 Hz for 20 s, then silence for 10 s
        timeline.add(0.1 * k, 1.0)
    seconds, rates = timeline.rates(30.0)
    assert seconds[-1] == 0
    assert rates[-1] == 0
    np.testing.assert_allclose(rates[seconds < -11], 10.0, atol=0.51)


@pytest.mark.parametrize("curve", ["ages", "rates"])
def test_before_anything_arrived_and_after_clear_there_is_no_curve(curve: str) -> None:
    timeline = Timeline()
    assert [len(values) for values in getattr(timeline, curve)(1.0)] == [0, 0]
    timeline.add(0.0, float("nan"))
    timeline.clear()
    assert [len(values) for values in getattr(timeline, curve)(1.0)] == [0, 0]
