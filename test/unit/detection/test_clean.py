"""Whatever a detector answers, boxes inside the image come out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from smplerx_ros.detection.clean import MAX_BOXES, MIN_SIDE, clean_boxes, clean_rows
from smplerx_ros.geometry.boxes import Box

WIDTH, HEIGHT = 640, 480
NAN, INF = float("nan"), float("inf")


def test_good_boxes_stay_as_they_are_best_first() -> None:
    low, high = Box(10, 20, 110, 220, 0.4), Box(300, 100, 400, 400, 0.9)
    assert clean_boxes([low, high], WIDTH, HEIGHT) == [high, low]
    assert clean_boxes([], WIDTH, HEIGHT) == []


def test_boxes_are_clipped_to_the_image() -> None:
    assert clean_boxes([Box(-50, -1e9, 100, 600, 0.5)], WIDTH, HEIGHT) == [Box(0, 0, 100, HEIGHT, 0.5)]


@pytest.mark.parametrize(
    "row",
    [
        (NAN, 0, 10, 10, 0.5),
        (0, 0, INF, 10, 0.5),
        (0, 0, 10, 10, NAN),
        (10, 0, 0, 10, 0.5),  # inverted
        (0, 10, 10, 0, 0.5),
        (5, 5, 5, 5, 0.5),  # no area
        (700, 100, 800, 200, 0.5),  # beside the image
        (-90, 100, -10, 200, 0.5),
        (639, 100, 900, 200, 0.5),  # one column of it inside
    ],
)
def test_what_is_no_box_in_the_image_is_dropped(row: tuple[float, ...]) -> None:
    good = (0.0, 0.0, 50.0, 100.0, 0.3)
    assert clean_rows(np.array([row, good]), WIDTH, HEIGHT) == [Box(*good)]


def test_least_side_is_the_callers() -> None:
    thin = Box(0, 0, 8, 100)
    assert clean_boxes([thin], WIDTH, HEIGHT, min_side=8.0) == [thin]
    assert clean_boxes([thin], WIDTH, HEIGHT, min_side=8.5) == []
    assert clean_rows(np.zeros((3, 5)), WIDTH, HEIGHT, min_side=0.0) == []


def test_of_too_many_the_best_stay() -> None:
    boxes = [Box(0, 0, 100, 100, i / 1000) for i in range(500)]
    kept = clean_boxes(boxes, WIDTH, HEIGHT)
    assert len(kept) == MAX_BOXES
    assert [box.score for box in kept] == [box.score for box in boxes[:-101:-1]]


numbers = st.one_of(st.floats(width=32), st.floats(-100, 1000))


@given(arrays(np.float64, st.tuples(st.integers(0, 60), st.just(5)), elements=numbers))
def test_anything_is_survived(rows: np.ndarray) -> None:
    for box in clean_rows(rows, WIDTH, HEIGHT):
        assert min(box.width, box.height) >= MIN_SIDE
        assert box.xyxy.min() >= 0
        assert box.x1 <= WIDTH
        assert box.y1 <= HEIGHT
        assert 0 <= box.score <= 1
