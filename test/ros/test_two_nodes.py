"""Two nodes on one graph: each its own people, state and diagnostics; what befalls one leaves the other alone."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest
from graph import Camera, Graph
from lifecycle_msgs.srv import GetState
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.parameter import Parameter
from smplerx_ros.msg import PersonArray
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

NAMES = ("left", "right")
START_S = 60.0  # two start at once


class Side:
    """A node in a namespace of its own with its own camera."""

    def __init__(self, graph: Graph, start_node: Callable[..., Any], name: str, *parameters: str) -> None:
        self._graph = graph
        self.name = name
        self.process = start_node(*parameters, remaps=(f"__ns:=/{name}",))
        self.people: list[PersonArray] = graph.listen(PersonArray, f"/{name}/smplerx/people")

    def connect(self) -> None:
        self.process.wait_for_log(f"active: /{self.name}/image", START_S)
        self.camera = Camera(self._graph, self.name)

    def answers(self, number: int = 3) -> list[PersonArray]:
        """What comes for new images of this side's camera alone."""
        sent: set[tuple[int, int]] = set()
        start = len(self.people)

        def enough() -> list[PersonArray] | None:
            image = self.camera.send()
            sent.add((image.header.stamp.sec, image.header.stamp.nanosec))
            self._graph.spin_once()
            new = [people for people in self.people[start:] if stamp(people) in sent]
            return new if len(new) >= number else None

        return self._graph.spin_until(enough)  # type: ignore[no-any-return]

    def call(self, kind: type[Any], service: str, request: Any) -> Any:
        return self._graph.call(kind, f"/{self.name}/smplerx/{service}", request)

    def state(self) -> str:
        return str(self.call(GetState, "get_state", GetState.Request()).current_state.label)


def stamp(people: PersonArray) -> tuple[int, int]:
    return people.header.stamp.sec, people.header.stamp.nanosec


def ids(answers: list[PersonArray]) -> set[str]:
    return {person.id for answer in answers for person in answer.people}


@pytest.fixture
def sides(graph: Graph, start_node: Callable[..., Any]) -> tuple[Side, Side]:
    """Both nodes start at the same time."""
    left, right = (Side(graph, start_node, name) for name in NAMES)
    left.connect()
    right.connect()
    return left, right


def test_each_answers_its_own_camera(graph: Graph, sides: tuple[Side, Side]) -> None:
    transforms = graph.listen(TFMessage, "/tf")
    for side in sides:
        assert all(len(answer.people) == 1 for answer in side.answers())
    for side in sides:
        assert {answer.header.frame_id for answer in side.people} == {f"{side.name}_optical"}

    def parents() -> set[str]:
        return {transform.header.frame_id for message in transforms for transform in message.transforms}

    graph.spin_until(lambda: parents() >= {f"{name}_optical" for name in NAMES})
    statuses = {f"/{name}/smplerx: estimation": f"/{name}/image" for name in NAMES}

    def reported() -> bool:
        """Under both names, each with its own image topic."""
        seen = {status.name: status.hardware_id for report in graph.diagnostics for status in report.status}
        return statuses.items() <= seen.items()

    graph.spin_until(reported)


def test_neither_ids_nor_frames_are_the_other_s(graph: Graph, sides: tuple[Side, Side]) -> None:
    transforms = graph.listen(TFMessage, "/tf")
    left, right = (ids(side.answers()) for side in sides)
    assert left
    assert right
    assert not left & right
    prefixes = {person.frame_prefix for side in sides for answer in side.people for person in answer.people}
    assert prefixes == {f"{name}/smplx_0/" for name in NAMES}

    def parents() -> dict[str, set[str]]:
        """Of each frame."""
        found: dict[str, set[str]] = {}
        for transform in (transform for message in transforms for transform in message.transforms):
            found.setdefault(transform.child_frame_id, set()).add(transform.header.frame_id)
        return found

    graph.spin_until(lambda: {f"{name}/smplx_0/pelvis" for name in NAMES} <= set(parents()))
    assert all(len(found) == 1 for found in parents().values())
    topics = [name for name, _ in graph.node.get_topic_names_and_types() if name.endswith("/joint_states")]
    assert {topic.split("/")[3] for topic in topics} == left | right


def test_a_parameter_and_a_reset_of_one_are_not_the_other_s(sides: tuple[Side, Side]) -> None:
    left, right = sides
    before, kept = ids(left.answers()), ids(right.answers())
    request = SetParameters.Request(parameters=[Parameter("max_people", value=3).to_parameter_msg()])
    assert left.call(SetParameters, "set_parameters", request).results[0].successful
    asked = GetParameters.Request(names=["max_people"])
    values = [side.call(GetParameters, "get_parameters", asked).values[0].integer_value for side in sides]
    assert values[0] == 3
    assert values[1] != 3
    assert left.call(Trigger, "reset", Trigger.Request()).success
    assert not ids(left.answers()) & before
    assert ids(right.answers()) == kept


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_end_of_one_leaves_the_other(graph: Graph, sides: tuple[Side, Side], number: signal.Signals) -> None:
    left, right = sides
    left.answers()
    kept = ids(right.answers())
    left.process.stop(number)
    assert ids(right.answers(10)) == kept
    assert right.process.alive()
    assert right.state() == "active"
    assert "Traceback" not in right.process.log


@pytest.mark.parametrize("weights", ["fail_to_load", "raise", "hang"])
def test_a_failure_of_one_is_not_the_other_s(graph: Graph, start_node: Callable[..., Any], weights: str) -> None:
    left = Side(graph, start_node, "left", f"weights:={weights}")
    right = Side(graph, start_node, "right")
    right.connect()
    if weights == "fail_to_load":
        left.process.wait_for_log("on_configure failed")
    else:
        left.connect()
        left.camera.send()
    kept = ids(right.answers())

    def together() -> list[PersonArray]:
        """Answers of the right one while images still come to the left one."""
        if weights != "fail_to_load":
            left.camera.send()
        return right.answers(1)

    answers = [answer for _ in range(5) for answer in together()]
    assert ids(answers) == kept
    assert not any(array.people for array in left.people)
    assert right.process.alive()
    assert "no said" not in right.process.log
    levels = [
        int.from_bytes(status.level, "little")
        for report in graph.diagnostics
        for status in report.status
        if status.name.startswith("/right/") and "exception" in status.message
    ]
    assert not levels


def test_two_names_on_one_camera_both_answer_every_image(graph: Graph, start_node: Callable[..., Any]) -> None:
    nodes = [start_node(remaps=(f"__node:={name}",)) for name in NAMES]
    people = {name: graph.listen(PersonArray, f"/{name}/people") for name in NAMES}
    graph.spin_until(
        lambda: graph.images.get_subscription_count() == graph.infos.get_subscription_count() == 2, START_S
    )

    def same_image() -> set[tuple[int, int]]:
        graph.infos.publish(graph.info())
        graph.images.publish(graph.image())
        graph.spin_once()
        seen = [{stamp(answer) for answer in people[name] if answer.people} for name in NAMES]
        return seen[0] & seen[1]

    graph.spin_until(same_image)
    names = {name for name, _ in graph.node.get_node_names_and_namespaces()}
    assert names >= set(NAMES)
    assert all(node.alive() and "Traceback" not in node.log for node in nodes)
