"""Whose landmarks these are: boxes against points, and one body found twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smplerx_ros.backbones.lite.landmarks import BodyLandmarks, LandmarkQuery
from smplerx_ros.backbones.lite.placement import duplicates, landmark_iou, matches_box, overlaps
from smplerx_ros.geometry.boxes import Box

IMAGE = np.zeros((400, 600, 3), np.uint8)


def _body(box: Box, visible: slice = slice(None)) -> BodyLandmarks:
    """Points on a grid that spans the box."""
    points = np.zeros((39, 3))
    points[:, 0] = np.tile(np.linspace(box.x0, box.x1, 3), 13)
    points[:, 1] = np.repeat(np.linspace(box.y0, box.y1, 13), 3)
    points[30:33, 1] = box.y1
    visibility = np.zeros(33)
    visibility[visible] = 1
    region = np.array([(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, 1.25 * box.height, 0])
    return BodyLandmarks(1.0, points, visibility, visibility, np.zeros((33, 3)), region)


def test_fill_is_one_for_the_own_box_and_nothing_for_another() -> None:
    box = Box(100, 50, 200, 350)
    assert landmark_iou(_body(box), LandmarkQuery(IMAGE, box)) == pytest.approx(1)
    assert landmark_iou(_body(box), LandmarkQuery(IMAGE, Box(300, 50, 400, 350))) == 0
    assert not matches_box(_body(box), LandmarkQuery(IMAGE, Box(180, 50, 280, 350)))


def test_what_nobody_sees_does_not_count() -> None:
    """Legs below the image are guessed; the box ends at the image's edge."""
    upper = Box(100, 200, 200, 400)
    guessed = _body(Box(100, 200, 200, 700))
    assert landmark_iou(guessed, LandmarkQuery(IMAGE, upper)) == pytest.approx(1)
    hidden = _body(Box(100, 50, 200, 350), slice(0, 15))
    assert landmark_iou(hidden, LandmarkQuery(IMAGE, Box(100, 50, 200, 150))) > 0.9
    assert landmark_iou(_body(upper, slice(0, 0)), LandmarkQuery(IMAGE, upper)) == 0


def test_a_body_found_twice_belongs_to_the_better_box() -> None:
    woman, man = Box(100, 50, 200, 350), Box(120, 20, 320, 350)
    found = {0: _body(woman), 1: replace(_body(woman), score=0.99)}
    queries = [LandmarkQuery(IMAGE, woman), LandmarkQuery(IMAGE, man)]
    assert duplicates(found, queries, [0, 1]) == {1}
    assert duplicates(found, queries[::-1], [0, 1]) == {0}
    assert duplicates(found, queries[::-1], [1]) == {1}  # who is tracked stays, whatever the box


def test_people_of_two_images_are_no_doubles() -> None:
    box = Box(100, 50, 200, 350)
    queries = [LandmarkQuery(IMAGE, box), LandmarkQuery(IMAGE.copy(), box)]
    assert duplicates({0: _body(box), 1: _body(box)}, queries, [0, 1]) == set()


def test_of_two_equal_ones_one_stays() -> None:
    box = Box(100, 50, 200, 350)
    queries = [LandmarkQuery(IMAGE, box), LandmarkQuery(IMAGE, box)]
    assert len(duplicates({0: _body(box), 1: _body(box)}, queries, [0, 1])) == 1


def test_regions_meet_boxes_by_their_inner_circle() -> None:
    region = np.array([100.0, 100, 80, 0.5])
    assert overlaps(Box(130, 90, 200, 110), region)
    assert not overlaps(Box(141, 90, 200, 110), region)
    assert not overlaps(Box(130, 130, 200, 200), region)  # in the square's corner, outside of the circle
