"""Fault 24 of docs/reference/faults.md: a failure in every lifecycle callback and stage, and a way back from each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from faulty_node import Command, command
from lifecycle_msgs.msg import Transition
from scene import ACTIVATE, CLEANUP, CONFIGURE, DEACTIVATE, Scene

CALLBACKS = {"on_configure": CONFIGURE, "on_activate": ACTIVATE, "on_deactivate": DEACTIVATE, "on_cleanup": CLEANUP}
# In which transition a stage runs.
STAGES = {"load": CONFIGURE, "warm_up": CONFIGURE, "reset": ACTIVATE, "clear": DEACTIVATE}
FAILURES = [(where, how) for where in CALLBACKS for how in ("failure", "error", "raise")]
FAILURES += [(where, "raise") for where in STAGES]
WALK = (CONFIGURE, ACTIVATE, DEACTIVATE, CLEANUP)
NAMES = dict(zip(WALK, CALLBACKS, strict=True))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("node"), "autostart:=false")
    yield made
    made.close()


def recovers(scene: Scene) -> None:
    """From unconfigured to an estimated image, and back."""
    assert scene.set_parameter("weights", "").successful
    scene.transitions(CONFIGURE, ACTIVATE)
    scene.graph.connect()
    scene.good()
    scene.transitions(DEACTIVATE, CLEANUP)
    scene.graph.spin_until(lambda: not scene.graph.node.count_publishers("/smplerx/people"))


@pytest.mark.parametrize(("where", "how"), FAILURES)
def test_a_transition_that_fails_ends_unconfigured_with_a_reason(scene: Scene, where: str, how: str) -> None:
    failing = (CALLBACKS | STAGES)[where]
    assert scene.set_parameter("weights", f"{where}:{how}").successful
    mark = len(scene.node.log)
    scene.transitions(*WALK[: WALK.index(failing)])
    assert not scene.graph.transition(failing)
    assert scene.graph.state() == "unconfigured"
    assert f"{NAMES[failing]} failed: " in scene.node.log[mark:]
    scene.graph.diagnostic(lambda level, text, _: level == 2 and text.startswith(f"{NAMES[failing]} failed: "))
    scene.graph.spin_until(lambda: not scene.graph.node.count_publishers("/smplerx/people"))
    recovers(scene)
    assert "Traceback" not in scene.node.log


@pytest.mark.parametrize("where", ["on_configure", "on_activate", "on_deactivate", "on_cleanup", "warm_up"])
def test_a_transition_that_hangs_is_reported_while_it_hangs(scene: Scene, where: str) -> None:
    failing = (CALLBACKS | STAGES)[where]
    assert scene.set_parameter("weights", f"{where}:hang").successful
    scene.transitions(*WALK[: WALK.index(failing)])
    mark, seen = len(scene.node.log), len(scene.graph.diagnostics)
    scene.graph.transition(failing)
    told = [status for array in scene.graph.diagnostics[seen:] for status in array.status]
    text = f"{NAMES[failing]} has not returned for"
    assert any(status.message.startswith(text) and status.level == b"\x02" for status in told)
    assert scene.node.log[mark:].count(text) == 1
    rest = {"inactive": (CLEANUP,), "active": (DEACTIVATE, CLEANUP), "unconfigured": ()}
    scene.transitions(*rest[scene.graph.state()])
    recovers(scene)


def test_a_publisher_that_raises_costs_one_image(scene: Scene) -> None:
    assert scene.set_parameter("weights", "publish:raise").successful
    scene.transitions(CONFIGURE, ACTIVATE)
    mark, seen = len(scene.node.log), len(scene.graph.diagnostics)

    def told() -> bool:
        scene.publish(scene.graph.image(), scene.graph.info())
        return "RuntimeError: injected [exception" in scene.node.log[mark:]

    scene.graph.spin_until(told)
    # One report tells it, perhaps before the log has.
    scene.graph.diagnostic(lambda level, text, _: level == 2 and "RuntimeError: injected" in text, seen)
    scene.transitions(DEACTIVATE, CLEANUP)
    recovers(scene)


def test_an_estimation_that_hangs_is_reported_and_can_be_left(scene: Scene) -> None:
    assert scene.set_parameter("weights", "").successful
    scene.transitions(CONFIGURE, ACTIVATE)
    scene.graph.connect()
    scene.good()
    mark = len(scene.node.log)

    def told() -> bool:
        scene.publish(scene.graph.image(command(Command.HANG)), scene.graph.info())
        return "the estimation of an image has not returned" in scene.node.log[mark:]

    scene.graph.spin_until(told)
    scene.graph.diagnostic(lambda level, text, _: level == 2 and "the estimation of an image has not ret" in text)
    assert not scene.graph.transition(DEACTIVATE)
    assert "abandoned" in scene.node.log[mark:]
    assert scene.graph.state() == "unconfigured"
    recovers(scene)
    scene.graph.diagnostic(lambda level, text, _: level == 0)


@pytest.mark.parametrize("number", [ACTIVATE, DEACTIVATE, CLEANUP, 250])
def test_impossible_transitions_are_refused(scene: Scene, number: int) -> None:
    assert not scene.graph.transition(number)
    assert scene.graph.state() == "unconfigured"


def test_the_same_walk_again_and_again(scene: Scene) -> None:
    assert scene.set_parameter("weights", "").successful
    for _ in range(5):
        scene.transitions(*WALK)
    recovers(scene)
    assert "Traceback" not in scene.node.log


@pytest.mark.parametrize("how", ["failure", "error", "raise"])
def test_a_shutdown_that_fails_frees_everything(scene: Scene, how: str) -> None:
    assert scene.set_parameter("weights", f"on_shutdown:{how}").successful
    mark = len(scene.node.log)
    scene.transitions(CONFIGURE, ACTIVATE)
    assert not scene.graph.transition(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert scene.graph.state() == "unconfigured"
    assert "on_shutdown failed: " in scene.node.log[mark:]
    recovers(scene)


def test_what_could_not_be_freed_is_freed_at_the_second_try(scene: Scene) -> None:
    assert scene.set_parameter("weights", "destroy:once").successful
    scene.transitions(CONFIGURE, ACTIVATE, DEACTIVATE)
    assert not scene.graph.transition(CLEANUP)
    assert scene.graph.state() == "unconfigured"
    scene.graph.spin_until(lambda: not scene.graph.node.count_publishers("/smplerx/people"))
    recovers(scene)
