"""The ROS linters, with this repository's line length and docstring convention (PEP 257, summary on the first line)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [str(ROOT / folder) for folder in ("smplerx_ros", "launch", "test", "scripts", "docs")]


def lint(module: str, *arguments: str) -> None:
    """Run a linter as a process of its own: flake8 forks, and a fork of what ROS nodes have run in may crash."""
    pytest.importorskip(module)
    command = [sys.executable, "-m", module, *arguments, *SOURCES]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_flake8() -> None:
    lint("ament_flake8.main", "--config", str(ROOT / ".flake8"))


def test_pep257() -> None:
    # Docstrings where they say something (D1xx), in wording of our own (D400 to D403); the layout is PEP 257's.
    ignored = [f"D{number}" for number in (*range(100, 108), *range(400, 404))]
    lint("ament_pep257.main", "--convention", "pep257", "--add-ignore", *ignored, "--")


def test_package_manifests() -> None:
    package = pytest.importorskip("catkin_pkg.package")
    folders = [ROOT, ROOT / "docs" / "examples", *(ROOT / "test" / "interfaces").iterdir()]
    for manifest in [folder / "package.xml" for folder in folders]:
        warnings: list[str] = []
        parsed = package.parse_package(str(manifest), warnings=warnings)
        assert not warnings
        assert parsed.package_format == 3
        assert parsed.licenses
