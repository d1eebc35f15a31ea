"""A node, a camera and what they say to each other: what a row of the fault table works with."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from faulty_node import LOG_PERIOD_S
from graph import Graph
from lifecycle_msgs.msg import Transition
from node_process import NodeProcess
from sensor_msgs.msg import CameraInfo, Image
from smplerx_ros.msg import PersonArray

FAULTY_NODE = Path(__file__).with_name("faulty_node.py")
CONFIGURE, CLEANUP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP
ACTIVATE, DEACTIVATE = Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE


@dataclass(frozen=True)
class Row:
    """A fault: `send` commits it once, and is called until the reaction is there.

    Reaction: `words` in the log, once for all the times, and the diagnostics' counter `dropped: <counter>` grows.
    """

    fault: int  # number in docs/reference/faults.md
    name: str
    send: Callable[[Scene], object]
    counter: str
    words: str


class Scene:
    """The node with the faulty estimator (or `command`), and a camera. Closed by `close`."""

    def __init__(self, directory: Path, *parameters: str, command: tuple[str, ...] | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        command = command or (sys.executable, str(FAULTY_NODE))
        self.node = NodeProcess(directory / "node.log", *parameters, command=command)
        self.graph = Graph()

    def close(self) -> None:
        self.graph.close()
        self.node.kill()

    def drops(self, reason: str) -> int:
        """How many the newest diagnostics have counted."""
        return int(self.graph.next_diagnostic()[1].get(f"dropped: {reason}", "0"))

    def publish(self, image: Image, info: CameraInfo | None) -> None:
        if info is not None:
            self.graph.infos.publish(info)
        self.graph.images.publish(image)
        for _ in range(2):
            self.graph.spin_once()

    def answer(self, image: Callable[[], Any], info: Callable[[], CameraInfo | None] | None = None) -> PersonArray:
        """The answer to one of the images that are sent until it comes."""
        stamps = []

        def answered() -> PersonArray | None:
            before, made = len(self.graph.people), image()
            stamps.append(made.header.stamp)
            self.publish(made, (info or self.graph.info)())
            return next((people for people in self.graph.people[before:] if people.header.stamp in stamps), None)

        return self.graph.spin_until(answered)  # type: ignore[no-any-return]

    def suffer(self, row: Row) -> None:
        """Commit the fault, and check the reaction: told once, counted, and the next good image is estimated."""
        mark, before = len(self.node.log), self.drops(row.counter)

        def told() -> bool:
            row.send(self)
            for _ in range(2):
                self.graph.spin_once()
            return row.words in self.node.log[mark:]

        self.graph.spin_until(told)
        self.graph.spin_until(lambda: self.drops(row.counter) > before)
        self.good()
        log = self.node.log[mark:]
        times = [float(t) for t in re.findall(rf"\[(\d+\.\d+)\][^\n]*\[{row.counter}[\],]", log)]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert all(gap > 0.9 * LOG_PERIOD_S for gap in gaps), f"not throttled:\n{log}"
        assert "Traceback" not in log

    def good(self) -> PersonArray:
        """A good image is estimated as ever: one person, or the number is wrong; the node is active and alive."""
        people = self.graph.estimate()
        assert people.header.frame_id == "test_camera"
        assert len(people.people) == 1
        assert people.camera_source == people.CAMERA_SOURCE_CAMERA_INFO
        assert self.node.alive()
        assert self.graph.next_diagnostic()[1]["state"] == "active"
        return people

    @contextmanager
    def listening(self, kind: type[Any], topic: str) -> Iterator[list[Any]]:
        """A list of what arrives meanwhile; it has begun to arrive."""
        arrived: list[Any] = []
        subscription = self.graph.node.create_subscription(kind, topic, arrived.append, 50)
        try:
            self.graph.spin_until(lambda: arrived or not self.good())
            yield arrived
        finally:
            self.graph.node.destroy_subscription(subscription)

    def set_parameter(self, name: str, value: object) -> Any:
        return self.graph.set_parameter(name, value)

    def transitions(self, *numbers: int) -> None:
        for number in numbers:
            assert self.graph.transition(number), self.node.log

    def start_over(self) -> None:
        """Clean up, configure and activate: everything that the node has learned is forgotten."""
        self.transitions(DEACTIVATE, CLEANUP, CONFIGURE, ACTIVATE)
        self.graph.connect()
