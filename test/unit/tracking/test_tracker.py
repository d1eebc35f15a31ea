"""People keep their identity while boxes overlap, get it back after a short absence, and never share one."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from smplerx_ros.tracking.tracker import MAX_AGE_NS, Tracker, overlaps
from smplerx_ros.types import Box

FRAME_NS = 33_000_000


def box(x: float, width: float = 100.0) -> Box:
    return Box(x, 0, x + width, 200)


@pytest.fixture
def tracker() -> Tracker:
    return Tracker(f"p{n}" for n in count(1))


def ids(tracker: Tracker) -> list[str]:
    return [track.id for track in tracker.following]


def test_overlap_of_boxes():
    np.testing.assert_allclose(overlaps([box(0)], [box(0), box(50), box(200)]), [[1, 1 / 3, 0]])


def test_new_people_get_new_ids_and_known_ones_keep_theirs(tracker):
    tracker.detected([box(0), box(500)], 0)
    assert ids(tracker) == ["p1", "p2"]
    tracker.detected([box(510), box(10), box(900)], FRAME_NS)
    assert ids(tracker) == ["p1", "p2", "p3"]


def test_people_move_to_their_detection(tracker):
    tracker.detected([box(0)], 0)
    tracker.estimated({"p1": box(20)}, FRAME_NS)
    tracker.detected([box(30)], 2 * FRAME_NS)
    assert tracker.following[0].box == box(30)


def test_people_whom_detections_do_not_confirm_are_lost(tracker):
    tracker.detected([box(0), box(500)], 0, confirm=True)
    tracker.detected([box(0)], FRAME_NS, confirm=True)
    assert ids(tracker) == ["p1", "p2"]
    assert tracker.searching
    tracker.estimated({"p1": box(0), "p2": box(500)}, FRAME_NS)  # a network that answers anything
    tracker.detected([box(0)], 2 * FRAME_NS, confirm=True)
    assert ids(tracker) == ["p1"]


def test_people_whom_the_backbone_confirms_need_no_detection(tracker):
    tracker.detected([box(0)], 0)
    for k in range(1, 5):
        tracker.detected([], k * FRAME_NS)
        tracker.estimated({"p1": box(0)}, k * FRAME_NS)
    assert ids(tracker) == ["p1"]


def test_lost_person_is_found_again_under_the_same_id(tracker):
    tracker.detected([box(0)], 0)
    assert tracker.estimated({"p1": None}, FRAME_NS) == set()
    assert ids(tracker) == []
    assert tracker.searching
    tracker.detected([box(30)], 5 * FRAME_NS)
    assert ids(tracker) == ["p1"]
    assert not tracker.searching


def test_id_is_not_used_again_after_a_long_absence(tracker):
    tracker.detected([box(0)], 0)
    tracker.estimated({"p1": None}, FRAME_NS)
    assert tracker.estimated({}, FRAME_NS + MAX_AGE_NS) == {"p1"}
    tracker.detected([box(0)], 2 * MAX_AGE_NS)
    assert ids(tracker) == ["p2"]


def test_of_two_tracks_on_one_person_the_older_stays(tracker):
    tracker.detected([box(0), box(300)], 0)
    assert tracker.estimated({"p1": box(100), "p2": box(105)}, FRAME_NS) == {"p2"}
    assert ids(tracker) == ["p1"]
