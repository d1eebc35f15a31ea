"""OnnxNetwork: what runs, on which provider, and what a user reads when it cannot."""

from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from smplerx_ros.errors import ConfigError, ModelFileError
from smplerx_ros.runtime.onnx import OnnxNetwork, session_options
from smplerx_ros.runtime.providers import CPU


@pytest.fixture(scope="module")
def content() -> bytes:
    return (resources.files("smplerx_ros") / "assets" / "hand_recrop.onnx").read_bytes()


def test_bytes_and_file_give_the_same_answer(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(content)
    inputs = {"image": np.random.default_rng(0).random((2, 256, 256, 3), np.float32)}
    a, b = OnnxNetwork(content, threads=1), OnnxNetwork(path, threads=1)
    assert a.provider == CPU
    assert a.input_names == ("image",)
    assert a.run(inputs)["points"].shape == (2, 2, 2)
    np.testing.assert_array_equal(a.run(inputs)["points"], b.run(inputs)["points"])


def test_strided_input_is_read_right(content: bytes) -> None:
    network = OnnxNetwork(content, threads=1)
    image = np.random.default_rng(1).random((1, 256, 512, 3), np.float32)[:, :, ::2]
    expected = network.run({"image": image.copy()})["points"]
    np.testing.assert_array_equal(network.run({"image": image})["points"], expected)


def test_bound_inputs_give_the_same_answers_in_any_order_of_shapes(content: bytes) -> None:
    plain, bound = OnnxNetwork(content, threads=1), OnnxNetwork(content, threads=1, bind=True)
    rng = np.random.default_rng(2)
    earlier = []
    for batch in (1, 3, 1, 2, 3, 1):
        image = rng.random((batch, 256, 256, 3), np.float32)
        answer = bound.run({"image": image})
        for name, expected in plain.run({"image": image}).items():
            np.testing.assert_array_equal(answer[name], expected)
        earlier.append((answer["points"], answer["points"].copy()))
    for kept, copied in earlier:  # a later run does not write into an earlier answer
        np.testing.assert_array_equal(kept, copied)


# In a process of its own: what the C library gives back depends on what ran before.
CROWDS = """
import sys
from importlib.resources import files

import numpy as np
from smplerx_ros.ros.node.memory import memory_in_use
from smplerx_ros.runtime.onnx import OnnxNetwork, share_arena

if sys.argv[1] == "shared":
    share_arena()
content = (files("smplerx_ros") / "assets" / "hand_recrop.onnx").read_bytes()
networks = []
for _ in range(2):
    networks.append(OnnxNetwork(content, threads=1, own_arena=False))
    for batch in (1, 64):
        networks[-1].run({"image": np.zeros((batch, 256, 256, 3), np.float32)})
        print(memory_in_use()["memory"])
"""


def memory_of_crowds(arena: str) -> list[float]:
    """MiB after one and after 64 images, of a network and of another one like it: their pieces fit on every CPU."""
    command = [sys.executable, "-c", CROWDS, arena]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return [int(line) / 2**20 for line in answer.stdout.split()]


def test_networks_without_an_arena_give_back_the_memory_of_a_crowd() -> None:
    before, first, _, _ = memory_of_crowds("none")
    assert first - before < 64  # ONNX Runtime's arena kept 200


def test_networks_share_an_arena_where_the_process_asks_for_it() -> None:
    before, first, later, second = memory_of_crowds("shared")
    assert first - before > 100, "nothing is kept"
    assert second - later < 0.5 * (first - before), "each keeps its own"


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nowhere\.onnx: no such file"):
        OnnxNetwork(tmp_path / "nowhere.onnx")


@pytest.mark.parametrize("damage", ["empty", "text", "cut"])
def test_damaged_file_is_named(content: bytes, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes({"empty": b"", "text": b"git-lfs pointer\n", "cut": content[: len(content) // 2]}[damage])
    with pytest.raises(ModelFileError, match=r"broken\.onnx: not a usable ONNX file"):
        OnnxNetwork(path)


def test_damaged_bytes_are_refused() -> None:
    with pytest.raises(ModelFileError, match="17 bytes in memory"):
        OnnxNetwork(b"not an onnx model")


def test_missing_asset_is_named() -> None:
    with pytest.raises(ModelFileError, match=r"embedded network nothing\.onnx"):
        OnnxNetwork.from_asset("nothing.onnx")


def test_auto_without_gpu_is_silent(content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert OnnxNetwork(content, device="auto").provider in (CPU, "CUDAExecutionProvider")
    assert not caplog.records


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_must_be_positive(threads: int) -> None:
    with pytest.raises(ConfigError, match="threads"):
        session_options(threads)


def test_two_threads_may_run_a_bound_network(content: bytes) -> None:
    """Inputs keep their memory from run to run: one thread must not write where the other one's network reads."""
    plain, bound = OnnxNetwork(content, threads=1), OnnxNetwork(content, threads=1, bind=True)
    images = [np.random.default_rng(seed).random((1, 256, 256, 3), np.float32) for seed in range(2)]
    expected = [plain.run({"image": image})["points"] for image in images]

    def wrong(which: int) -> int:
        answers = [bound.run({"image": images[which]})["points"] for _ in range(150)]
        return sum(not np.array_equal(answer, expected[which]) for answer in answers)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(wrong, range(2))) == [0, 0]
