"""OnnxNetwork on CUDA, played by the CPU: which options it asks for, and what it does where graphs are refused."""

from __future__ import annotations

from importlib import resources
from threading import Event, Thread
from typing import ClassVar

import numpy as np
import onnxruntime
import pytest

from smplerx_ros.errors import DeviceError
from smplerx_ros.runtime import providers
from smplerx_ros.runtime.binding import GPU_LOCK
from smplerx_ros.runtime.onnx import OnnxNetwork
from smplerx_ros.runtime.providers import CPU, CUDA

NO_ROOM = "bfc_arena.cc Failed to allocate memory for requested buffer of size 150994944"
NOT_ALL = "This session cannot use the graph capture feature as requested by the user"
CAPTURING = "CUDA failure 900: operation not permitted when stream is capturing"


class Binding(onnxruntime.IOBinding):
    """Knows how many rows are bound; ONNX Runtime has no name for that."""

    rows = 0

    def bind_ortvalue_input(self, name, value):
        if name == "image":
            self.rows = value.shape()[0]
        super().bind_ortvalue_input(name, value)


class Cuda(onnxruntime.InferenceSession):
    """A session on the CPU that says it is on CUDA."""

    opened: ClassVar[list[Cuda]] = []
    refuses_graphs: ClassVar[str] = ""  # why it does not open with them
    fails_to_capture: ClassVar[str] = ""
    room = 16  # rows; more of them fail
    lost = False  # the next session is on the CPU

    def __init__(self, model, options, providers):
        self.asked = dict(providers)
        if self.graphs and self.refuses_graphs:
            raise RuntimeError(self.refuses_graphs)
        super().__init__(model, options, providers=[CPU])
        self.on = [CPU] if Cuda.lost else [CUDA, CPU]
        self.sizes: list[int] = []
        Cuda.opened.append(self)

    @property
    def graphs(self) -> bool:
        return "enable_cuda_graph" in self.asked.get(CUDA, {})

    def get_providers(self):
        return self.on

    def io_binding(self):
        return Binding(self)

    def run_with_iobinding(self, iobinding, run_options=None):
        rows = iobinding.rows
        self.sizes.append(rows)
        if rows > self.room:
            raise RuntimeError(NO_ROOM)
        graph = run_options is not None and int(run_options.get_run_config_entry("gpu_graph_id")) > 0
        if graph and self.fails_to_capture:
            raise RuntimeError(self.fails_to_capture)
        super().run_with_iobinding(iobinding, run_options)


@pytest.fixture(autouse=True)
def cuda(monkeypatch: pytest.MonkeyPatch) -> type[Cuda]:
    monkeypatch.setattr(onnxruntime, "InferenceSession", Cuda)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "__version__", "1.18.0")  # the first version with several graphs
    monkeypatch.setitem(providers.MEMORY, CUDA, "cpu")
    for name, value in (
        ("opened", []),
        ("refuses_graphs", ""),
        ("fails_to_capture", ""),
        ("room", 16),
        ("lost", False),
    ):
        monkeypatch.setattr(Cuda, name, value)
    return Cuda


@pytest.fixture(scope="module")
def content() -> bytes:
    return (resources.files("smplerx_ros") / "assets" / "hand_recrop.onnx").read_bytes()


def images(rows: int) -> np.ndarray:
    return np.random.default_rng(rows).random((rows, 256, 256, 3), np.float32)


def answers_rightly(network: OnnxNetwork, content: bytes, rows: int) -> None:
    plain = onnxruntime.InferenceSession.__base__(content, providers=[CPU]).run(None, {"image": images(rows)})
    for answer, expected in zip(network.run({"image": images(rows)}).values(), plain, strict=True):
        np.testing.assert_allclose(answer, expected, atol=1e-4)


def test_graphs_are_asked_for_only_where_few_shapes_are_promised(content: bytes, cuda: type[Cuda]) -> None:
    answers_rightly(OnnxNetwork(content, device="cuda", bind=True), content, 2)
    answers_rightly(OnnxNetwork(content, device="cuda", cuda_graphs=True), content, 2)
    assert [session.graphs for session in cuda.opened] == [False, True]
    assert len(cuda.opened[0].sizes) == 1


def test_nothing_is_bound_or_captured_unasked(content: bytes, cuda: type[Cuda]) -> None:
    answers_rightly(OnnxNetwork(content, device="cuda"), content, 2)
    assert [session.graphs for session in cuda.opened] == [False]
    assert cuda.opened[0].sizes == []  # no run with bound memory


def test_plain_runs_wait_for_a_capture_in_another_thread(
    content: bytes, cuda: type[Cuda], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(providers.MEMORY, CUDA, "cuda")
    network = OnnxNetwork(content, device="cuda")
    done = Event()
    thread = Thread(target=lambda: (network.run({"image": images(1)}), done.set()))
    with GPU_LOCK:  # as a capture holds it
        thread.start()
        assert not done.wait(0.3)
    assert done.wait(30)
    thread.join()


def test_none_on_the_cpu_nor_beside_tensorrt(content: bytes, cuda: type[Cuda], monkeypatch: pytest.MonkeyPatch) -> None:
    OnnxNetwork(content, device="cpu", cuda_graphs=True)
    trt = "TensorrtExecutionProvider"
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [trt, CUDA, CPU])
    OnnxNetwork(content, device="tensorrt", cuda_graphs=True)
    assert not any(session.graphs for session in cuda.opened)


def test_a_network_that_is_refused_runs_without_graphs(
    content: bytes, cuda: type[Cuda], caplog: pytest.LogCaptureFixture
) -> None:
    cuda.refuses_graphs = NOT_ALL
    network = OnnxNetwork(content, device="cuda", cuda_graphs=True)
    assert f"runs without CUDA graphs ({NOT_ALL})" in caplog.text
    answers_rightly(network, content, 3)
    assert cuda.opened[-1].sizes == [3]


def test_a_capture_that_fails_ends_graphs_for_good(
    content: bytes, cuda: type[Cuda], caplog: pytest.LogCaptureFixture
) -> None:
    cuda.fails_to_capture = CAPTURING
    network = OnnxNetwork(content, device="cuda", cuda_graphs=True)
    for rows in (2, 4, 2):
        answers_rightly(network, content, rows)
    assert caplog.text.count(f"runs without CUDA graphs ({CAPTURING})") == 1
    assert [session.graphs for session in cuda.opened] == [True, False]
    assert cuda.opened[1].sizes == [2, 4, 2]


def test_a_device_that_is_lost_meanwhile_is_told(content: bytes, cuda: type[Cuda]) -> None:
    network = OnnxNetwork(content, device="cuda", cuda_graphs=True)
    cuda.fails_to_capture = "CUDA failure 719: unspecified launch failure"
    cuda.lost = True
    with pytest.raises(DeviceError, match=r"the device failed \(CUDA failure 719"):
        network.run({"image": images(2)})
    assert network.provider == CUDA


def test_batches_that_do_not_fit_run_in_smaller_ones_with_graphs(
    content: bytes, cuda: type[Cuda], caplog: pytest.LogCaptureFixture
) -> None:
    network = OnnxNetwork(content, device="cuda", cuda_graphs=True)
    answers_rightly(network, content, 2)
    cuda.room = 4
    answers_rightly(network, content, 16)
    assert "continuing with 4" in caplog.text
    assert "without CUDA graphs" not in caplog.text
    (session,) = cuda.opened
    assert set(session.sizes[4:]) == {16, 8, 4}  # what was captured for 2 has been given back
    answers_rightly(network, content, 2)
