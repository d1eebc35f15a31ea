"""The ROS linters, with this repository's line length and docstring convention (Google's, which ruff checks too)."""

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
    # ruff finds missing docstrings (D1xx) in the package; tests need none. D402 and D403 take `name()` for a signature
    # and NumPy for a misspelling.
    ignored = [f"D{number}" for number in (*range(100, 108), 402, 403)]
    lint("ament_pep257.main", "--convention", "google", "--add-ignore", *ignored, "--")


def test_package_manifests() -> None:
    package = pytest.importorskip("catkin_pkg.package")
    folders = [ROOT, ROOT / "docs" / "examples", *(ROOT / "test" / "interfaces").iterdir()]
    for manifest in [folder / "package.xml" for folder in folders]:
        warnings: list[str] = []
        parsed = package.parse_package(str(manifest), warnings=warnings)
        assert not warnings
        assert parsed.package_format == 3
        assert parsed.licenses
