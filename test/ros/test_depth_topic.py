"""Depth over the graph: distances follow it, and whatever is wrong with it, people still come."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from graph import HEIGHT, WIDTH, Graph
from sensor_msgs.msg import Image
from smplerx_ros.msg import Person, PersonArray


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
    started = start_node("depth.enabled:=true", "depth.sync_tolerance:=0.01")
    graph.connect()
    graph.spin_until(graph.depths.get_subscription_count)
    return started


@pytest.mark.parametrize("metres", [2.6, 3.3])
def test_distances_follow_the_depth(graph: Graph, node: Any, metres: float) -> None:
    def followed() -> bool:
        (person,) = people_with(graph, lambda: depth_image(graph, metres)).people
        return person.distance_source == Person.DISTANCE_SOURCE_DEPTH and (
            metres < person.joints[0].z < metres + 0.2  # the pelvis lies behind the surface
        )

    graph.spin_until(followed)


def test_the_depth_of_an_image_is_waited_for_though_that_of_the_image_before_would_do(
    graph: Graph, start_node: Any
) -> None:
    """Someone runs 3 m, seen from image to image; the depth image always comes a little after the image."""
    start_node("depth.enabled:=true", "depth.sync_tolerance:=0.5")
    graph.connect()
    graph.spin_until(graph.depths.get_subscription_count)
    graph.estimate()  # discovered, and warm
    for k in range(4):
        metres = (2.6, 3.3)[k % 2]
        image, made = graph.image(), depth_image(graph, metres)
        made.header.stamp = image.header.stamp
        graph.images.publish(image)
        graph.spin_once()
        graph.depths.publish(made)
        answer = graph.spin_until(
            lambda stamp=image.header.stamp: next((p for p in graph.people if p.header.stamp == stamp), None)
        )
        (person,) = answer.people
        if k:  # before the first one nothing says that depth images come at all
            assert person.distance_source == Person.DISTANCE_SOURCE_DEPTH
            assert metres < person.joints[0].z < metres + 0.2


def test_depth_is_not_subscribed_unless_asked_for(graph: Graph, start_node: Any) -> None:
    start_node()
    graph.connect()
    assert graph.estimate().people
    assert graph.depths.get_subscription_count() == 0
