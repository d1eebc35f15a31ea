"""The ROS linters, with this repository's line length and docstring convention (PEP 257, summary on the first line)."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [str(ROOT / folder) for folder in ("smplerx_ros", "launch", "test", "scripts")]


def test_flake8() -> None:
    flake8 = pytest.importorskip("ament_flake8.main")
    config = str(ROOT / ".flake8")
    count, errors = flake8.main_with_errors(argv=["--config", config, *SOURCES])
    assert count == 0, "\n".join(errors)


def test_pep257() -> None:
    pep257 = pytest.importorskip("ament_pep257.main")
    # Docstrings where they say something (D1xx), in wording of our own (D400 to D403); the layout is PEP 257's.
    ignored = [f"D{number}" for number in (*range(100, 108), *range(400, 404))]
    code = pep257.main(argv=["--convention", "pep257", "--add-ignore", *ignored, "--", *SOURCES])
    assert code == 0


def test_package_manifests() -> None:
    package = pytest.importorskip("catkin_pkg.package")
    for manifest in [ROOT / "package.xml", *(ROOT / "test" / "interfaces").glob("*/package.xml")]:
        warnings: list[str] = []
        parsed = package.parse_package(str(manifest), warnings=warnings)
        assert not warnings
        assert parsed.package_format == 3
        assert parsed.licenses
