"""Fault 21 of docs/reference/faults.md: an accelerator without memory, lost, or not there at all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cuda_node import PEOPLE
from scene import ACTIVATE, CLEANUP, CONFIGURE, DEACTIVATE, Scene


class DeviceScene(Scene):
    """The accelerator does what `becomes` says."""

    def __init__(self, directory: Path, state: Path) -> None:
        self._state = state
        self.becomes("ok")
        super().__init__(directory, command=(sys.executable, str(Path(__file__).with_name("cuda_node.py"))))
        self.graph.connect()

    def becomes(self, state: str) -> None:
        self._state.with_suffix(".new").write_text(state)
        self._state.with_suffix(".new").replace(self._state)

    def everybody(self) -> None:
        """All of the people are estimated, and nobody is complained of."""
        assert len(self.answer(self.graph.image).people) == PEOPLE
        self.graph.diagnostic(lambda level, _, values: level == 0 and values["state"] == "active")

    def told(self, words: str) -> None:
        """The log and an ERROR in the diagnostics say why; the node stays active."""
        mark, seen = len(self.node.log), len(self.graph.diagnostics)

        def said() -> bool:
            self.publish(self.graph.image(), self.graph.info())
            reports = [status for array in self.graph.diagnostics[seen:] for status in array.status]
            reported = any(status.level == b"\x02" and words in status.message for status in reports)
            return reported and words in self.node.log[mark:]

        self.graph.spin_until(said)
        assert self.graph.next_diagnostic()[1]["state"] == "active"
        assert "Traceback" not in self.node.log


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeviceScene]:
    directory = tmp_path_factory.mktemp("node")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEVICE_STATE", str(directory / "state"))
        made = DeviceScene(directory, directory / "state")
        yield made
        made.close()


def test_21_too_little_memory_for_the_batch(scene: DeviceScene) -> None:
    scene.everybody()
    mark = len(scene.node.log)
    scene.becomes("room 2")
    scene.everybody()
    log = scene.node.log[mark:]
    assert log.count("out of memory with a batch of 4") == 1
    assert "continuing with 2" in log
    scene.everybody()
    assert scene.node.log[mark:].count("out of memory") == 1


def test_21_too_little_memory_for_anybody(scene: DeviceScene) -> None:
    scene.becomes("room 0")
    scene.told("the device's memory does not hold a batch of one")
    scene.becomes("ok")
    scene.everybody()


def test_21_the_device_is_lost(scene: DeviceScene) -> None:
    scene.becomes("lost")
    scene.told("the device failed (CUDA failure 719: unspecified launch failure")
    assert not scene.graph.transition(CONFIGURE)
    scene.transitions(DEACTIVATE, CLEANUP)
    scene.becomes("ok")
    scene.transitions(CONFIGURE, ACTIVATE)
    scene.graph.connect()
    scene.everybody()


def test_21_the_device_is_lost_before_the_start(scene: DeviceScene) -> None:
    scene.transitions(DEACTIVATE, CLEANUP)
    scene.becomes("lost")
    assert not scene.graph.transition(CONFIGURE)
    scene.graph.diagnostic(lambda level, text, _: level == 2 and "the device failed" in text)
    scene.becomes("ok")
    scene.transitions(CONFIGURE, ACTIVATE)
    scene.graph.connect()
    scene.everybody()
