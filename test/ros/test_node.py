"""The node as an object: what it holds after failures, and what other threads may do meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from node_object import Noted, arrival, held
from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool

from smplerx_ros.ros.node.node import SmplerxNode

SUCCESS = TransitionCallbackReturn.SUCCESS
MakeNode = Callable[..., SmplerxNode]


@pytest.mark.parametrize(
    "override",
    [
        {"target_frame": "no_tf2_ros"},
        {"qos_overrides./tf.publisher.reliability": "nonsense"},
        {"qos_overrides./smplerx/overlay.publisher.depth": "five"},
        {"qos_overrides./humans/faces/tracked.publisher.durability": 3},
        {"qos_overrides./humans/candidate_matches.publisher.history": "keep"},
    ],
)
def test_a_configure_that_fails_leaves_nothing(
    make_node: MakeNode, override: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tf2_ros", None)
    node = make_node(override)
    before = held(node)
    for attempt in range(3):
        assert node.trigger_configure() != SUCCESS
        assert held(node) == before
        assert Noted.made[attempt].closed
    assert next(iter(override)) in node._failure


def test_a_failed_warm_up_closes_the_estimator(make_node: MakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Noted, "warm_up", lambda self: 1 / 0)
    node = make_node()
    assert node.trigger_configure() != SUCCESS
    assert Noted.made[0].closed


def test_an_activation_that_fails_leaves_nothing(make_node: MakeNode) -> None:
    """The camera_info is subscribed before the image fails."""
    node = make_node({"qos_overrides./image.subscription.reliability": "nonsense"})
    before = held(node)
    for _ in range(3):
        assert node.trigger_configure() == SUCCESS
        assert node.trigger_activate() != SUCCESS
        assert held(node) == before
    assert "'nonsense' cannot be used; use system_default | reliable | best_effort" in node._failure


def test_a_whole_walk_leaves_nothing_and_closes_the_estimator(make_node: MakeNode) -> None:
    node = make_node()
    before = held(node)
    for walk in range(2):
        assert node.trigger_configure() == SUCCESS
        assert node.trigger_activate() == SUCCESS
        assert node.trigger_deactivate() == SUCCESS
        assert not Noted.made[walk].closed
        assert node.trigger_cleanup() == SUCCESS
        assert Noted.made[walk].closed
        assert held(node) == before


def test_stop_says_that_a_detection_still_runs(make_node: MakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    node = make_node()
    assert node.trigger_configure() == SUCCESS
    assert node.stop()
    with monkeypatch.context() as patched:
        patched.setattr(Noted, "close", lambda self, timeout: False)
        assert not node.stop()


class Vanishing:
    """An attribute that another thread sets to None right after it was read."""

    def __init__(self, value: Any) -> None:
        self._value = value
        self._left = 1

    def __get__(self, instance: object, owner: type) -> Any:
        self._left -= 1
        return self._value if self._left >= 0 else None


def test_what_runs_may_end_at_any_moment(make_node: MakeNode) -> None:
    node = make_node()
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS
    kind = type(node)
    running, loaded = node._running, node._loaded
    requests: tuple[Callable[[], Any], ...] = (
        lambda: node._put("", arrival(1)),
        lambda: node._on_enable(SetBool.Request(data=True), SetBool.Response()),
        lambda: node._on_time_jump(None),
        lambda: node._on_reset(None, SetBool.Response()),  # type: ignore[arg-type]
        node._publish_diagnostics,
    )
    try:
        for request in requests:
            vars(node).pop("_running", None)
            vars(node).pop("_loaded", None)
            kind._running, kind._loaded = Vanishing(running), Vanishing(loaded)  # type: ignore[assignment]
            request()
    finally:
        del kind._running, kind._loaded
        node._running, node._loaded = running, loaded


def test_a_change_that_another_callback_refuses_does_not_act(make_node: MakeNode) -> None:
    node = make_node({"max_people": 5})
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS
    running = node._running
    assert running is not None
    (estimator,) = Noted.made
    refusing = [True]
    # Called after the node's own, as callbacks that were added before it are.
    node._on_set_parameters_callbacks.append(
        lambda _: SetParametersResult(successful=not refusing[0], reason="somebody else's reason")
    )
    (result,) = node.set_parameters([Parameter("max_people", value=2)])
    assert (result.successful, result.reason) == (False, "somebody else's reason")
    running.processor.handle({"": arrival(1)})
    assert (node.get_parameter("max_people").value, estimator.max_people) == (5, 5)
    refusing.clear()
    refusing.append(False)
    assert node.set_parameters([Parameter("max_people", value=2)])[0].successful
    running.processor.handle({"": arrival(2)})
    assert (node.get_parameter("max_people").value, estimator.max_people) == (2, 2)
    assert estimator.updates == [{"max_people": 2}]


def test_changes_that_belong_together_act_together_or_not_at_all(make_node: MakeNode) -> None:
    node = make_node({"max_people": 5})
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS
    assert node._running is not None
    both = [Parameter("max_people", value=2), Parameter("detection.interval", value=0)]
    assert not node.set_parameters_atomically(both).successful
    node._running.processor.handle({"": arrival(1)})
    assert Noted.made[0].updates == []
