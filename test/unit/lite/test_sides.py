"""Left and right: single wrong frames are undone, lasting ones and fast ones are believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smplerx_ros.lite.landmarks import BodyLandmarks
from smplerx_ros.lite.sides import GROUPS, MAX_HELD, keep_sides


@pytest.fixture
def body() -> BodyLandmarks:
    rng = np.random.default_rng(2)
    return BodyLandmarks(
        score=1.0,
        points=rng.uniform(0, 400, (39, 3)),
        visibility=rng.random(33),
        presence=rng.random(33),
        world=rng.normal(size=(33, 3)),
        roi=np.array([200.0, 200, 500, 0]),
    )


def _exchanged(body: BodyLandmarks, groups: tuple[np.ndarray, ...]) -> BodyLandmarks:
    order = np.arange(39)
    for pairs in groups:
        order[pairs] = pairs[:, ::-1]
    first = order[:33]
    fields = {name: getattr(body, name)[first] for name in ("visibility", "presence", "world")}
    return replace(body, points=body.points[order], **fields)


@pytest.mark.parametrize("groups", [GROUPS[:1], GROUPS[1:], GROUPS])
def test_an_exchange_is_undone(body: BodyLandmarks, groups: tuple[np.ndarray, ...]) -> None:
    kept = keep_sides(_exchanged(body, groups), body, 0.03)
    for name in ("points", "visibility", "presence", "world"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(body, name))
    assert sum(kept.held) == pytest.approx(0.03 * len(groups))


def test_a_moving_body_is_left_alone(body: BodyLandmarks) -> None:
    moved = replace(body, points=body.points + 15)
    kept = keep_sides(moved, body, 0.03)
    np.testing.assert_array_equal(kept.points, moved.points)
    assert kept.held == (0.0, 0.0)


def test_an_exchange_that_lasts_is_believed(body: BodyLandmarks) -> None:
    other = _exchanged(body, GROUPS)
    last = body
    for _ in range(round(MAX_HELD / 0.1)):
        last = keep_sides(other, last, 0.1)
        np.testing.assert_array_equal(last.points, body.points)
    last = keep_sides(other, last, 0.1)
    np.testing.assert_array_equal(last.points, other.points)
    assert keep_sides(other, last, 0.1).held == (0.0, 0.0)


def test_groups_are_pairs_of_all_sided_points() -> None:
    indices = np.concatenate([pairs.ravel() for pairs in GROUPS])
    assert sorted(indices) == list(range(1, 33))
