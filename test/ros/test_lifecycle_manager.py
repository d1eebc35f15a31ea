"""The node under nav2's lifecycle_manager and under launch_ros: their requests, in their order, with their timeouts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from graph import WAIT_S, Graph
from lifecycle_msgs.msg import State, Transition, TransitionEvent
from lifecycle_msgs.srv import ChangeState, GetState

CONFIGURE, CLEANUP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP
ACTIVATE, DEACTIVATE = Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE
SHUTDOWN = Transition.TRANSITION_UNCONFIGURED_SHUTDOWN
REACHED = {
    CONFIGURE: State.PRIMARY_STATE_INACTIVE,
    ACTIVATE: State.PRIMARY_STATE_ACTIVE,
    DEACTIVATE: State.PRIMARY_STATE_INACTIVE,
    CLEANUP: State.PRIMARY_STATE_UNCONFIGURED,
    SHUTDOWN: State.PRIMARY_STATE_FINALIZED,
}
STATE_TIMEOUT_S = 2.0  # nav2_util's LifecycleServiceClient::get_state on Humble and Jazzy; from Kilted on 5 s
PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "lifecycle.md"
RUN_LAUNCH_FILE = """
import sys
from launch import LaunchService
exec(open(sys.argv[1]).read())
service = LaunchService(argv=[])
service.include_launch_description(generate_launch_description())
sys.exit(service.run())
"""


class LifecycleManager:
    """What nav2_lifecycle_manager (Humble to Lyrical) does to one node; of the bond, see test_bond.py.

    It ignores `success` and takes the node's state afterwards as the result; a transition may take any time, the
    question for the state may not.
    """

    def __init__(self, graph: Graph, node: str = "/smplerx") -> None:
        self._graph = graph
        self._change_state = graph.node.create_client(ChangeState, f"{node}/change_state")
        self._get_state = graph.node.create_client(GetState, f"{node}/get_state")
        graph.spin_until(lambda: self._get_state.service_is_ready() and self._change_state.service_is_ready())
        graph.state()  # not nav2's: a node that answers a later client knows these, and loses no answer to them

    def startup(self) -> bool:
        return self._change(CONFIGURE) and self._change(ACTIVATE)

    def pause(self) -> bool:
        return self._change(DEACTIVATE)

    def resume(self) -> bool:
        return self._change(ACTIVATE)

    def reset(self) -> bool:
        return self._change(DEACTIVATE) and self._change(CLEANUP)

    def shutdown(self) -> list[bool]:
        """All three, whatever each of them led to."""
        return [self._change(transition) for transition in (DEACTIVATE, CLEANUP, SHUTDOWN)]

    def _change(self, transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        self._graph.spin_until(self._change_state.call_async(request).done)
        answer = self._get_state.call_async(GetState.Request())
        self._graph.spin_until(answer.done, STATE_TIMEOUT_S)
        return bool(answer.result().current_state.id == REACHED[transition])


def test_nav2_s_manager_starts_pauses_resets_and_ends_it(graph: Graph, start_node: Any) -> None:
    node = start_node("autostart:=false")
    manager = LifecycleManager(graph)
    assert manager.startup()
    graph.connect()
    assert graph.estimate().people
    assert manager.pause()
    assert manager.resume()
    graph.connect()
    assert graph.estimate().people
    assert manager.reset()
    assert manager.startup()
    graph.connect()
    assert graph.estimate().people
    assert manager.shutdown() == [True, True, True]
    assert node.alive()  # nav2's nodes are: launch ends the process
    assert node.stop()[0] == 0
    assert "Traceback" not in node.log


def test_nav2_s_manager_sees_a_configure_that_fails_and_can_start_again(graph: Graph, start_node: Any) -> None:
    start_node("autostart:=false", "weights:=fail_to_load")
    manager = LifecycleManager(graph)
    assert not manager.startup()
    assert graph.set_parameter("weights", "").successful
    assert manager.startup()


def test_nav2_s_manager_refuses_a_node_that_has_started_itself_and_leaves_it_active(
    graph: Graph, start_node: Any
) -> None:
    node = start_node("autostart:=true")
    graph.connect()
    graph.spin_until(lambda: graph.state() == "active")
    assert not LifecycleManager(graph).startup()
    assert graph.state() == "active"
    assert graph.estimate().people
    assert node.alive()


def test_launch_ros_hears_of_each_transition(graph: Graph, start_node: Any) -> None:
    """Its LifecycleNode and OnStateTransition go by the labels of `~/transition_event`."""
    events: list[TransitionEvent] = graph.listen(TransitionEvent, "/smplerx/transition_event")
    start_node("autostart:=false")
    assert LifecycleManager(graph).startup()
    graph.spin_until(lambda: len(events) >= 4)
    assert [(event.start_state.label, event.goal_state.label) for event in events] == [
        ("unconfigured", "configuring"),
        ("configuring", "inactive"),
        ("inactive", "activating"),
        ("activating", "active"),
    ]


def test_the_page_s_manager() -> None:
    (manager,) = yaml.safe_load(_block("yaml")).values()
    assert manager["ros__parameters"] == {"node_names": ["smplerx"], "autostart": True}


@pytest.mark.skipif(find_spec("launch_ros") is None, reason="launch_ros comes with a ROS installation, not as a wheel")
def test_the_page_s_launch_file_activates_the_node(graph: Graph, tmp_path: Path) -> None:
    file = tmp_path / "managed.launch.py"
    file.write_text(_block("python"))
    process = subprocess.Popen(
        [sys.executable, "-c", RUN_LAUNCH_FILE, str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        graph.spin_until(lambda: graph.node.count_subscribers("/camera/image_raw"))
        graph.spin_until(lambda: graph.state() == "active")
    finally:
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C in a terminal: launch counts on the node's having it, too
        output, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, output
    assert "process has finished cleanly" in output


def _block(language: str) -> str:
    """The page's only code in a language."""
    (code,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(code)
