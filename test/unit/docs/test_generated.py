"""Generated reference pages are current, and the page of the Python API names what is public."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys

import pytest

from support.paths import ROOT


@pytest.mark.parametrize("script", ["scripts/generate_reference_docs.py", "docs/images/architecture.py"])
def test_what_is_generated_is_current(script: str) -> None:
    result = subprocess.run([sys.executable, ROOT / script, "--check"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_reference_names_the_whole_api() -> None:
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    named = {name.rpartition(".")[2] for name in re.findall(r"^\.\. auto\w+:: (\S+)", page, re.MULTILINE)}
    packages = ("smplerx_ros", "smplerx_ros.research.evaluation", "smplerx_ros.ros")
    assert named == {name for package in packages for name in importlib.import_module(package)._PUBLIC}
