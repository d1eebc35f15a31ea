"""Fault 24 of docs/reference/faults.md: signals at any moment, restarts, two nodes of one name; nothing is left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import cuda_node
import pytest
from cuda_node import DETECTION_HANGS
from faulty_node import HANG_S, Command, command
from node_process import NodeProcess
from scene import ACTIVATE, CLEANUP, CONFIGURE, DEACTIVATE, FAULTY_NODE, Scene

LIMIT_S = 3.0  # 2 s, and a busy machine's own delays
SIGNALS = (signal.SIGINT, signal.SIGTERM)
ESTIMATOR = (sys.executable, "-m", "smplerx_ros.ros.node.main")


def segments(node: NodeProcess) -> set[Path]:
    """The shared memory that Fast DDS made for the node: its lock is open there. Ports are everybody's."""
    files = []
    for link in Path(f"/proc/{node.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            files.append(str(link.readlink()))
    return {Path(name.removesuffix("_el")) for name in files if re.fullmatch(r"/dev/shm/fastrtps_\w{16}_el", name)}


def ends(node: NodeProcess, number: signal.Signals) -> None:
    code, seconds = node.stop(number)
    assert code == 0, node.log
    assert seconds < LIMIT_S
    assert "Traceback" not in node.log


def begin(scene: Scene, moment: str) -> None:
    """Wait until the node is at it."""
    graph, log = scene.graph, lambda: scene.node.log
    if moment == "importing":
        graph.spin_until(lambda: scene.node.handles(signal.SIGTERM))
    elif moment == "loading":
        graph.spin_until(lambda: graph.node.count_publishers("/diagnostics"))
    elif moment in ("configuring", "activating"):
        graph.spin_until(lambda: f"on_{moment[:-3]}" in log() and "has not returned" in log())
    elif moment == "idle":
        scene.node.wait_for_log("active:")
    else:
        what = {"estimating": Command.SLOW, "hanging": Command.HANG, "publishing": Command.SLOW}[moment]
        graph.connect()
        if moment != "publishing":
            scene.good()
        before = scene.drops("superseded")

        def busy() -> bool:
            for _ in range(5):
                scene.publish(graph.image(command(what)), graph.info())
            return scene.drops("superseded") > before

        graph.spin_until(busy)


MOMENTS = {
    "importing": ((), ESTIMATOR),
    "loading": ((), ESTIMATOR),
    "idle": ((), None),
    "configuring": (("weights:=on_configure:freeze",), None),
    "activating": (("weights:=on_activate:freeze",), None),
    "estimating": ((), None),
    "hanging": ((), None),
    "publishing": (("weights:=publish:freeze",), None),
}


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_24_a_signal_ends_it_within_two_seconds(tmp_path: Path, moment: str, number: signal.Signals) -> None:
    assert HANG_S > 5  # else a hang would end by itself
    parameters, node_command = MOMENTS[moment]
    scene = Scene(tmp_path, *parameters, command=node_command)
    try:
        begin(scene, moment)
        shared = segments(scene.node)
        assert shared or moment == "importing"
        ends(scene.node, number)
        assert not [path for path in shared if path.exists()]
    finally:
        scene.close()


def test_24_a_detection_that_hangs_beside_an_idle_estimation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVICE_STATE", DETECTION_HANGS)
    scene = Scene(tmp_path, command=(sys.executable, cuda_node.__file__))
    graph = scene.graph
    try:
        graph.connect()

        def hangs() -> bool:
            """One image after the other: none waits when the detection begins."""
            before = len(graph.people)
            scene.publish(graph.image(), graph.info())
            end = time.monotonic() + 2
            while len(graph.people) == before and time.monotonic() < end:
                graph.spin_once()
            return "the detection hangs" in scene.node.log

        graph.spin_until(hangs)
        ends(scene.node, signal.SIGINT)
    finally:
        scene.close()


@pytest.mark.parametrize("number", SIGNALS)
def test_24_what_cannot_be_freed_is_finalized_and_ends(tmp_path: Path, number: signal.Signals) -> None:
    scene = Scene(tmp_path, "autostart:=false")
    try:
        assert scene.set_parameter("weights", "destroy:raise").successful
        scene.transitions(CONFIGURE, ACTIVATE, DEACTIVATE)
        assert not scene.graph.transition(CLEANUP)
        assert scene.graph.state() == "finalized"
        assert "cannot free everything after an error, finalized" in scene.node.log
        ends(scene.node, number)
    finally:
        scene.close()


def test_24_it_can_be_killed_and_started_again(tmp_path: Path) -> None:
    for attempt in range(3):
        scene = Scene(tmp_path / str(attempt))
        try:
            scene.graph.connect()
            scene.good()
            scene.node.kill()
        finally:
            scene.close()


def test_24_two_nodes_of_one_name_do_not_harm_each_other(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    twin = NodeProcess(tmp_path / "twin.log", command=(sys.executable, str(FAULTY_NODE)))
    try:
        scene.graph.connect()
        twin.wait_for_log("active:")
        scene.good()
        assert twin.stop()[0] == 0
        scene.good()
    finally:
        twin.kill()
        scene.close()


def computes(process: int) -> bool:
    """Whether a step of a conversion has begun with its work: torch is loaded."""
    with suppress(OSError):  # it has ended meanwhile
        return "libtorch" in Path(f"/proc/{process}/maps").read_text()
    return False


def of_session(leader: int) -> set[int]:
    """Processes that are alive in a session (proc(5): the sixth field of stat)."""
    found = set()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = re.sub(r"^.*\) ", "", (directory / "stat").read_text()).split()[:4]
        except OSError:
            continue
        if int(session) == leader and state != "Z":
            found.add(int(directory.name))
    return found


@pytest.mark.parametrize("number", SIGNALS)
def test_24_a_conversion_ends_and_leaves_nothing(s32_checkpoint: Path, tmp_path: Path, number: signal.Signals) -> None:
    arguments = [sys.executable, "-m", "smplerx_ros", "convert", str(s32_checkpoint), "--out", str(tmp_path / "out")]
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(arguments, stderr=file, stdout=file, start_new_session=True, env={**os.environ})
    end = time.monotonic() + 60
    while not any(computes(pid) for pid in of_session(process.pid) - {process.pid}):  # a step of it
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end
        time.sleep(0.05)
    began = time.monotonic()
    process.send_signal(number)
    code = process.wait(20)
    assert time.monotonic() - began < LIMIT_S
    assert code == 128 + number
    assert "Traceback" not in log.read_text()
    assert not of_session(process.pid)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
