"""What a runtime does when its device's memory runs out or the device is lost."""

from __future__ import annotations

import logging
from importlib import resources

import numpy as np
import pytest

from smplerx_ros.errors import DeviceError
from smplerx_ros.runtime.batches import LARGER_AFTER, BatchLimiter, is_out_of_memory
from smplerx_ros.runtime.onnx import OnnxNetwork

# What the libraries say (ONNX Runtime 1.2x, torch 2.x), with their numbers.
MEMORY = (
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running Conv node. "
    "Status Message: bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 150994944",
    "CUDA failure 2: out of memory ; GPU=0 ; hostname=robot ; expr=cudaMalloc(&p, size)",
    "CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total capacity of 7.79 GiB of which 95.19 MiB is free",
    "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0",
)
LOST = (
    "CUDA error: unspecified launch failure",
    "CUDA failure 999: unknown error ; GPU=0 ; hostname=robot",
    "CUDA failure 719: unspecified launch failure ; GPU=0",
)


class Device:
    """Doubles batches of at most `room` rows, and fails with `message` above it."""

    def __init__(self, room: int, message: str = MEMORY[0]) -> None:
        self.room, self.message = room, message
        self.sizes: list[int] = []

    def __call__(self, inputs):
        image = inputs["image"]
        self.sizes.append(len(image))
        if len(image) > self.room:
            raise RuntimeError(self.message)
        return {"twice": 2 * image, "sum": image.sum(axis=1)}


def batch(rows: int) -> dict[str, np.ndarray]:
    return {"image": np.arange(rows * 3, dtype=np.float32).reshape(rows, 3)}


@pytest.mark.parametrize("message", MEMORY)
def test_batches_are_halved_until_they_fit(message: str, caplog: pytest.LogCaptureFixture) -> None:
    device, limiter = Device(3, message), BatchLimiter("network x")
    with caplog.at_level(logging.WARNING):
        answer = limiter.run(device, batch(16))
    np.testing.assert_array_equal(answer["twice"], 2 * batch(16)["image"])
    np.testing.assert_array_equal(answer["sum"], batch(16)["image"].sum(axis=1))
    assert device.sizes == [16, 8, 4, *[2] * 8]
    assert limiter.limit == 2
    assert "network x: out of memory with a batch of 16" in caplog.text
    device.sizes.clear()
    limiter.run(device, batch(4))
    assert device.sizes == [2, 2]  # it remembers


def test_batches_grow_again_when_there_may_be_room() -> None:
    device, limiter = Device(4), BatchLimiter("x")
    limiter.run(device, batch(8))
    for _ in range(LARGER_AFTER):
        limiter.run(device, batch(8))
    assert limiter.limit == 4  # still too small: tried once, and halved again
    device.room = 8
    for _ in range(LARGER_AFTER + 1):
        limiter.run(device, batch(8))
    assert limiter.limit == 8


def test_memory_that_does_not_hold_one_is_an_error_with_the_reason() -> None:
    freed: list[None] = []
    limiter = BatchLimiter("network x", lambda: freed.append(None))
    with pytest.raises(DeviceError, match=r"network x: .*batch of one \(.*Failed to allocate.*smaller backbone"):
        limiter.run(Device(0), batch(4))
    assert len(freed) == 3
    np.testing.assert_array_equal(limiter.run(Device(9), batch(4))["twice"], 2 * batch(4)["image"])


@pytest.mark.parametrize("message", LOST)
def test_a_lost_device_is_told_at_once(message: str) -> None:
    device = Device(0, message)
    with pytest.raises(DeviceError, match=r"the device failed \(.*restart the process"):
        BatchLimiter("x").run(device, batch(8))
    assert device.sizes == [8]


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match=r"^no such input$"):
        BatchLimiter("x").run(Device(0, "no such input"), batch(8))
    assert is_out_of_memory(MemoryError())


def test_outputs_that_are_not_the_batches_are_not_mixed() -> None:
    def run(inputs):
        if len(inputs["image"]) > 1:
            raise MemoryError
        return {"all": np.zeros((1, 5)), "found": np.zeros((7, 5))}

    with pytest.raises(DeviceError, match="cannot be divided"):
        BatchLimiter("x").run(run, batch(2))


def test_an_empty_batch_runs_once() -> None:
    device = Device(4)
    assert len(BatchLimiter("x").run(device, batch(0))["twice"]) == 0
    assert device.sizes == [0]


def test_batches_may_be_kept_small() -> None:
    device = Device(16)
    answer = BatchLimiter("network x", most=2).run(device, batch(5))
    np.testing.assert_array_equal(answer["twice"], 2 * batch(5)["image"])
    assert device.sizes == [2, 2, 1]


def test_embedded_networks_run_small_batches_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    network, sizes = OnnxNetwork.from_asset("hand_recrop.onnx", threads=1), []
    run = network._run
    monkeypatch.setattr(network, "_run", lambda inputs: sizes.append(len(inputs["image"])) or run(inputs))
    assert len(network.run({"image": np.zeros((5, 256, 256, 3), np.float32)})["points"]) == 5
    assert sizes == [2, 2, 1]


def test_onnx_networks_are_run_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that fails as CUDA's does, under the package's own network."""
    content = (resources.files("smplerx_ros") / "assets" / "hand_recrop.onnx").read_bytes()
    network = OnnxNetwork(content, threads=1)
    images = np.random.default_rng(0).random((5, 256, 256, 3), np.float32)
    whole = network.run({"image": images})
    session, sizes = network._session, []

    class Failing:
        def run(self, outputs, feed):
            sizes.append(len(feed["image"]))
            if sizes[-1] > 2:
                raise RuntimeError(MEMORY[1])
            return session.run(outputs, feed)

    monkeypatch.setattr(network, "_session", Failing())
    for name, value in network.run({"image": images}).items():
        np.testing.assert_allclose(value, whole[name], atol=1e-5)
    assert sizes == [5, 2, 2, 1]
