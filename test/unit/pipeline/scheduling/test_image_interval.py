"""What is a gap depends on how often images come."""

from __future__ import annotations

import pytest

from smplerx_ros.pipeline.scheduling.image_interval import ImageInterval

LEAST = 500


def interval(*stamps: int) -> ImageInterval:
    made = ImageInterval()
    for stamp in stamps:
        made.seen(stamp)
    return made


@pytest.mark.parametrize(
    ("stamps", "gap"),
    [
        ((), LEAST),
        ((7,), LEAST),
        ((0, 33, 66), LEAST),
        ((0, 1000), 2500),
        (range(0, 9000, 400), 1000),
        ((0, 33, 66, 99, 132, 5000), LEAST),  # the camera was away
        ((0, 33, 66, 99, 132, 1132, 2132, 3132), 2500),  # it is slower now
        ((5000, 5000, 4000, 5000), 2500),  # repeated stamps, and steps back
    ],
)
def test_the_usual_interval_decides(stamps: tuple[int, ...], gap: int) -> None:
    assert interval(*stamps).max_gap_ns(LEAST) == gap


def test_no_gap_is_longer_than_the_longest() -> None:
    assert interval(1, 10_001).max_gap_ns(LEAST, 4000) == 4000
    assert interval(1, 1001).max_gap_ns(LEAST, 4000) == 2500
    assert interval(1, 11).max_gap_ns(LEAST, 4000) == LEAST
