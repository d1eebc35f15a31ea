"""Lines of pages, README, changelog and parameter files have at most 120 characters."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.paths import ROOT

LIMIT = 120
GENERATED = {"parameters.md", "message_definitions.md", "command_line.md"}
FILES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.rst")),
    *sorted((ROOT / "config").glob("*.yaml")),
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name not in GENERATED),
]


def long_lines(text: str) -> list[str]:
    """Lines above the limit, without table rows and lines that are a URL alone, which cannot be broken."""
    lines = (line for line in text.splitlines() if len(line) > LIMIT and not line.lstrip().startswith("|"))
    return [line for line in lines if not ("://" in line and len(line.split()) == 1)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_lines_are_short(path: Path) -> None:
    assert long_lines(path.read_text(encoding="utf-8")) == []


def test_long_lines_are_seen() -> None:
    word = "ä" * LIMIT
    assert long_lines(f"{word}\n{word}x\n| {word} |\nhttps://{word}\na {word}\n") == [f"{word}x", f"a {word}"]
