"""Slots: TF names are bounded, and a name passes to another person only after tf2's cache is past it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fake_estimator import make_person, random_params
from hypothesis import given, settings
from hypothesis import strategies as st

from smplerx_ros.body import load_body
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.ros.slots import SILENCE_NS, Slots
from smplerx_ros.types import Person

SECOND = 1_000_000_000
SOMEONE = make_person(load_body(), Camera.from_fov(640, 480), random_params(0), "a")


def person(identity: str, distance: float = 3.0) -> Person:
    return replace(SOMEONE, id=identity, joints=np.full_like(SOMEONE.joints, (0, 0, distance)))


def test_the_nearest_gets_the_lowest() -> None:
    assert Slots().assign([person("far", 5), person("near", 2), person("middle", 3)], SECOND) == [2, 0, 1]


def test_a_person_keeps_the_slot() -> None:
    slots = Slots()
    assert slots.assign([person("a"), person("b", 4)], SECOND) == [0, 1]
    assert slots.assign([person("b", 1)], 2 * SECOND) == [1]
    assert slots.assign([person("b", 1), person("a")], 3 * SECOND) == [1, 0]


def test_a_slot_is_free_only_after_the_cache_of_tf2() -> None:
    slots = Slots()
    slots.assign([person("a")], SECOND)
    assert slots.assign([person("b")], SECOND + SILENCE_NS) == [1]
    assert slots.assign([person("c")], SECOND + SILENCE_NS + 1) == [0]


def test_a_person_who_comes_back_late_and_finds_the_slot_taken_gets_another() -> None:
    slots = Slots()
    slots.assign([person("a")], SECOND)
    late = SECOND + 2 * SILENCE_NS
    assert slots.assign([person("b")], late) == [0]
    assert slots.assign([person("a"), person("b")], late + 1) == [1, 0]


def test_time_that_goes_back_begins_anew_and_a_late_image_does_not() -> None:
    slots = Slots()
    slots.assign([person("a")], 100 * SECOND)
    assert slots.assign([person("b")], 100 * SECOND - 30_000_000) == [1]
    assert slots.assign([person("c")], 50 * SECOND) == [0]


def test_cameras_may_have_clocks_of_their_own() -> None:
    slots = Slots()
    for k in range(20):  # the right camera's clock is 5 s behind
        now = (100 + k) * SECOND
        assert slots.assign([person("a")], now, "left") == [0]
        assert slots.assign([person("b")] if k < 10 else [], now - 5 * SECOND, "right") == ([1] if k < 10 else [])
    assert slots.assign([person("c")], 119 * SECOND, "left") == [2]  # b left 10 s ago: the cache still has them
    assert slots.assign([person("d")], 117 * SECOND, "right") == [1]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2 * SILENCE_NS), st.sets(st.integers(0, 30), max_size=5)), max_size=30))
def test_no_name_is_of_two_people_within_the_cache(images: list[tuple[int, set[int]]]) -> None:
    slots, stamp = Slots(), SECOND
    last: dict[int, tuple[str, int]] = {}
    for gap, numbers in images:
        stamp += gap
        people = [person(f"p{number}", 1 + number) for number in sorted(numbers)]
        given_slots = slots.assign(people, stamp)
        assert len(set(given_slots)) == len(people)
        for one, slot in zip(people, given_slots, strict=True):
            holder, seen = last.get(slot, (one.id, stamp))
            assert holder == one.id or stamp - seen > SILENCE_NS
            last[slot] = one.id, stamp


@pytest.mark.parametrize("visitors", [200])
def test_visitors_do_not_use_up_names(visitors: int) -> None:
    slots = Slots()
    used = {slots.assign([person(f"v{n}")], n * 2 * SECOND + SECOND)[0] for n in range(visitors)}
    assert len(used) <= SILENCE_NS // (2 * SECOND) + 2
