"""The benchmarks' command line: what it refuses, and what its reports hold."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from smplerx_ros.backbones import registry
from smplerx_ros.cli import EXIT_FAILED, main
from smplerx_ros.errors import InputError
from smplerx_ros.io.report import Report, machine, write_report
from smplerx_ros.tools.bench import networks as bench_networks


def test_a_folder_without_the_clip_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "multiview", "--data", str(tmp_path)]) == EXIT_FAILED
    assert str(tmp_path) in capsys.readouterr().err


def test_a_benchmark_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench"])
    assert "BENCHMARK" in capsys.readouterr().err


def test_json_is_all_that_is_printed_and_what_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_networks, "measure", lambda _: Report("found", {"rows": [{"median": 1.5}]}, "| 1.5 |"))
    assert main(["bench", "networks", "--json", "--out", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["rows"] == [{"median": 1.5}]
    assert printed["machine"] == machine()
    assert printed == json.loads((tmp_path / "found.json").read_text())
    assert "| 1.5 |" in (tmp_path / "found.md").read_text()
    assert main(["bench", "networks"]) == 0
    assert capsys.readouterr().out == "| 1.5 |\n"


@pytest.mark.slow
def test_networks_stand_beside_products_and_the_plain_network(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small network; a device that does not start has no row, and certainly not the CPU's."""
    for needed in ("torch", "timm", "onnxscript"):
        pytest.importorskip(needed)
    small = replace(registry.BACKBONES["s32"], embed_dim=48, depth=1, heads=3, box_channels=16)
    monkeypatch.setattr(registry, "get_backbone", lambda _: small)
    monkeypatch.setattr(bench_networks, "_SIDES", (32, 64))
    command = ["bench", "networks", "--backbone", "s32", "--threads", "1", "--runs", "2", "--device", "cpu", "cuda"]
    assert main([*command, "--json"]) == 0
    plain, fast = json.loads(capsys.readouterr().out)["rows"]
    assert (plain["runtime"], fast["runtime"]) == ("torch eager", "onnx fp32 cpu")
    assert plain["ratio"] == 1.0
    assert fast["ratio"] == pytest.approx(plain["median"] / fast["median"])
    assert fast["gflops"] == pytest.approx(1e3 * fast["gflop"] / fast["median"])
    assert fast["gemm_peak"] == plain["gemm_peak"] > 0


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
