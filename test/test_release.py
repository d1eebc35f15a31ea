"""A release does not go out with the placeholders that only the repository's owner can replace."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLACEHOLDERS = {
    "package.xml": r"@example\.com|github\.com/OWNER\b",
    "CODE_OF_CONDUCT.md": r"TO BE SET BY THE OWNER",
    "README.md": r"github\.com/<owner>",
    "docs/installation.md": r"github\.com/<owner>",
}


def placeholders() -> list[str]:
    return [name for name, pattern in PLACEHOLDERS.items() if re.search(pattern, (ROOT / name).read_text("utf-8"))]


def release_prepared(changelog: str, version: str) -> bool:
    """True once `catkin_prepare_release` has named a section of the changelog by version, or the version is 1.0."""
    return bool(re.search(r"^\d+\.\d+\.\d+ \(", changelog, re.MULTILINE)) or int(version.partition(".")[0]) >= 1


def test_a_release_has_no_placeholders() -> None:
    version = ElementTree.parse(ROOT / "package.xml").findtext("version") or ""
    if release_prepared((ROOT / "CHANGELOG.rst").read_text("utf-8"), version):
        assert not placeholders(), "set these before the release"


@pytest.mark.parametrize(
    ("changelog", "version", "expected"),
    [
        ("Forthcoming\n-----------\n\n* x", "0.1.0", False),
        ("0.2.0 (2027-01-31)\n------------------\n\n* x", "0.2.0", True),
        ("Forthcoming\n-----------\n\n0.2.0 (2027-01-31)\n------------------\n\n* x", "0.2.0", True),
        ("Forthcoming\n-----------\n\n* x", "1.0.0", True),
    ],
)
def test_a_prepared_release_is_recognised(changelog: str, version: str, expected: bool) -> None:
    assert release_prepared(changelog, version) is expected


def test_urls_name_website_repository_and_bug_tracker() -> None:
    kinds = [url.get("type") for url in ElementTree.parse(ROOT / "package.xml").iter("url")]
    assert kinds == ["website", "repository", "bugtracker"]
