"""A long life in a short time: people come and go, cameras drop out, parameters change, time jumps; all stays level.

    python test/soak/soak.py --seconds 3600          the quick estimator
    python test/soak/soak.py --seconds 3600 --lite   the package's own, on its demo clip

After the warm-up a thousand people come and go, evenly over the time; of `lite` those whom it finds in the clip.
Prints what the node held at the start (after the warm-up), at the end and at most. Exit code 1 where it grew.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("soak", "faults", "ros")]
    os.environ["PYTHONPATH"] = os.pathsep.join([*sys.path[:3], os.environ.get("PYTHONPATH", "")])

from faulty_node import CROWD, Command, command
from graph import BLACK, GREY
from scene import ACTIVATE, CLEANUP, CONFIGURE, DEACTIVATE, Scene
from std_srvs.srv import SetBool, Trigger

WARM_UP = 0.25  # of the time, and
WARM_UP_ROUNDS = 12  # at least: in a minute on a busy machine a quarter is no more than two
STRANGERS = 1000  # who come and go after the warm-up, and at the same rate in it
MAX_RSS_GROWTH = 0.01  # in all
PEOPLE = "people so far"
START_S = 120  # networks load slowly on a busy machine
SETTLE_S = 5.0  # until the last image is estimated: deactivate waits a second for it
STRANGER_IMAGES = 5  # of a round
ROUNDS = 400  # at most: the hour is long enough without a core that is always busy
RECONFIGURE_EVERY = 3  # rounds, in the first half of the warm-up
PAUSE_S = 1.2  # of a camera that drops out: taken for silent in the node of the fault suite


class Soak:
    """One node, watched."""

    def __init__(self, directory: Path, *, lite: bool) -> None:
        self._lite = lite
        self._counts = directory / "counts.json"
        os.environ["SOAK_COUNTS"] = str(self._counts)
        os.environ["SOAK_BACKEND"] = "lite" if lite else ""
        self._images = cycle(clip() if lite else [GREY])
        self.scene = Scene(directory, command=(sys.executable, str(Path(__file__).with_name("soak_node.py"))))
        self.ids: set[str] = set()
        self.rounds = 0

    def connect(self) -> None:
        """Wait until the node takes images."""
        self.scene.node.wait_for_log("active:", START_S)
        self.scene.graph.connect()

    def held(self) -> dict[str, int]:
        """What the node holds now."""
        self._counts.unlink(missing_ok=True)
        self.scene.graph.spin_until(self._counts.exists)
        process = Path(f"/proc/{self.scene.node.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        return {
            "RSS (KiB)": int(status["VmRSS"].split()[0]),
            "file descriptors": len(list((process / "fd").iterdir())),
            "threads": int(status["Threads"]),
            PEOPLE: len(self.ids),
            **json.loads(self._counts.read_text()),
        }

    def round(self, strangers: int, *, reconfigure: bool) -> None:
        """Everything that may happen, once; at its end nobody is there, and everything is as it was."""
        scene, graph = self.scene, self.scene.graph
        self.rounds += 1
        for i in range(STRANGER_IMAGES):
            self._see(next(self._images))
            if not self._lite and (some := strangers * (i + 1) // STRANGER_IMAGES - strangers * i // STRANGER_IMAGES):
                self._see(command(Command.STRANGERS, some))
        scene.publish(graph.image(command(Command.RAISE)), graph.info())
        scene.publish(graph.image(GREY[:60]), graph.info())
        for value in (False, True):
            assert graph.set_parameter("tf.enabled", value).successful
            assert graph.set_parameter("max_people", 20 + value).successful
            assert graph.call(SetBool, "/smplerx/enable", SetBool.Request(data=value)).success
        graph.connect()
        assert graph.call(Trigger, "/smplerx/reset", Trigger.Request()).success
        graph.jump(-30)
        self._see(next(self._images))
        time.sleep(PAUSE_S if self.rounds % 5 == 0 else 0)
        if reconfigure and self.rounds % RECONFIGURE_EVERY == 0:
            self.rest(time.monotonic() + (SETTLE_S if self._lite else 0))
            scene.transitions(DEACTIVATE, CLEANUP, CONFIGURE, ACTIVATE)
            graph.connect()
        assert self._see(BLACK) == []
        graph.jump(60)  # people who are not seen for so long are gone
        assert self._see(BLACK) == []
        graph.people.clear()
        graph.diagnostics.clear()

    def rest(self, until: float) -> None:
        """Until that time; what arrives is handled."""
        while time.monotonic() < until:
            self.scene.graph.spin_once()

    def _see(self, pixels: Any) -> list[Any]:
        people = self.scene.answer(lambda: self.scene.graph.image(pixels)).people
        self.ids |= {person.id for person in people}
        return list(people)


def clip() -> list[Any]:
    """Frames of the demo clip in the size of the graph's camera, brought to it by cropping."""
    import cv2
    from graph import HEIGHT, WIDTH

    import smplerx_ros
    from smplerx_ros.io.video import VideoReader
    from smplerx_ros.tools.demo import CLIP

    with VideoReader(Path(smplerx_ros.__file__).parent / "assets" / CLIP) as reader:
        return [cv2.resize(frame.image, (WIDTH, HEIGHT)) for frame in reader]


def soak(seconds: float, directory: Path, *, lite: bool = False) -> dict[str, tuple[int, int, int]]:
    """Start, end and maximum of everything held, each at the end of a round, after the warm-up."""
    made = Soak(directory, lite=lite)
    try:
        made.connect()
        start = time.monotonic()
        begin, end = start + WARM_UP * seconds, start + seconds
        history: list[dict[str, int]] = []
        while time.monotonic() < end or not enough(history, people=not lite):
            began = time.monotonic()
            due = math.ceil(STRANGERS * (began - start) / (end - begin)) - len(made.ids)
            due = max(0, min(due, STRANGER_IMAGES * CROWD))
            # A body and networks loaded anew fall into other places of the heap: that is no steady state.
            early = began < (start + begin) / 2 or made.rounds < WARM_UP_ROUNDS / 2
            made.round(due, reconfigure=early)
            made.rest(began + seconds / ROUNDS)
            if time.monotonic() > begin and made.rounds >= WARM_UP_ROUNDS:
                history.append(made.held())
        code, _ = made.scene.node.stop()
        assert code == 0
        assert "Traceback" not in made.scene.node.log, made.scene.node.log
    finally:
        made.scene.close()
    print(f"{made.rounds} rounds, {len(made.ids)} people, {seconds:.0f} s", flush=True)  # noqa: T201
    return {name: (history[0][name], history[-1][name], max(held[name] for held in history)) for name in history[0]}


def enough(history: list[dict[str, int]], *, people: bool) -> bool:
    """Whether it was long enough to tell."""
    return len(history) > 1 and (not people or history[-1][PEOPLE] - history[0][PEOPLE] >= STRANGERS)


def grown(table: dict[str, tuple[int, int, int]]) -> list[str]:
    """What is not level: memory by more than MAX_RSS_GROWTH, everything else by one or more."""
    return [
        name
        for name, (first, last, _) in table.items()
        if name != PEOPLE and last > first * (1 + MAX_RSS_GROWTH * name.startswith("RSS"))
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--lite", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        table = soak(arguments.seconds, Path(directory), lite=arguments.lite)
    print(f"{'':20}{'start':>10}{'end':>10}{'maximum':>10}")  # noqa: T201
    for name, values in table.items():
        print(f"{name:20}" + "".join(f"{value:>10}" for value in values))  # noqa: T201
    if growth := grown(table):
        print(f"grown: {', '.join(growth)}")  # noqa: T201
    return int(bool(growth))


if __name__ == "__main__":
    sys.exit(main())
