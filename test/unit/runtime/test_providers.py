"""Which execution providers are chosen, and where TensorRT keeps its engines; no GPU is needed."""

from __future__ import annotations

import logging
from pathlib import Path

import onnxruntime
import pytest

from smplerx_ros.errors import ConfigError
from smplerx_ros.runtime import providers
from smplerx_ros.runtime.providers import CPU, has_cuda_graphs, provider_options, select_providers

CUDA, TENSORRT, OPENVINO = "CUDAExecutionProvider", "TensorrtExecutionProvider", "OpenVINOExecutionProvider"


def test_unknown_device_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=r"'gpu0'.*auto.*cuda"):
        select_providers("gpu0", [CPU])


@pytest.mark.parametrize(
    ("device", "available", "expected"),
    [
        ("auto", [CUDA, CPU], [CUDA, CPU]),
        ("auto", [TENSORRT, CPU], [CPU]),
        ("cpu", [CUDA, CPU], [CPU]),
        ("tensorrt", [TENSORRT, CUDA, CPU], [TENSORRT, CUDA, CPU]),
    ],
)
def test_providers_follow_device(
    device: str, available: list[str], expected: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert select_providers(device, available) == expected
    assert not caplog.records


def test_lesser_provider_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert select_providers("tensorrt", [CUDA, CPU]) == [CUDA, CPU]
    assert TENSORRT in caplog.text
    assert CUDA in caplog.text


@pytest.mark.parametrize("provider", [CPU, OPENVINO])
def test_other_providers_need_no_options(provider: str) -> None:
    assert provider_options(provider, cuda_graphs=True, half=True) == {}


def test_openvino_has_threads_of_its_own() -> None:
    assert provider_options(OPENVINO, threads=3) == {"num_of_threads": "3"}
    assert provider_options(CPU, threads=3) == {}  # the session's


def test_float32_is_not_rounded_and_graphs_only_where_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "__version__", "1.18.0")
    assert provider_options(CUDA, half=True) == {"use_tf32": "0"}
    assert provider_options(CUDA, cuda_graphs=True) == {"use_tf32": "0", "enable_cuda_graph": "1"}


@pytest.mark.parametrize(("version", "has"), [("1.17.3", False), ("1.18.0", True), ("1.32.0", True), ("2.0.1", True)])
def test_an_old_runtime_has_no_graphs(
    version: str, has: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It would replay the graph of one batch for another, and refuse an option that it does not know."""
    monkeypatch.setattr(onnxruntime, "__version__", version)
    assert has_cuda_graphs() == has
    assert ("no CUDA graphs: ONNX Runtime 1.17.3 is older" in caplog.text) != has
    assert bool(provider_options(CUDA)) == has


@pytest.mark.parametrize("half", [True, False])
def test_tensorrt_may_compute_in_half_only_what_was_converted_to_it(
    half: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMPLERX_CACHE", str(tmp_path))
    assert (provider_options(TENSORRT, half=half).get("trt_fp16_enable") == "True") == half


@pytest.mark.parametrize(
    ("information", "key"),
    [
        ("Model: \t NVIDIA RTX A2000\nIRQ: 1\n", "NVIDIA_RTX_A2000-"),
        ("NVIDIA Jetson Orin Nano\0", "NVIDIA_Jetson_Orin"),
    ],
)
def test_engines_are_kept_by_gpu_and_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, information: str, key: str
) -> None:
    (tmp_path / "gpu").write_text(information)
    monkeypatch.setattr(providers, "_GPU_FILES", (str(tmp_path / "nothing" / "*"), str(tmp_path / "g*")))
    monkeypatch.setenv("SMPLERX_CACHE", str(tmp_path / "cache"))
    options = provider_options(TENSORRT)
    folder = Path(options["trt_engine_cache_path"])
    assert options["trt_engine_cache_enable"] == options["trt_timing_cache_enable"] == "True"
    assert folder.is_dir()
    assert folder.is_relative_to(tmp_path / "cache")
    assert folder.name.startswith(key)
    assert folder.name.endswith(f"onnxruntime-{onnxruntime.__version__}")


def test_a_cache_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SMPLERX_CACHE", str(tmp_path / "file"))
    assert provider_options(TENSORRT) == {}
    assert "every start" in caplog.text
