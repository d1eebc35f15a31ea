"""What benchmarks/node_overhead.py takes the time of is there: it goes by the names of functions."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_functions_of_all_parts_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    parts = importlib.import_module("node_overhead").PARTS
    missing = [(part, name) for part, timed in parts.items() for owner, name in timed if not hasattr(owner, name)]
    assert missing == []
