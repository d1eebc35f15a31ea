"""Depth over the graph: distances follow it, and whatever is wrong with it, people still come."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from graph import HEIGHT, WIDTH, Graph
from sensor_msgs.msg import Image
from smplerx_ros.msg import PersonArray, SmplxParams

ALONE = 3.0  # metres: where the quick estimator sees its person without depth


def depth_image(graph: Graph, metres: float, **fields: object) -> Image:
    """A wall at `metres`, stamped as the graph's last header; `fields` are changed."""
    made = Image(height=HEIGHT, width=WIDTH, encoding="16UC1", step=2 * WIDTH)
    made.data = array.array("B", np.full(HEIGHT * WIDTH, round(1000 * metres), "<u2").tobytes())
    made.header.frame_id = "test_camera"
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def people_with(graph: Graph, depth: Callable[[], Image | None]) -> PersonArray:
    """The answer to an image sent with what `depth` makes, and its stamp."""
    stamps = []

    def answered() -> PersonArray | None:
        image, made = graph.image(), depth()
        stamps.append(image.header.stamp)
        if made is not None:
            made.header.stamp = image.header.stamp
            graph.depths.publish(made)
        graph.infos.publish(graph.info())
        graph.images.publish(image)
        before = len(graph.people)
        for _ in range(4):
            graph.spin_once()
        return next((people for people in graph.people[before:] if people.header.stamp in stamps), None)

    return graph.spin_until(answered)  # type: ignore[no-any-return]


@pytest.fixture
def node(graph: Graph, start_node: Any) -> Any:
    started = start_node("use_depth:=true", "depth_max_age:=0.01")
    graph.connect()
    graph.spin_until(graph.depths.get_subscription_count)
    return started


@pytest.mark.parametrize("metres", [2.6, 3.3])
def test_distances_follow_the_depth(graph: Graph, node: Any, metres: float) -> None:
    def followed() -> bool:
        (person,) = people_with(graph, lambda: depth_image(graph, metres)).people
        return bool(person.params.estimated & SmplxParams.ESTIMATED_DEPTH) and (
            metres < person.joints[0].z < metres + 0.2  # the pelvis lies behind the surface
        )

    graph.spin_until(followed)


@pytest.mark.parametrize(
    ("fields", "reason", "words"),
    [
        ({"encoding": "rgb8"}, "bad_depth", "/depth: encoding 'rgb8' is not supported"),
        ({"data": array.array("B", bytes(9))}, "bad_depth", "/depth: data has 9 bytes"),
        ({"data": array.array("B", bytes(2 * WIDTH * HEIGHT))}, "bad_depth", "/depth: no pixel holds a measurement"),
        ({"height": HEIGHT // 2}, "bad_depth", "/depth has 160x60 pixels, the image 160x120"),
        (None, "no_depth", "/depth: nothing near the image's time"),
    ],
)
def test_bad_depth_is_told_and_people_come(
    graph: Graph, node: Any, fields: dict[str, object] | None, reason: str, words: str
) -> None:
    def told() -> bool:
        made = people_with(graph, lambda: None if fields is None else depth_image(graph, 2.0, **fields))
        (person,) = made.people
        assert not person.params.estimated & SmplxParams.ESTIMATED_DEPTH
        assert person.joints[0].z == pytest.approx(ALONE, abs=0.2)
        return words in node.log

    graph.spin_until(told)
    graph.diagnostic(lambda level, message, values: f"dropped: {reason}" in values)
    assert node.log.count(words) == 1
    assert node.alive()


def test_depth_is_not_subscribed_unless_asked_for(graph: Graph, start_node: Any) -> None:
    start_node()
    graph.connect()
    assert graph.estimate().people
    assert graph.depths.get_subscription_count() == 0
