"""Fault 25 of docs/reference/faults.md: depth images. Distances follow good ones, and bad ones do no harm."""

from __future__ import annotations

import array
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from graph import HEIGHT, WIDTH
from scene import Row, Scene
from sensor_msgs.msg import Image
from smplerx_ros.msg import Person


class DepthScene(Scene):
    """The camera publishes depth, too; the quick estimator sees its person 3 m away without it."""

    METRES = 2.6

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments, "depth.enabled:=true", "depth.sync_tolerance:=0.01")  # type: ignore[arg-type]
        self.graph.connect()
        self.graph.spin_until(self.graph.depths.get_subscription_count)

    def publish_with(self, **fields: object) -> None:
        """An image, and its depth with some fields changed; a `stamp` is that much later, in seconds."""
        image = self.graph.image()
        depth = Image(header=image.header, height=HEIGHT, width=WIDTH, encoding="16UC1", step=2 * WIDTH)
        depth.data = array.array("B", np.full(HEIGHT * WIDTH, round(1000 * self.METRES), "<u2").tobytes())
        for name, value in fields.items():
            setattr(depth, name, value)
        self.graph.depths.publish(depth)
        self.publish(image, self.graph.info())

    def distance_follows(self) -> bool:
        before = len(self.graph.people)
        self.publish_with()
        return any(
            person.distance_source == Person.DISTANCE_SOURCE_DEPTH and self.METRES < person.joints[0].z < 2.9
            for people in self.graph.people[before:]
            for person in people.people
        )


def measured(**fields: object) -> Callable[[DepthScene], None]:
    return lambda scene: scene.publish_with(**fields)


def empty(kind: str, value: float) -> array.array[int]:
    return array.array("B", np.full(HEIGHT * WIDTH, value, kind).tobytes())


def another_frame(scene: DepthScene) -> None:
    header = scene.graph.header()
    header.frame_id = "depth_frame"
    image = scene.graph.image()
    header.stamp = image.header.stamp
    depth = Image(header=header, height=HEIGHT, width=WIDTH, encoding="16UC1", step=2 * WIDTH, data=empty("<u2", 9))
    scene.graph.depths.publish(depth)
    scene.publish(image, scene.graph.info())


def without(scene: DepthScene) -> None:
    scene.publish(scene.graph.image(), scene.graph.info())


INVALID = "/depth: no pixel holds a measurement"
FLOATS = {"encoding": "32FC1", "step": 4 * WIDTH}
DEPTH = [
    Row(25, "not registered: size", measured(height=HEIGHT // 2), "bad_depth", "/depth has 160x60 pixels"),
    Row(25, "not registered: frame", another_frame, "bad_depth", "/depth is in frame 'depth_frame'"),
    Row(25, "colours", measured(encoding="rgb8"), "bad_depth", "/depth: encoding 'rgb8' is not supported"),
    Row(25, "floats called integers", measured(step=4 * WIDTH), "bad_depth", "/depth: data has 38400 bytes"),
    Row(25, "all zero", measured(data=empty("<u2", 0)), "bad_depth", INVALID),
    Row(25, "all NaN", measured(**FLOATS, data=empty("<f4", np.nan)), "bad_depth", INVALID),
    Row(25, "all infinite", measured(**FLOATS, data=empty("<f4", np.inf)), "bad_depth", INVALID),
    Row(25, "below zero", measured(**FLOATS, data=empty("<f4", -2)), "bad_depth", INVALID),
    Row(25, "none", without, "no_depth", "/depth: nothing near the image's time"),
]


@pytest.fixture(scope="module")
def depth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DepthScene]:
    made = DepthScene(tmp_path_factory.mktemp("depth"))
    made.good()
    yield made
    made.close()


@pytest.mark.parametrize("row", DEPTH, ids=lambda row: f"{row.fault} {row.name}")
def test_depth_that_cannot_be_used_does_no_harm(depth: DepthScene, row: Row) -> None:
    depth.suffer(row)
    depth.graph.spin_until(depth.distance_follows)
