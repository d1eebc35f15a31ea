"""The soak test in a minute; `make soak` takes an hour."""

from __future__ import annotations

from pathlib import Path

import pytest

from soak import PEOPLE, STRANGERS, grown, soak

SECONDS = 60


@pytest.mark.slow
def test_nothing_grows(tmp_path: Path) -> None:
    table = soak(SECONDS, tmp_path)
    start, end, _ = table[PEOPLE]
    assert end - start >= STRANGERS
    assert not grown(table), table


def test_growth_is_noticed() -> None:
    people = {PEOPLE: (500, 1500, 1500)}
    assert grown({"RSS (KiB)": (1000, 1009, 1020), "threads": (7, 7, 9)} | people) == []
    assert grown({"RSS (KiB)": (1000, 1011, 1011), "threads": (7, 8, 8)} | people) == ["RSS (KiB)", "threads"]
