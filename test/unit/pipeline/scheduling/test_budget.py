"""Steps down in their order when frames are slow, and back when there is room; costs are told, never measured."""

from __future__ import annotations

import pytest

from smplerx_ros.pipeline.scheduling.budget import FULL, INTERVAL_FACTOR, MIN_PATIENCE, WINDOW, Effort, LatencyBudget

BUDGET = 0.050


def spend(budget: LatencyBudget, cost: float, frames: int = WINDOW, people: int = 1) -> Effort:
    for _ in range(frames):
        budget.record(cost, people)
    return budget.effort


def test_within_the_budget_nothing_changes():
    assert spend(LatencyBudget(BUDGET, 2), 0.045, 1000, people=8) == FULL


def test_the_order_of_the_steps():
    budget, people, steps = LatencyBudget(BUDGET, 2), 9, []
    for _ in range(8):
        steps.append(spend(budget, 0.1, people=people))
        people = min(people, steps[-1].people or people)
    factor = INTERVAL_FACTOR
    assert steps[:4] == [
        Effort(factor),
        Effort(factor, 4),
        Effort(factor, 2),
        Effort(factor, 1),
    ]
    assert steps[4:] == [Effort(factor, 1, 1)] + 3 * [Effort(factor, 1, 2)]  # then nothing is left


def test_one_person_alone_is_never_left_out():
    budget = LatencyBudget(BUDGET)  # without fallbacks
    assert spend(budget, 0.1, 10 * WINDOW, people=1) == Effort(INTERVAL_FACTOR)


def test_single_slow_frames_do_not_count():
    budget = LatencyBudget(BUDGET)
    for _ in range(100):
        assert spend(budget, 0.04, 9) == FULL
        assert spend(budget, 0.5, 1) == FULL


def test_back_in_reverse_order_when_there_is_room():
    budget = LatencyBudget(BUDGET, 1)
    down = [FULL] + [spend(budget, 0.1, people=2) for _ in range(3)]
    assert down[-1] == Effort(INTERVAL_FACTOR, 1, 1)
    up = [spend(budget, 0.01, MIN_PATIENCE * WINDOW, people=1) for _ in range(3)]
    assert up == down[-2::-1]


def test_close_to_the_budget_it_stays_where_it_is():
    budget = LatencyBudget(BUDGET)
    below = spend(budget, 0.1, people=4)
    assert below != FULL
    assert spend(budget, 0.045, 100 * WINDOW, people=4) == below


def test_with_room_from_the_start_nothing_changes():
    assert spend(LatencyBudget(BUDGET, 2), 0.01, 1000, people=8) == FULL


def test_each_step_back_takes_the_whole_patience():
    budget = LatencyBudget(BUDGET)
    lowest, middle = reversed([spend(budget, 0.1, people=2) for _ in range(2)])
    for now, then in ((lowest, middle), (middle, FULL)):
        assert spend(budget, 0.01, MIN_PATIENCE * WINDOW - 1) == now
        assert spend(budget, 0.01, 1) == then


def test_windows_with_room_count_in_a_row_only():
    budget = LatencyBudget(BUDGET)
    below = spend(budget, 0.1)
    spend(budget, 0.01, (MIN_PATIENCE - 1) * WINDOW)
    spend(budget, 0.045)  # within the budget, but without headroom
    assert spend(budget, 0.01, (MIN_PATIENCE - 1) * WINDOW) == below
    assert spend(budget, 0.01) == FULL


@pytest.mark.parametrize(
    ("effort", "text"),
    [
        (FULL, ""),
        (Effort(people=1), "at most 1 person"),
        (Effort(people=2, backbone=1), "at most 2 people, backbone small"),
        (Effort(INTERVAL_FACTOR, backbone=2), f"detection {INTERVAL_FACTOR} times as seldom, backbone small"),
    ],
)
def test_reductions_are_described(effort, text):
    assert effort.describe("small") == text


def changes(cost_of: dict[Effort, float], frames: int) -> list[int]:
    """Frames at which the effort changes where each effort has its cost."""
    budget, found = LatencyBudget(BUDGET), []
    for k in range(frames):
        before = budget.effort
        budget.record(cost_of[before], 1)
        if budget.effort != before:
            found.append(k)
    return found


def test_a_way_back_that_fails_is_tried_less_and_less_often():
    found = changes({FULL: 0.1, Effort(INTERVAL_FACTOR): 0.01}, 6000)
    tries = [later - earlier for earlier, later in zip(found[::2], found[1::2], strict=False)]
    assert tries[0] == MIN_PATIENCE * WINDOW
    assert tries == sorted(tries)
    assert tries[-1] >= 8 * tries[0]


@pytest.mark.parametrize("room", [0.01, 0.03])
def test_all_the_effort_returns_after_an_overload(room):
    budget = LatencyBudget(BUDGET, 2)
    spend(budget, 0.2, 200, people=8)
    assert budget.effort != FULL
    assert spend(budget, room, 40 * MIN_PATIENCE * WINDOW, people=1) == FULL
