"""`convert` and `doctor` as a user types them."""

from __future__ import annotations

import shutil
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from smplerx_ros.backbones.smpler_x import convert as convert_module
from smplerx_ros.backbones.smpler_x.bundle import Bundle, FileRecord
from smplerx_ros.cli import doctor, main


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SMPLERX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def bundle_at(directory: Path) -> Bundle:
    directory.mkdir(parents=True)
    (directory / "model.onnx").write_bytes(b"weights")
    record = FileRecord.of(directory / "model.onnx")
    bundle = Bundle(directory, "s32", "onnx", "fp32", (record,), record, self_check={"rotation": 2e-5})
    bundle.save()
    return bundle


def test_convert_passes_its_options_on_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: dict[str, Any] = {}

    def convert(checkpoint: Path, out: Path, **options: Any) -> Bundle:
        seen.update(options, checkpoint=checkpoint, out=out)
        for step in convert_module.STEPS:
            options["progress"](step)
        return bundle_at(out)

    monkeypatch.setattr(convert_module, "convert", convert)
    checkpoint = tmp_path / "smpler_x_s32.pth.tar"
    assert main(["convert", str(checkpoint), "--precision", "fp16", "--backbone", "s32"]) == 0
    assert seen["out"] == tmp_path / "smpler_x_s32-onnx-fp16"
    assert (seen["runtime"], seen["precision"], seen["backbone"].name) == ("onnx", "fp16", "s32")
    printed = capsys.readouterr()
    assert "rotation 2.0e-05" in printed.out
    assert f"weights:={seen['out']}" in printed.out
    assert "4/4" in printed.err


def test_convert_refuses_what_is_no_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(tmp_path / "absent.pth.tar")]) == 2
    assert "absent.pth.tar: no such file" in capsys.readouterr().err


def test_doctor_lists_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle_at(tmp_path / "mine")
    assert main(["doctor", str(tmp_path / "mine")]) == 0
    report = capsys.readouterr().out
    for word in (
        "CPUExecutionProvider",
        "smpler_x_s32.pth.tar",
        "https://smpl-x.is.tue.mpg.de",
        "standin",
        "mine: s32",
    ):
        assert word in report


def test_doctor_finds_damage_in_the_cache(empty_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = bundle_at(empty_cache / "bundles" / "s32")
    bundle.model_path.write_bytes(b"weighty")
    assert main(["doctor"]) == 1
    assert "BAD: bundle file" in capsys.readouterr().out


def test_doctor_says_what_is_wrong_with_a_body_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "SMPLX_NEUTRAL.npz").write_bytes(b"<html>")
    assert main(["doctor", str(tmp_path / "SMPLX_NEUTRAL.npz")]) == 1
    assert "SMPLX_NEUTRAL.npz" in capsys.readouterr().out


def test_doctor_tells_of_ros_and_its_absence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there: set[str] = set()
    monkeypatch.setattr(doctor, "find_spec", lambda name: name if name in there else None)
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    for name, words in (
        ("", "no ROS 2"),
        ("rclpy", "messages are not built"),
        ("smplerx_ros.msg", "ROS 2 jazzy, messages"),
    ):
        there.add(name)
        main(["doctor"])
        assert words in capsys.readouterr().out


def test_doctor_warns_of_two_onnx_runtimes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    assert "WARNING" not in capsys.readouterr().out
    monkeypatch.setattr(doctor, "_version", lambda name: "1.20" if name.startswith("onnxruntime") else None)
    main(["doctor"])
    report = capsys.readouterr().out
    assert "WARNING: onnxruntime and onnxruntime-gpu" in report
    assert "torch: not installed" in report
    assert "pip install 'smplerx_ros[torch]'" in report


def test_doctor_without_onnx_runtime(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    main(["doctor"])
    assert "onnx: not usable" in capsys.readouterr().out


def test_doctor_finds_a_damaged_embedded_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = Path(shutil.copytree(Path(str(files("smplerx_ros"))) / "assets", tmp_path / "assets"))
    monkeypatch.setattr(doctor, "files", lambda package: tmp_path)
    assert main(["doctor"]) == 0
    assert "embedded files, hashes right" in capsys.readouterr().out
    (copied / "hand.onnx").write_bytes(b"")
    assert main(["doctor"]) == 1
    assert "BAD: embedded hand.onnx" in capsys.readouterr().out
