"""The ROS linters, with this repository's line length and docstring convention (Google's, which ruff checks too)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Imports whose dependency has another name; None: an extra of the wheel, or a package without a rosdep key.
DEPENDENCIES = {
    **{"cv2": "python3-opencv", "PIL": "python3-pil", "yaml": "python3-yaml", "tf2_ros": "tf2_ros_py"},
    **{name: f"python3-{name}" for name in ("numpy", "scipy", "tqdm")},
    **dict.fromkeys(
        ("av", "onnx", "onnx_ir", "onnxruntime", "onnxscript", "pi_heif", "safetensors", "timm", "torch", "viser")
    ),
}
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


def test_the_manifest_names_what_is_imported_and_no_more() -> None:
    manifest = ElementTree.parse(ROOT / "package.xml")
    named = {str(element.text) for kind in ("depend", "exec_depend") for element in manifest.iter(kind)}
    needed = {DEPENDENCIES.get(name, name) for name in imported()} - {None, "smplerx_ros"}
    assert named - {"rosidl_default_runtime"} == needed


def imported() -> Iterator[str]:
    """Top-level names that the package and its launch files import, without Python's own."""
    for file in (*(ROOT / "smplerx_ros").rglob("*.py"), *(ROOT / "launch").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names.append(node.module or "")
            yield from {name.partition(".")[0] for name in names} - sys.stdlib_module_names


def test_changelog_is_one_that_bloom_reads() -> None:
    """Bloom reads sections named "version (date)"; `catkin_prepare_release` gives the first one such a name."""
    changelog = pytest.importorskip("catkin_pkg.changelog")
    text = (ROOT / "CHANGELOG.rst").read_text()
    text = text.replace("\nForthcoming\n-----------\n", "\n99.0.0 (2030-01-01)\n-------------------\n")
    read = changelog.populate_changelog_from_rst(changelog.Changelog("smplerx_ros"), text)
    titles = re.findall(r"^(\d\S*) \(", text, re.MULTILINE)
    assert [str(version) for version, _, _ in read.foreach_version()] == titles
    assert titles
    bullets = [line for line in str(read).splitlines() if line.lstrip().startswith("* ")]
    assert len(bullets) == text.count("\n* ")
