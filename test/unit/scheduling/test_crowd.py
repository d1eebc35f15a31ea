"""Who is estimated in a crowd: the largest boxes, without taking turns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smplerx_ros.scheduling.crowd import KEPT_BONUS, largest
from smplerx_ros.types import Box


def boxes(*sizes: float) -> dict[str, Box]:
    return {f"p{k}": Box(0, 0, size / 2, size) for k, size in enumerate(sizes)}


def test_the_largest_are_kept_in_the_order_of_their_identities():
    assert largest(boxes(50, 200, 100, 300), 2, ()) == ["p1", "p3"]


def test_everybody_where_there_is_room():
    assert largest(boxes(50, 200), 2, ()) == ["p0", "p1"]
    assert largest({}, 2, ()) == []


def test_the_longer_side_counts():
    assert largest({"spread": Box(0, 0, 200, 100), "tall": Box(0, 0, 60, 250)}, 1, ()) == ["tall"]


def test_people_of_nearly_one_size_do_not_take_turns():
    chosen: list[str] = []
    for k in range(20):
        sizes = (100, 101) if k % 2 else (101, 100)
        chosen = largest(boxes(*sizes), 1, chosen)
        assert chosen == ["p0"]
    assert largest(boxes(100, 101 * KEPT_BONUS), 1, chosen) == ["p1"]


@given(st.lists(st.floats(1, 1000), max_size=12), st.integers(1, 6), st.sets(st.integers(0, 11)))
def test_never_more_and_never_smaller_than_anybody_left_out(sizes, most, before):
    known = boxes(*sizes)
    kept = {f"p{k}" for k in before}
    chosen = largest(known, most, kept)
    assert len(chosen) == min(most, len(sizes))
    out = [known[person].height for person in known if person not in chosen]
    assert all(known[person].height * KEPT_BONUS >= size for person in chosen for size in out)
