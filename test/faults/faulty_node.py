"""The node with an estimator that fails on command, as a script; logs and diagnostics come quicker than usual.

An image commands one failure by its first pixel (`command`), the parameter `weights` one that lasts: `<where>:<how>`,
where a lifecycle callback of rclpy (`on_configure`), or a stage (`load`, `warm_up`, `reset`, `publish`, `clear`,
`destroy`) does `failure`, `error`, `raise`, `once` (raises the first time), `hang` for a while, or `freeze`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import IntEnum
from typing import Any

import numpy as np
from fake_estimator import FakeEstimator, make_people, make_person, random_params
from graph import HEIGHT, WIDTH
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.types import Frame, People

LOG_PERIOD_S = 0.5
DIAGNOSTICS_PERIOD_S = 0.25
STALE_AFTER_S = 1.0
ESTIMATION_LIMIT_S = 0.7
TRANSITION_LIMIT_S = 2.0
HANG_S = 20.0
SLOW_S = 0.15
CROWD = 50
MARK = 251  # red of the first pixel of an image that commands; green says what, blue how many people


class Command(IntEnum):
    """What the estimator does with an image: its green value."""

    RAISE = 1
    HANG = 2
    SLOW = 3
    ONE_NOT_FINITE = 4
    CROWD = 5
    STRANGERS = 6
    NEAR_PI = 7
    BOXES = 8


def command(what: Command, people: int = CROWD) -> np.ndarray:
    """Pixels that make the estimator do it, with so many people where it is about several."""
    pixels = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    pixels[0, 0] = MARK, what, people
    return pixels


class FaultyEstimator(FakeEstimator):
    """The quick estimator, and what images command."""

    def __init__(self, values: Mapping[str, object]) -> None:
        super().__init__({**values, "weights": ""})
        self._seen = 0

    def _process(self, frame: Frame) -> People:
        people = super()._process(frame)
        red, green, number = frame.image[0, 0].tolist()
        if red != MARK or not people.people:
            return people
        self._seen += 1
        camera = frame.camera or Camera.from_fov(WIDTH, HEIGHT)
        (good,) = people.people
        match Command(green):
            case Command.RAISE:
                raise ValueError("the network said no")
            case Command.HANG:
                time.sleep(HANG_S)
            case Command.SLOW:
                time.sleep(SLOW_S)
            case Command.ONE_NOT_FINITE:
                infinite = replace(good.params, transl=np.full(3, np.inf, np.float32))
                broken = [
                    replace(good, id="broken1", joints=np.full((55, 3), np.nan)),
                    replace(good, id="broken2", params=infinite),
                ]
                return make_people(frame, self.body, [broken[0], good, broken[1]], camera)
            case Command.CROWD:
                crowd = [make_person(self.body, camera, random_params(i), f"c{i}") for i in range(number)]
                return make_people(frame, self.body, crowd, camera)
            case Command.STRANGERS:
                strangers = [replace(good, id=f"s{self._seen}x{i}") for i in range(number)]
                return make_people(frame, self.body, strangers, camera)
            case Command.NEAR_PI:
                # The same orientation but for a hair, seen as +pi and as -pi in turn.
                turn = np.array([0, np.pi - 1e-3, 0], np.float32) * (-1) ** self._seen
                params = replace(good.params, global_orient=turn)
                return make_people(frame, self.body, [make_person(self.body, camera, params)], camera)
            case Command.BOXES:
                outside = [Box(-500, 0, -100, 50), Box(WIDTH - 1, 0, WIDTH + 1e6, 40), Box(-1e9, -1e9, 1e9, 1e9)]
                people_there = [replace(good, id=f"b{i}", box=box) for i, box in enumerate(outside)]
                return make_people(frame, self.body, people_there, camera)
        return people


def fail(how: str) -> Any:
    """What a lifecycle callback answers, if it does."""
    if how in ("raise", "once"):
        raise RuntimeError("injected")
    if how == "hang":
        time.sleep(1.5 * TRANSITION_LIMIT_S)
    if how == "freeze":
        time.sleep(HANG_S)
    return TransitionCallbackReturn.FAILURE if how == "failure" else TransitionCallbackReturn.ERROR


def inject(owner: type, method: str, where: str, wanted: Callable[[], str]) -> None:
    """Make `owner.method` fail while `wanted()` says `<where>:<how>`."""
    original = getattr(owner, method)
    failed = False

    def injected(*arguments: Any, **options: Any) -> Any:
        nonlocal failed
        place, _, how = wanted().partition(":")
        again, failed = failed, place == where
        answer = fail(how) if failed and not (how == "once" and again) else None
        if answer is not None and how not in ("hang", "freeze") and where.startswith("on_"):
            return answer
        return original(*arguments, **options)

    setattr(owner, method, injected)


def shorten(module: Any, **constants: float) -> None:
    for name, value in constants.items():
        assert hasattr(module, name), f"{module.__name__} has no {name} any more"
        setattr(module, name, value)


def prepare() -> list[Any]:
    """Shorter periods, and the failures that the parameter asks for. Answers where the node will be, once it is."""
    from smplerx_ros.ros import statistics
    from smplerx_ros.ros.node import diagnostics, node
    from smplerx_ros.ros.output import output

    shorten(statistics, LOG_PERIOD_S=LOG_PERIOD_S)
    shorten(diagnostics, STALE_AFTER_S=STALE_AFTER_S)
    shorten(
        node,
        DIAGNOSTICS_PERIOD_S=DIAGNOSTICS_PERIOD_S,
        ESTIMATION_LIMIT_S=ESTIMATION_LIMIT_S,
        TRANSITION_LIMIT_S=TRANSITION_LIMIT_S,
    )
    nodes: list[Any] = []
    initialise = node.SmplerxNode.__init__

    def remember(self: Any, **options: Any) -> None:
        initialise(self, **options)
        nodes.append(self)

    node.SmplerxNode.__init__ = remember  # type: ignore[method-assign]

    def wanted() -> str:
        return str(nodes[0].get_parameter("weights").value) if nodes else ""

    for name in ("on_configure", "on_activate", "on_deactivate", "on_cleanup", "on_shutdown"):
        inject(LifecycleNode, name, name, wanted)
    for owner, method, where in (
        (FaultyEstimator, "__init__", "load"),
        (FaultyEstimator, "warm_up", "warm_up"),
        (FaultyEstimator, "reset", "reset"),
        (output.Output, "publish", "publish"),
        (output.Output, "clear", "clear"),
        (output.Output, "destroy", "destroy"),
    ):
        inject(owner, method, where, wanted)
    return nodes


if __name__ == "__main__":
    from smplerx_ros.ros.node.main import main

    prepare()
    sys.exit(main(estimator_factory=FaultyEstimator))
