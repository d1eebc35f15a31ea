"""Who is estimated in a crowd: the nearest, as far as distances are known, without taking turns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smplerx_ros.geometry.boxes import Box
from smplerx_ros.pipeline.scheduling.selection import SELECTED_BONUS, select_nearest


def boxes(*sizes: float) -> dict[str, Box]:
    return {f"p{k}": Box(0, 0, size / 2, size) for k, size in enumerate(sizes)}


def test_the_largest_are_the_nearest_as_long_as_nothing_is_known():
    assert select_nearest(boxes(50, 200, 100, 300), 2, {}, ()) == ["p1", "p3"]


def test_who_is_known_to_be_nearer_goes_before_who_is_larger():
    """p0 is a child 2 m away, p1 a man 2.5 m away; p2, never estimated, has the size of the usual one at 3 m."""
    size_at_1m = {"p0": 400.0, "p1": 750.0, "p3": 600.0}
    seen = boxes(200, 300, 200, 60)
    assert select_nearest(seen, 1, size_at_1m, ()) == ["p0"]
    assert select_nearest(seen, 2, size_at_1m, ()) == ["p0", "p1"]
    assert select_nearest(seen, 3, size_at_1m, ()) == ["p0", "p1", "p2"]
    assert select_nearest(seen, 2, {"p3": 600.0}, ()) == ["p0", "p1"]


def test_everybody_where_there_is_room():
    assert select_nearest(boxes(50, 200), 2, {}, ()) == ["p0", "p1"]
    assert select_nearest({}, 2, {}, ()) == []


def test_the_longer_side_counts():
    assert select_nearest({"spread": Box(0, 0, 200, 100), "tall": Box(0, 0, 60, 250)}, 1, {}, ()) == ["tall"]


def test_people_of_nearly_one_size_do_not_take_turns():
    chosen: list[str] = []
    for k in range(20):
        sizes = (100, 101) if k % 2 else (101, 100)
        chosen = select_nearest(boxes(*sizes), 1, {}, chosen)
        assert chosen == ["p0"]
    assert select_nearest(boxes(100, 101 * SELECTED_BONUS), 1, {}, chosen) == ["p1"]


@given(st.lists(st.floats(1, 1000), max_size=12), st.integers(1, 6), st.sets(st.integers(0, 11)))
def test_never_more_and_never_smaller_than_anybody_left_out(sizes, most, before):
    known = boxes(*sizes)
    kept = {f"p{k}" for k in before}
    chosen = select_nearest(known, most, {}, kept)
    assert len(chosen) == min(most, len(sizes))
    out = [known[person].height for person in known if person not in chosen]
    assert all(known[person].height * SELECTED_BONUS >= size for person in chosen for size in out)
