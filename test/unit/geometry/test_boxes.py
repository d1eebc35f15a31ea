"""Intersection over union, of boxes one by one, in pairs, and of empty ones."""

from __future__ import annotations

import numpy as np

from smplerx_ros.geometry.boxes import Box, box_area, intersection_area, iou, pairwise_iou


def box(x: float) -> Box:
    return Box(x, 0, x + 100, 200)


def test_overlap_of_boxes() -> None:
    np.testing.assert_allclose(pairwise_iou([box(0)], [box(0), box(50), box(200)]), [[1, 1 / 3, 0]])
    assert pairwise_iou([], [box(0)]).shape == (0, 1)


def test_areas() -> None:
    boxes = np.array([[0, 0, 4, 3], [1, 1, 2, 5]])
    np.testing.assert_array_equal(box_area(boxes), [12, 4])
    np.testing.assert_array_equal(intersection_area(boxes[:, None], boxes), [[12, 2], [2, 4]])


def test_boxes_without_area_or_end_overlap_nothing() -> None:
    empty, endless, unknown = [5.0, 5, 5, 5], [np.inf, np.inf, -np.inf, -np.inf], [np.nan, 0, 1, 1]
    for other in (empty, endless, unknown):
        np.testing.assert_array_equal(iou([other, [0.0, 0, 10, 10]], other), [0, 0])


def test_single_precision_stays() -> None:
    one = np.array([0, 0, 2, 2], np.float32)
    assert iou(one, one + 1).dtype == np.float32
