"""Several cameras in one node: each its own topics, checks and status, one estimator; a bad one harms nobody."""

from __future__ import annotations

from typing import Any

from graph import Camera, Graph
from sensor_msgs.msg import Image


def frames_seen(graph: Graph) -> set[str]:
    return {people.header.frame_id for people in graph.people if people.people}


def test_two_cameras_of_which_one_is_bad(graph: Graph, start_node: Any) -> None:
    node = start_node("cameras:=[front, left]")
    front, left = Camera(graph, "front"), Camera(graph, "left")
    assert not graph.node.count_subscribers("/image")

    def both() -> bool:
        front.send()
        left.send()
        return frames_seen(graph) == {"front_optical", "left_optical"}

    graph.spin_until(both)
    ids = {people.header.frame_id: {person.id for person in people.people} for people in graph.people}
    assert not ids["front_optical"] & ids["left_optical"]

    graph.people.clear()

    def front_alone() -> bool:
        left.send(encoding="nonsense")
        front.send()
        return len(graph.people) > 5

    graph.spin_until(front_alone)
    graph.spin_until(lambda: "/left/image: encoding 'nonsense'" in node.log)
    graph.people.clear()
    graph.spin_until(front_alone)
    assert frames_seen(graph) == {"front_optical"}

    def levels(report: Any) -> dict[str, int]:
        return {status.name: int.from_bytes(status.level, "little") for status in report.status}

    seen = len(graph.diagnostics)
    wanted = {"/smplerx: front": 0, "/smplerx: left": 1}
    graph.spin_until(lambda: front_alone() and any(levels(report) == wanted for report in graph.diagnostics[seen:]))
    graph.spin_until(both)  # it is well again
    assert node.alive()
    assert "Traceback" not in node.log


def test_a_camera_whose_time_jumps_back_keeps_the_other_s_people(graph: Graph, start_node: Any) -> None:
    start_node("cameras:=[front, left]")
    front, left = Camera(graph, "front"), Camera(graph, "left")

    def newest(frame_id: str, camera: Camera) -> str:
        def answer() -> str | None:
            stamp = camera.send().header.stamp
            for _ in range(4):
                graph.spin_once()
            answers = [p for p in graph.people if p.header.frame_id == frame_id and p.header.stamp == stamp]
            return answers[-1].people[0].id if answers and answers[-1].people else None

        return str(graph.spin_until(answer))

    first, other = newest("front_optical", front), newest("left_optical", left)
    graph.jump(-60.0)
    assert newest("front_optical", front) != first
    graph.jump(120.0)
    assert newest("left_optical", left) == other


def test_each_camera_has_its_overlay(graph: Graph, start_node: Any) -> None:
    start_node("cameras:=[front, left]")
    front, left = Camera(graph, "front"), Camera(graph, "left")
    overlays = graph.listen(Image, "/smplerx/left/overlay")

    def shown() -> bool:
        front.send()
        left.send()
        return bool(overlays)

    graph.spin_until(shown)
    assert {overlay.header.frame_id for overlay in overlays} == {"left_optical"}
