"""People keep their identity while boxes overlap, get it back after a short absence, and never share one."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from smplerx_ros.geometry.boxes import Box, pairwise_iou
from smplerx_ros.pipeline.tracking.box_motion import BoxMotion
from smplerx_ros.pipeline.tracking.events import TrackEvent, TrackEventKind, without_history
from smplerx_ros.pipeline.tracking.tracker import MAX_AGE, Tracker

FRAME_NS = 33_000_000
MAX_AGE_NS = round(MAX_AGE * 1e9)


def box(x: float, width: float = 100.0, height: float = 200.0) -> Box:
    return Box(x, 200 - height, x + width, 200)


@pytest.fixture
def tracker() -> Tracker:
    return Tracker(f"p{n}" for n in count(1))


def ids(tracker: Tracker) -> list[str]:
    return [track.id for track in tracker.active]


def forgotten(events: tuple[TrackEvent, ...]) -> set[str]:
    return set(without_history(events))


def place(tracker: Tracker, identity: str) -> float:
    return next(track.box.x0 for track in tracker.active if track.id == identity)


def follow(tracker: Tracker, places: dict[str, list[Box | None]], start: int = 1) -> int:
    """Estimated boxes frame by frame; answers the next frame's number."""
    frames = max(map(len, places.values()))
    for k in range(frames):
        known = {identity: row[k] for identity, row in places.items() if identity in ids(tracker)}
        tracker.update(known, (start + k) * FRAME_NS)
    return start + frames


def test_new_people_get_new_ids_and_known_ones_keep_theirs(tracker):
    tracker.associate([box(0), box(500)], 0)
    assert ids(tracker) == ["p1", "p2"]
    tracker.associate([box(510), box(10), box(900)], FRAME_NS)
    assert ids(tracker) == ["p1", "p2", "p3"]


def test_people_keep_the_box_of_their_joints_until_it_has_gone_astray(tracker):
    tracker.associate([box(0)], 0)
    tracker.update({"p1": box(20)}, FRAME_NS)
    tracker.associate([box(30)], 2 * FRAME_NS)
    assert place(tracker, "p1") == 20
    tracker.associate([box(70)], 3 * FRAME_NS)
    assert place(tracker, "p1") == 70


@pytest.mark.parametrize(
    ("body", "theirs"),
    [
        pytest.param(Box(35, 5, 65, 198), True, id="in profile, narrower than the detection"),
        pytest.param(Box(35, 5, 65, 90), False, id="half as high"),
        pytest.param(Box(90, 5, 120, 198), False, id="beside it"),
        pytest.param(Box(300, 5, 330, 198), False, id="elsewhere"),
    ],
)
def test_bodies_that_are_not_where_somebody_was_detected_are_not_theirs(tracker, body, theirs):
    seen = Box(0, 0, 100, 200)
    tracker.associate([seen], 0)
    tracker.update({"p1": seen}, 0)
    tracker.associate([seen], FRAME_NS)
    assert ("p1" in forgotten(tracker.update({"p1": body}, FRAME_NS))) != theirs


@pytest.mark.parametrize(
    ("body", "theirs"),
    [
        pytest.param(Box(5, 70, 198, 100), True, id="lying flat"),
        pytest.param(Box(5, 70, 90, 100), False, id="half as long"),
        pytest.param(Box(5, 125, 198, 155), False, id="below it"),
    ],
)
def test_of_somebody_who_lies_the_width_counts(tracker, body, theirs):
    seen = Box(0, 0, 200, 130)
    tracker.associate([seen], 0)
    tracker.update({"p1": seen}, 0)
    tracker.associate([seen], FRAME_NS)
    assert ("p1" in forgotten(tracker.update({"p1": body}, FRAME_NS))) != theirs


def test_when_somebody_was_last_seen_is_known(tracker):
    tracker.associate([box(0)], 0)
    tracker.update({"p1": box(0)}, FRAME_NS)
    assert [track.seen_ns for track in tracker.active] == [FRAME_NS]
    tracker.associate([box(5)], 2 * FRAME_NS)
    assert [track.seen_ns for track in tracker.active] == [2 * FRAME_NS]


def test_people_who_are_never_estimated_are_expected_where_detections_led(tracker):
    """Beyond `max_people`, at five images a second: a runner's boxes overlap too little at last."""
    places = np.cumsum([min(5 * k, 70) for k in range(40)])
    assert pairwise_iou([box(places[-2])], [box(places[-1])])[0, 0] < 0.3
    for k, x in enumerate(places):
        tracker.associate([box(x)], k * MAX_AGE_NS // 5)
        tracker.update({}, k * MAX_AGE_NS // 5)
    assert ids(tracker) == ["p1"]


def test_two_may_be_lost_at_once(tracker):
    tracker.associate([box(0), box(500)], 0)
    k = follow(tracker, {"p1": [box(0)] * 3, "p2": [box(500)] * 3})
    assert forgotten(tracker.update({"p1": None, "p2": None}, k * FRAME_NS)) == set()
    assert forgotten(tracker.update({}, (k + 1) * FRAME_NS)) == set()
    tracker.associate([box(500), box(0)], (k + 2) * FRAME_NS)
    assert {track.id: track.box.x0 for track in tracker.active} == {"p1": 0, "p2": 500}


def test_who_leans_towards_a_neighbour_keeps_the_body(tracker):
    tracker.associate([box(0), box(60)], 0)
    k = follow(tracker, {"p1": [box(0)] * 10, "p2": [box(60)] * 10}, 0)
    assert forgotten(tracker.update({"p1": box(0), "p2": box(33)}, k * FRAME_NS)) == set()
    assert (place(tracker, "p1"), place(tracker, "p2")) == (0, 33)


def test_detections_that_have_the_last_word_say_where_people_are(tracker):
    """Else a backbone that answers a little too large is shown a little more each time."""
    tracker.associate([box(0)], 0, confirm=True)
    for k in range(1, 40):
        seen = tracker.active[0].box
        grown = Box(seen.x0 - 5, seen.y0 - 10, seen.x1 + 5, seen.y1 + 10)
        tracker.update({"p1": grown}, k * FRAME_NS)
        tracker.associate([box(k)], k * FRAME_NS + 1, confirm=True)
        assert tracker.active[0].box == box(k)


def test_a_second_box_of_a_person_makes_no_second_person(tracker):
    tracker.associate([box(0)], 0)
    tracker.update({"p1": box(0)}, 0)
    tracker.associate([box(0), box(15)], FRAME_NS)
    assert ids(tracker) == ["p1"]


def test_a_new_double_that_the_backbone_finds_on_somebody_known_is_dropped_at_once(tracker):
    tracker.associate([box(0)], 0)
    tracker.update({"p1": box(0)}, 0)
    tracker.associate([box(0), box(60)], FRAME_NS)
    assert ids(tracker) == ["p1", "p2"]
    assert forgotten(tracker.update({"p1": box(0), "p2": box(2)}, FRAME_NS)) == {"p2"}
    assert not tracker.needs_detection


def test_a_box_where_the_backbone_finds_nobody_leaves_nothing(tracker):
    tracker.associate([box(0)], 0)
    assert forgotten(tracker.update({"p1": None}, 0)) == {"p1"}
    assert not tracker.needs_detection


def test_people_whom_detections_do_not_confirm_are_lost(tracker):
    tracker.associate([box(0), box(500)], 0, confirm=True)
    tracker.update({"p1": box(0), "p2": box(500)}, 0)
    tracker.associate([box(0)], FRAME_NS, confirm=True)
    assert ids(tracker) == ["p1", "p2"]
    assert tracker.needs_detection
    tracker.update({"p1": box(0), "p2": box(500)}, FRAME_NS)  # a network that answers anything
    tracker.associate([box(0)], 2 * FRAME_NS, confirm=True)
    assert ids(tracker) == ["p1"]


def test_a_box_that_detections_have_to_confirm_waits_for_the_next_one(tracker):
    tracker.associate([box(0)], 0, confirm=True)
    assert ids(tracker) == ["p1"]  # the first image is not made to wait
    tracker.update({"p1": box(0)}, 0)
    tracker.associate([box(0), box(400), box(800)], FRAME_NS, confirm=True)
    assert ids(tracker) == ["p1"]
    assert tracker.needs_detection
    tracker.associate([box(0), box(405)], 2 * FRAME_NS, confirm=True)
    assert ids(tracker) == ["p1", "p2"]
    tracker.update({"p1": box(0), "p2": box(405)}, 2 * FRAME_NS)
    tracker.associate([box(0), box(405), box(800)], 3 * FRAME_NS, confirm=True)
    assert ids(tracker) == ["p1", "p2"]  # the one at 800 was gone in between


def test_people_whom_the_backbone_confirms_need_no_detection(tracker):
    tracker.associate([box(0)], 0)
    for k in range(1, 5):
        tracker.associate([], k * FRAME_NS)
        tracker.update({"p1": box(0)}, k * FRAME_NS)
    assert ids(tracker) == ["p1"]


def test_lost_person_is_found_again_under_the_same_id(tracker):
    tracker.associate([box(0)], 0)
    follow(tracker, {"p1": [box(0)]})
    assert forgotten(tracker.update({"p1": None}, 2 * FRAME_NS)) == set()
    assert ids(tracker) == []
    assert tracker.needs_detection
    tracker.associate([box(30)], 5 * FRAME_NS)
    assert ids(tracker) == ["p1"]
    assert not tracker.needs_detection


def test_id_is_not_used_again_after_a_long_absence(tracker):
    tracker.associate([box(0)], 0)
    tracker.update({"p1": box(0)}, 0)
    assert forgotten(tracker.update({"p1": None}, MAX_AGE_NS)) == set()
    tracker.associate([], MAX_AGE_NS)
    assert forgotten(tracker.update({}, MAX_AGE_NS)) == set()
    tracker.associate([], MAX_AGE_NS + 1)
    assert forgotten(tracker.update({}, MAX_AGE_NS + 1)) == {"p1"}
    tracker.associate([box(0)], MAX_AGE_NS + 2)
    assert ids(tracker) == ["p2"]


def test_who_comes_back_after_too_long_is_somebody_new_even_if_nothing_was_detected_in_between():
    """Nobody knows when they came: halfway between two detections."""
    for late_ns, expected in ((MAX_AGE_NS // 20, ["p1"]), (MAX_AGE_NS // 5, ["p2"])):
        tracker = Tracker(f"p{n}" for n in count(1))
        tracker.associate([box(0)], 0)
        tracker.update({"p1": box(0)}, 0)
        tracker.update({"p1": None}, FRAME_NS)
        tracker.associate([], MAX_AGE_NS * 9 // 10)
        tracker.associate([box(0)], MAX_AGE_NS + late_ns)
        assert ids(tracker) == expected


def test_how_long_is_an_option():
    tracker = Tracker((f"p{n}" for n in count(1)), max_age=0.1)
    tracker.associate([box(0)], 0)
    tracker.update({"p1": box(0)}, 0)
    tracker.update({"p1": None}, FRAME_NS)
    tracker.associate([], 100_000_001)
    assert forgotten(tracker.update({}, 100_000_001)) == {"p1"}


def test_a_walker_who_was_hidden_is_expected_further_on_and_at_the_same_size(tracker):
    tracker.associate([box(0)], 0)
    k = follow(tracker, {"p1": [box(5 * k) for k in range(30)]})
    tracker.update({"p1": None}, k * FRAME_NS)
    tracker.associate([box(300, 30, 60), box(240)], (k + 15) * FRAME_NS)
    assert place(tracker, "p1") == 240
    assert ids(tracker) == ["p1", "p2"]  # a child


def test_who_is_taken_for_the_one_in_front_is_lost_and_comes_back(tracker):
    """p1 walks behind p2, who stands nearer; the backbone finds p2 in both boxes."""
    tracker.associate([box(0), box(150, 120, 260)], 0)
    k = follow(tracker, {"p1": [box(6 * k) for k in range(20)], "p2": [box(150, 120, 260)] * 20})
    front = box(150, 120, 260)
    assert forgotten(tracker.update({"p1": front, "p2": front}, k * FRAME_NS)) == {"p1"}
    assert ids(tracker) == ["p2"]
    tracker.associate([front, box(260)], (k + 22) * FRAME_NS)
    assert ids(tracker) == ["p1", "p2"]
    assert place(tracker, "p1") == 260


def test_people_who_cross_keep_their_ids_where_only_detections_tell(tracker):
    """Every third frame is detected, in any order; nobody is estimated in between."""
    rng = np.random.default_rng(0)
    for k in range(0, 60, 3):
        boxes = [box(8 * k), box(400 - 8 * k, 80, 160)]
        tracker.associate([boxes[i] for i in rng.permutation(2)], k * FRAME_NS)
        tracker.update({}, k * FRAME_NS)
    assert ids(tracker) == ["p1", "p2"]
    assert {track.id: round(track.box.height) for track in tracker.active} == {"p1": 200, "p2": 160}


def test_people_forgotten_leave_nothing(tracker):
    tracker.associate([box(0), box(400)], 0)
    tracker.drop(["p1"])
    assert ids(tracker) == ["p2"]
    assert without_history(tracker.clear()) == ["p2"]
    tracker.associate([box(0)], 0)
    assert ids(tracker) == ["p3"]


def test_motion_goes_on_at_the_speed_that_was_seen_and_grows_unsure():
    motion = BoxMotion(box(0), 0)
    for k in range(1, 40):
        motion.advance(k * FRAME_NS)
        motion.update(box(4 * k))
    at = 39 + 10
    motion.advance(at * FRAME_NS)
    assert motion.box.x0 == pytest.approx(4 * at, abs=4)
    boxes = [box(4 * at), box(4 * at + 150), box(4 * at, 150, 300)]
    expected, aside, larger = motion.negative_log_likelihood(np.array([b.xyxy for b in boxes]))
    assert expected < aside < larger
    motion.advance((at + 30) * FRAME_NS)
    assert motion.negative_log_likelihood(box(4 * (at + 30)).xyxy[None])[0] > expected


def test_time_that_stands_still_or_goes_back_changes_nothing():
    motion = BoxMotion(box(0), 10)
    before = motion.box
    motion.advance(10)
    motion.advance(0)
    assert motion.box == before


def test_a_body_that_is_not_where_its_person_was_detected_is_not_theirs(tracker):
    """The body found for p2 is p1's; the detections say who is where."""
    tracker.associate([box(0), box(60)], 0)
    follow(tracker, {"p1": [box(0)] * 5, "p2": [box(60)] * 5}, 0)
    tracker.associate([box(0), box(60)], 5 * FRAME_NS)
    assert forgotten(tracker.update({"p1": box(0), "p2": box(14)}, 5 * FRAME_NS)) == {"p2"}
    assert ids(tracker) == ["p1", "p2"]
    assert place(tracker, "p2") == 60


@pytest.mark.parametrize(
    ("detection", "left"),
    [
        pytest.param(30, ["p1", "p2"], id="beside the neighbour: there p2 is"),
        pytest.param(10, ["p1"], id="on the neighbour, too: nobody knows where p2 is"),
    ],
)
def test_a_body_that_slid_to_a_neighbour_leaves_what_was_detected(tracker, detection, left):
    """Near enough to its own detection to be taken for p2's, but rather p1's."""
    tracker.associate([box(0), box(60)], 0)
    follow(tracker, {"p1": [box(0)] * 5, "p2": [box(60)] * 5}, 0)
    tracker.associate([box(0), box(detection)], 5 * FRAME_NS)
    assert ids(tracker) == ["p1", "p2"]
    assert forgotten(tracker.update({"p1": box(0), "p2": box(8)}, 5 * FRAME_NS)) == {"p2"}
    assert ids(tracker) == left
    assert place(tracker, "p1") == 0
    assert left == ["p1"] or place(tracker, "p2") == detection


def test_a_body_that_slid_to_a_neighbour_is_not_followed(tracker):
    """No detection in this frame: p2 is lost, and found again where p2 stood."""
    tracker.associate([box(0), box(60)], 0)
    k = follow(tracker, {"p1": [box(0)] * 10, "p2": [box(60)] * 10}, 0)
    assert forgotten(tracker.update({"p1": box(0), "p2": box(22)}, k * FRAME_NS)) == {"p2"}
    assert ids(tracker) == ["p1"]
    tracker.associate([box(0), box(62)], (k + 1) * FRAME_NS)
    assert place(tracker, "p2") == 62


def test_a_body_that_slid_to_somebody_lost_is_not_followed(tracker):
    tracker.associate([box(0), box(60)], 0)
    k = follow(tracker, {"p1": [box(0)] * 10, "p2": [box(60)] * 10}, 0)
    tracker.update({"p1": None, "p2": box(60)}, k * FRAME_NS)
    assert forgotten(tracker.update({"p2": box(8)}, (k + 1) * FRAME_NS)) == {"p2"}
    tracker.associate([box(62), box(2)], (k + 2) * FRAME_NS)
    assert {track.id: track.box.x0 for track in tracker.active} == {"p1": 2, "p2": 62}


def test_who_comes_out_beside_somebody_in_view_whom_the_detector_missed_is_somebody_else(tracker):
    """p1, 200 pixels high, is missed once, just when somebody further away comes out from behind p1."""
    tracker.associate([box(0)], 0)
    k = follow(tracker, {"p1": [box(0)] * 10}, 0)
    smaller = Box(20, 20, 120, 145)
    assert 0.3 < pairwise_iou([box(0)], [smaller])[0, 0] < 0.5
    tracker.associate([smaller], k * FRAME_NS)
    assert ids(tracker) == ["p1", "p2"]
    assert place(tracker, "p1") == 0


def test_somebody_in_view_is_not_robbed_by_somebody_lost(tracker):
    """p1 was hidden where p2 stands now; the one detection there is p2's."""
    tracker.associate([box(0), box(200)], 0)
    k = follow(tracker, {"p1": [box(10 * k) for k in range(15)], "p2": [box(200)] * 15}, 0)
    tracker.update({"p1": None, "p2": box(200)}, k * FRAME_NS)
    tracker.associate([box(190)], (k + 4) * FRAME_NS)
    assert ids(tracker) == ["p2"]


def test_detections_keep_somebody_whom_the_backbone_does_not_find(tracker):
    """Half behind a sign: no body, but detected all the time; the id lasts."""
    tracker.associate([box(0)], 0)
    tracker.update({"p1": box(0)}, 0)
    for k in range(1, 3 * MAX_AGE_NS // FRAME_NS):
        tracker.associate([box(k)], k * FRAME_NS)
        tracker.update({"p1": None}, k * FRAME_NS)
    tracker.associate([box(k)], k * FRAME_NS)
    assert ids(tracker) == ["p1"]


@pytest.mark.parametrize("seconds", [3600, 365 * 86400])
@pytest.mark.parametrize("confirm", [False, True])
@pytest.mark.parametrize("growth", [8, -6])  # pixels a frame
@pytest.mark.filterwarnings("error")
def test_a_jump_of_time_while_somebody_comes_or_goes_stops_nothing(tracker, seconds, confirm, growth):
    """Heights are followed as logarithms, at constant velocity: after an hour that is beyond any float."""
    frame_ns, gap_ns = 33_000_000, seconds * 1_000_000_000
    for k in range(25):
        stamp_ns = (1 + k) * frame_ns + (gap_ns if k >= 20 else 0)
        seen = box(100.0, 100.0, 200.0 + growth * k)
        tracker.associate([seen], stamp_ns, confirm=confirm)
        tracker.update(dict.fromkeys(ids(tracker), seen), stamp_ns)
        assert k == 0 or len(ids(tracker)) == 1
    assert np.isfinite(pairwise_iou([track.now.box for track in tracker._tracks.values()], [seen])).all()


def kinds(events: tuple[TrackEvent, ...]) -> list[tuple[str, TrackEventKind]]:
    return [(event.id, event.kind) for event in events]


def test_events_tell_the_life_of_a_track(tracker):
    appeared, lost, ended = TrackEventKind.APPEARED, TrackEventKind.LOST, TrackEventKind.ENDED
    assert kinds(tracker.associate([box(0), box(500)], 0)) == [("p1", appeared), ("p2", appeared)]
    assert tracker.update({"p1": box(0), "p2": box(500)}, 0) == ()
    assert tracker.associate([box(0), box(500)], FRAME_NS) == ()
    assert kinds(tracker.update({"p1": box(0), "p2": None}, 2 * FRAME_NS)) == [("p2", lost)]
    assert tracker.update({"p1": box(0)}, 3 * FRAME_NS) == ()  # told once
    assert tracker.associate([box(0)], MAX_AGE_NS + 3 * FRAME_NS) == ()
    assert kinds(tracker.update({"p1": box(0)}, MAX_AGE_NS + 3 * FRAME_NS)) == [("p2", ended)]
    assert kinds(tracker.clear()) == [("p1", ended)]


def test_missed_detections_that_lose_a_person_are_an_event(tracker):
    tracker.associate([box(0)], 0, confirm=True)
    tracker.update({"p1": box(0)}, 0)
    assert tracker.associate([], FRAME_NS, confirm=True) == ()
    assert kinds(tracker.associate([], 2 * FRAME_NS, confirm=True)) == [("p1", TrackEventKind.LOST)]
    assert tracker.associate([], 3 * FRAME_NS, confirm=True) == ()


def test_estimates_of_other_people_are_events(tracker):
    tracker.associate([box(0), box(60)], 0)
    k = follow(tracker, {"p1": [box(0)] * 10, "p2": [box(60)] * 10}, 0)
    events = tracker.update({"p1": box(0), "p2": box(22)}, k * FRAME_NS)
    assert kinds(events) == [("p2", TrackEventKind.MERGED), ("p2", TrackEventKind.LOST)]
    tracker.associate([box(0), box(60)], (k + 1) * FRAME_NS)
    events = tracker.update({"p1": box(0), "p2": box(14)}, (k + 1) * FRAME_NS)
    assert kinds(events) == [("p2", TrackEventKind.DRIFTED)]
