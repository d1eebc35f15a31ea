"""The benchmarks' command line: what it refuses, and what its reports hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smplerx_ros.cli import EXIT_FAILED, main
from smplerx_ros.errors import InputError
from smplerx_ros.evaluation.report import machine, write_report


def test_a_folder_without_the_clip_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "multiview", "--data", str(tmp_path)]) == EXIT_FAILED
    assert str(tmp_path) in capsys.readouterr().err


def test_a_benchmark_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench"])
    assert "BENCHMARK" in capsys.readouterr().err


def test_a_report_holds_numbers_text_and_what_made_them(tmp_path: Path) -> None:
    write_report(tmp_path / "new", "name", {"error": 0.5}, "| a table |", "smplerx bench", machine())
    kept = json.loads((tmp_path / "new" / "name.json").read_text())
    assert kept["error"] == 0.5
    assert kept["command"] == "smplerx bench"
    assert kept["machine"]["cores"] >= 1
    page = (tmp_path / "new" / "name.md").read_text()
    assert "| a table |" in page
    assert "smplerx bench" in page


def test_a_report_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        write_report(tmp_path / "file", "name", {}, "", "", {})
