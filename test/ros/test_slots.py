"""Slots: TF names are bounded, and a name passes to another person only after tf2's cache is past it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fake_estimator import make_person, random_params
from hypothesis import given, settings
from hypothesis import strategies as st

from smplerx_ros.geometry.camera import Camera
from smplerx_ros.ros.output.slots import SILENCE_NS, AssignedSlot, Slots
from smplerx_ros.types import Person
from support.bodies import standin

SECOND = 1_000_000_000
SOMEONE = make_person(standin(), Camera.from_fov(640, 480), random_params(0), "a")


def person(identity: str, distance: float = 3.0) -> Person:
    return replace(SOMEONE, id=identity, joints=np.full_like(SOMEONE.joints, (0, 0, distance)))


def numbers(assigned: list[AssignedSlot]) -> list[int]:
    return [slot.number for slot in assigned]


def test_the_nearest_gets_the_lowest() -> None:
    assert numbers(Slots().assign([person("far", 5), person("near", 2), person("middle", 3)], SECOND)) == [2, 0, 1]


def test_a_person_keeps_the_slot() -> None:
    slots = Slots()
    assert numbers(slots.assign([person("a"), person("b", 4)], SECOND)) == [0, 1]
    assert numbers(slots.assign([person("b", 1)], 2 * SECOND)) == [1]
    assert numbers(slots.assign([person("b", 1), person("a")], 3 * SECOND)) == [1, 0]


def test_a_slot_is_free_only_after_the_cache_of_tf2() -> None:
    slots = Slots()
    slots.assign([person("a")], SECOND)
    assert numbers(slots.assign([person("b")], SECOND + SILENCE_NS)) == [1]
    assert numbers(slots.assign([person("c")], SECOND + SILENCE_NS + 1)) == [0]


def test_a_person_who_comes_back_late_and_finds_the_slot_taken_gets_another() -> None:
    slots = Slots()
    slots.assign([person("a")], SECOND)
    late = SECOND + 2 * SILENCE_NS
    assert numbers(slots.assign([person("b")], late)) == [0]
    assert numbers(slots.assign([person("a"), person("b")], late + 1)) == [1, 0]


def test_time_that_goes_back_begins_anew_and_a_late_image_does_not() -> None:
    slots = Slots()
    slots.assign([person("a")], 100 * SECOND)
    assert numbers(slots.assign([person("b")], 100 * SECOND - 30_000_000)) == [1]
    assert numbers(slots.assign([person("c")], 50 * SECOND)) == [0]


def test_cameras_may_have_clocks_of_their_own() -> None:
    slots = Slots()
    for k in range(20):  # the right camera's clock is 5 s behind
        now = (100 + k) * SECOND
        assert numbers(slots.assign([person("a")], now, "left")) == [0]
        assert numbers(slots.assign([person("b")] if k < 10 else [], now - 5 * SECOND, "right")) == (
            [1] if k < 10 else []
        )
    assert numbers(slots.assign([person("c")], 119 * SECOND, "left")) == [
        2
    ]  # b left 10 s ago: the cache still has them
    assert numbers(slots.assign([person("d")], 117 * SECOND, "right")) == [1]


def test_a_camera_whose_clock_is_behind_gets_no_slot_that_the_cache_still_has() -> None:
    slots = Slots()
    slots.assign([person("a")], 100 * SECOND, "left")
    slots.assign([], 112 * SECOND, "left")
    assert numbers(slots.assign([person("b")], 107 * SECOND, "right")) == [1]
    assert numbers(slots.assign([person("c")], 112 * SECOND, "right")) == [0]


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, SILENCE_NS), st.sets(st.integers(0, 30), max_size=5)), max_size=30
    ),
    st.integers(-4 * SILENCE_NS, 4 * SILENCE_NS),
)
def test_no_name_is_of_two_people_within_the_cache(images: list[tuple[bool, int, set[int]]], behind: int) -> None:
    """Of two cameras, the clock of one of which is `behind`."""
    slots, now = Slots(), 100 * SILENCE_NS
    transforms: dict[int, list[tuple[int, str]]] = {}
    for right, gap, who in images:
        now += gap
        stamp, camera = (now - behind, "right") if right else (now, "left")
        people = [person(f"{camera}{number}", 1 + number) for number in sorted(who)]
        assigned = slots.assign(people, stamp, camera)
        assert len(set(numbers(assigned))) == len(people)
        for one, slot in zip(people, assigned, strict=True):
            before = transforms.setdefault(slot.number, [])
            others = [seen for seen, holder in before if holder != one.id]
            assert all(stamp - seen > SILENCE_NS for seen in others)
            assert slot.reassigned == bool(others and before[-1][1] != one.id)
            before.append((stamp, one.id))


@pytest.mark.parametrize("visitors", [200])
def test_visitors_do_not_use_up_names(visitors: int) -> None:
    slots = Slots()
    used = {slots.assign([person(f"v{n}")], n * 2 * SECOND + SECOND)[0].number for n in range(visitors)}
    assert len(used) <= SILENCE_NS // (2 * SECOND) + 2
