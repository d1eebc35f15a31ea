"""A network that is given crops cut on its device, in filled-up batches: what it answers, against OpenCV's crops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smplerx_ros.backbones.smpler_x import loading
from smplerx_ros.backbones.smpler_x.estimation import NetworkBackbone
from smplerx_ros.backbones.smpler_x.loading import _cropper_beside
from smplerx_ros.backbones.smpler_x.model import Model
from smplerx_ros.config.table import PARAMETERS
from smplerx_ros.errors import ConfigError
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.runtime import providers
from smplerx_ros.runtime.crops import Cropper
from smplerx_ros.runtime.onnx import OnnxNetwork
from smplerx_ros.types import PARAM_SIZES, BodyEstimate, Frame, Observation
from support import parity
from support.bodies import standin
from support.small_networks import export_small, small

torch = pytest.importorskip("torch")
pytest.importorskip("timm")
pytest.importorskip("onnxscript")

SMALL = small("smplest_x_h")


@pytest.fixture(scope="module")
def file(once: Any) -> Path:
    return Path(once("smplest_x_h_small", lambda path: export_small("smplest_x_h", path))) / "model.onnx"


class OnGpu(OnnxNetwork):
    """Says that it is, so that batches are filled up."""

    sizes: list[int]

    @property
    def provider(self) -> str:
        return "CUDAExecutionProvider"

    def run(self, inputs: Any) -> dict[str, Any]:
        self.sizes = [*getattr(self, "sizes", []), len(inputs["image"])]
        return super().run(inputs)


@pytest.fixture
def on_gpu(file: Path, monkeypatch: pytest.MonkeyPatch) -> OnGpu:
    monkeypatch.setitem(providers.MEMORY, "CUDAExecutionProvider", "cpu")
    return OnGpu(file, threads=1, bind=True)


def observations(count: int) -> list[Observation]:
    frames = [Frame(parity.image(10 + n, 480, 640), Camera.from_fov(640, 480), frame_id=f"camera{n}") for n in range(2)]
    boxes = [Box(30 * n, 60 + 5 * n, 30 * n + 120, 400, 0.9) for n in range(count)]
    return [Observation(frames[n >= count - 2], f"p{n}", box) for n, box in enumerate(boxes)]


def apart(ours: list[BodyEstimate | None], theirs: list[BodyEstimate | None]) -> dict[str, float]:
    """The largest differences by parameter."""
    pairs = [(a.params, b.params) for a, b in zip(ours, theirs, strict=True) if a is not None and b is not None]
    assert len(pairs) == len(ours)
    return {
        name: max(float(np.nanmax(np.abs(getattr(a, name) - getattr(b, name)), initial=0)) for a, b in pairs)
        for name in PARAM_SIZES
    }


@pytest.mark.parametrize("count", [1, 5, 17])
def test_people_are_the_same(file: Path, on_gpu: OnGpu, count: int) -> None:
    body, people = standin(), observations(count)
    expected = NetworkBackbone(Model(SMALL, OnnxNetwork(file, threads=1), "onnx", "fp32"), body).estimate(people)
    given = NetworkBackbone(Model(SMALL, on_gpu, "onnx", "fp32"), body).estimate(people)
    assert max(apart(given, expected).values()) < 1e-3
    cut = NetworkBackbone(Model(SMALL, on_gpu, "onnx", "fp32", Cropper("cpu")), body).estimate(people)
    assert max(apart(cut, expected).values()) < 2e-2  # OpenCV rounds places to 1/32 pixel
    assert on_gpu.sizes == 2 * {1: [1], 5: [8], 17: [16, 1]}[count]


def test_crops_are_cut_beside_a_network_on_a_gpu_alone(file: Path, on_gpu: OnGpu, monkeypatch: Any) -> None:
    made: list[str] = []

    class There(Cropper):
        memory = "cuda"

        def __init__(self, device: str) -> None:
            made.append(device)

    monkeypatch.setattr("smplerx_ros.backbones.smpler_x.loading.Cropper", There)
    assert _cropper_beside(OnnxNetwork(file)) is None
    monkeypatch.setitem(providers.MEMORY, "CUDAExecutionProvider", "cuda")
    assert isinstance(_cropper_beside(on_gpu), There)
    monkeypatch.setattr(There, "memory", "cpu")  # its session did not start there
    assert _cropper_beside(on_gpu) is None
    assert made == ["cuda", "cuda"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What networks are asked for, on a GPU that is played."""
    seen: list[dict[str, Any]] = []

    class Asked(OnGpu):
        memory = "cuda"

        def __init__(self, path: Path, **options: Any) -> None:
            seen.append(options)
            super().__init__(path)

    class There(Cropper):
        memory = "cuda"

        def __init__(self, device: str) -> None:
            pass

    monkeypatch.setattr(loading, "OnnxNetwork", Asked)
    monkeypatch.setattr(loading, "Cropper", There)
    return seen


@pytest.mark.parametrize(
    ("mode", "bound", "crops", "graphs"),
    [
        ({}, False, False, False),
        ({"gpu_mode": "plain"}, False, False, False),
        ({"gpu_mode": "bound"}, True, False, False),
        ({"gpu_mode": "crops"}, True, True, False),
        ({"gpu_mode": "graphs"}, True, True, True),
    ],
)
def test_what_was_never_on_a_gpu_is_off_until_it_is_asked_for(
    file: Path,
    asked: list[dict[str, Any]],
    mode: dict[str, Any],
    bound: bool,
    crops: bool,
    graphs: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    loaded = loading.onnx_model(SMALL, file, device="cuda", precision="fp32", **mode)
    assert [(each["bind"], each["cuda_graphs"]) for each in asked] == [(bound, graphs)]
    assert (loaded.cropper is not None) == crops
    assert ("gpu_check.py" in caplog.text) == bound


def test_a_wrong_gpu_mode_is_named(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"gpu_mode 'fast'.*plain, bound, crops, graphs"):
        loading.onnx_model(SMALL, file, device="cuda", precision="fp32", gpu_mode="fast")
    with pytest.raises(ConfigError, match=r"gpu_mode 'graphs' is for runtime 'onnx'"):
        loading.load_model("s32", file, runtime="torch", gpu_mode="graphs")
    (offered,) = (parameter for parameter in PARAMETERS if parameter.name == "gpu_mode")
    assert (offered.choices, offered.default) == (loading.GPU_MODES, "plain")
