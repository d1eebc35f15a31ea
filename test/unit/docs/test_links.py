"""Every relative link in a Markdown file of the repository leads to a file or folder that the repository has."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from support.paths import ROOT

CODE = re.compile(r"^ *(```|~~~).*?^ *\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
CODE_BLOCK = re.compile(r"^ *(```|~~~).*?^ *\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[^\]]+\]: +(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)
TARGET = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)


def pages() -> list[Path]:
    """Markdown files under version control and new ones; in a copy without Git those of some folders."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        return [path for folder in ("docs", "benchmarks") for path in sorted((ROOT / folder).rglob("*.md"))]
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file()]


def links(text: str) -> list[str]:
    """Targets of links outside of code, without those that name a protocol."""
    found = [first or second for first, second in LINK.findall(CODE.sub("", text))]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """What GitHub and MyST call the headings, and explicit targets."""
    titles = HEADING.findall(CODE_BLOCK.sub("", text))
    slugs = (re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles)
    return {*slugs, *TARGET.findall(text)}


def broken(page: Path) -> list[str]:
    found = []
    for target in links(page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors(path.read_text("utf-8"))):
            found.append(target)
    return found


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


@pytest.mark.parametrize(
    "page",
    [p for p in pages() if p.is_relative_to(ROOT / "docs") and "notes" not in p.parts],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_paths_of_modules(page: Path) -> None:
    """Modules in code spans exist, below the repository or the package; notes keep the names of their time."""
    named = re.findall(r"`([\w./]+/[\w/]+\.py)`", page.read_text(encoding="utf-8"))
    folders = (ROOT, ROOT / "smplerx_ros", ROOT / "smplerx_ros" / "assets")
    assert [name for name in named if not any((folder / name).is_file() for folder in folders)] == []


def test_broken_links_are_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A `title`, more\n\n[here](#a-title-more) [there](#nowhere) [file](missing.md)\n[web](https://x.y/z) "
        "`[code](gone.md)` ![image](gone.png)\n\n[reference]: also_gone.md\n",
        encoding="utf-8",
    )
    assert broken(page) == ["#nowhere", "missing.md", "gone.png", "also_gone.md"]
