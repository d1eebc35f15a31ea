"""Python in README.md and docs/, in pages and files: it imports public names only, has the right types, and runs."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import av
import pytest
from PIL import Image

import smplerx_ros
from support.paths import ROOT

FILES = sorted((ROOT / "docs" / "examples").glob("**/*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
# With names of their own, in `_PUBLIC`; messages have those of the ROS package.
PACKAGES = ("smplerx_ros", "smplerx_ros.research.evaluation", "smplerx_ros.ros")
MESSAGES = "smplerx_ros.msg"
# What an example needs that is not here; the others run.
NEEDS = {
    "a bundle of SMPLer-X": r"load_model\(",
    "SMPL-X": r"= load_body\(\"",
    "HumanData": r"read_humandata\(",
    "a webcam": r"cv2\.VideoCapture\(0\)",
    "ROS": r"\brclpy\b|\blaunch_ros\b|smplerx_ros\.(ros|msg)\b",
}
BLOCK = re.compile(r"^([ ]*)```python\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
FIRST_SECONDS = 2.0  # of the demo clip: by then both people are in view


@dataclass(frozen=True)
class Example:
    page: Path
    line: int
    code: str

    @property
    def name(self) -> str:
        return f"{self.page.stem}_{self.line}"

    @property
    def missing(self) -> str:
        """What it needs, or nothing."""
        return next((thing for thing, pattern in NEEDS.items() if re.search(pattern, self.code)), "")


def examples() -> list[Example]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            found.append(Example(page, line, dedent(match[2])))
        assert text.count("```python") == len([e for e in found if e.page == page]), page
    return found + [Example(file, 1, file.read_text(encoding="utf-8")) for file in FILES]


EXAMPLES = examples()
RUNNABLE = [example for example in EXAMPLES if not example.missing]


def imported(code: str) -> list[tuple[str, str]]:
    """Modules of this package, and names in them, that a program imports or reaches through the package."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.module or "", alias.name) for alias in node.names]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "smplerx_ros":
            found.append((node.value.id, node.attr))
    return [(module, name) for module, name in found if module.split(".")[0] == "smplerx_ros"]


def is_public(module: str, name: str) -> bool:
    if module == MESSAGES:
        return True
    return module in PACKAGES and (not name or name in importlib.import_module(module)._PUBLIC)


def test_there_are_examples() -> None:
    assert {example.page.name for example in EXAMPLES} >= {"README.md", "python.md", "weights.md", "messages.md"}
    assert {example.page.name for example in RUNNABLE} >= {"README.md", "python.md"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_examples_import_public_names_only(example: Example) -> None:
    assert [names for names in imported(example.code) if not is_public(*names)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_text_imports_public_packages_only(page: Path) -> None:
    """Also outside of blocks marked as Python."""
    text = page.read_text(encoding="utf-8")
    modules = re.findall(r"^\s*(?:from|import) (smplerx_ros[\w.]*)", text, re.MULTILINE)
    assert set(modules) <= {*PACKAGES, MESSAGES}


def test_private_names_are_seen() -> None:
    """The tests above would fail."""
    code = "import smplerx_ros.types\nfrom smplerx_ros.body import load_body\nsmplerx_ros.nothing\nimport numpy.linalg"
    found = [("smplerx_ros.types", ""), ("smplerx_ros.body", "load_body"), ("smplerx_ros", "nothing")]
    assert imported(code) == found
    assert not any(is_public(*names) for names in found)


def test_types(tmp_path: Path) -> None:
    """In the strict mode; names that the package does not have are mistakes. The package has a check of its own."""
    pytest.importorskip("mypy")
    for example in EXAMPLES:
        (tmp_path / f"{example.name}.py").write_text(example.code, encoding="utf-8")
    public = "\n".join(f"from {package} import {name}" for package in PACKAGES for name in public_names(package))
    (tmp_path / "public.py").write_text(public, encoding="utf-8")
    (tmp_path / "wrong.py").write_text("import smplerx_ros\nsmplerx_ros.Nobody\nsmplerx_ros.Frame(3)\n", "utf-8")
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--follow-imports", "silent"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *map(str, sorted(tmp_path.glob("*.py")))],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    *errors, summary = done.stdout.splitlines()
    assert [re.sub(r"^.*/", "", error).split(":")[:2] for error in errors] == [["wrong.py", "2"], ["wrong.py", "3"]], (
        done.stdout
    )
    assert summary.startswith("Found 2 errors in 1 file")


def public_names(package: str) -> list[str]:
    return sorted(importlib.import_module(package)._PUBLIC)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images of people, by the names that examples use."""
    folder = tmp_path_factory.mktemp("pictures")
    with av.open(str(Path(smplerx_ros.__file__).parent / "assets" / "demo_walk.mp4")) as clip:
        image = next(f for f in clip.decode(video=0) if f.time is not None and f.time >= FIRST_SECONDS)
        Image.fromarray(image.to_ndarray(format="rgb24")).save(folder / "people.png")
    for name in ("left", "right"):
        shutil.copy(folder / "people.png", folder / f"{name}.png")
    return folder


@pytest.mark.parametrize("example", RUNNABLE, ids=lambda example: example.name)
def test_examples_run(
    example: Example, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(pictures)
    # A page's line numbers in tracebacks.
    code = compile("\n" * (example.line - 1) + example.code, str(example.page), "exec")
    exec(code, {"__name__": "__main__"})
    assert capsys.readouterr().out.strip() or "print(" not in example.code
