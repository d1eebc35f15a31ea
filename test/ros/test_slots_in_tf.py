"""A slot that passes to another person, as a listener of TF sees it: nobody is interpolated into anybody else."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from graph import Graph
from rclpy.duration import Duration
from rclpy.time import Time
from rep155_people import Provider, somebody
from tf2_msgs.msg import TFMessage

from smplerx_ros.body.skeleton import JOINT_NAMES

GAP_S = 12.0  # longer than a slot has to be silent
FRAMES = [f"smplx_0/{joint}" for joint in JOINT_NAMES]


@dataclass(frozen=True)
class Image:
    """An image's stamp, and what was sent of joints for it."""

    stamp_ns: int
    messages: list[TFMessage]


def stamp_ns(message: TFMessage) -> int:
    return int(Time.from_msg(message.transforms[0].header.stamp).nanoseconds)


@pytest.fixture
def images(graph: Graph) -> list[Image]:
    """Ten of somebody; then, `GAP_S` after the last, three of another person."""
    provider = Provider(graph)
    arrived = graph.listen(TFMessage, "/tf")
    graph.spin_until(lambda: graph.node.count_publishers("/tf"))
    people = somebody("a"), somebody("b", 1)
    graph.spin_until(lambda: provider.send(people[0]) and (graph.spin_once() or arrived))
    found = []
    for person, seconds in [(people[0], 0.1)] * 10 + [(people[1], GAP_S), (people[1], 0.1), (people[1], 0.1)]:
        arrived.clear()
        stamp = Time.from_msg(provider.send(person, seconds=seconds).stamp).nanoseconds
        graph.spin_until(lambda stamp=stamp: arrived and stamp_ns(arrived[-1]) == stamp)
        found.append(Image(stamp, list(arrived)))
    provider.destroy()
    return found


def test_the_first_joints_of_a_successor_are_sent_twice(images: list[Image]) -> None:
    assert [len(image.messages) for image in images[1:]] == [1] * 9 + [2, 1, 1]
    first, second = images[10].messages
    assert (stamp_ns(first), stamp_ns(second)) == (images[10].stamp_ns - 1, images[10].stamp_ns)
    assert [transform.child_frame_id for transform in first.transforms] == FRAMES
    joints = [transform for transform in second.transforms if transform.child_frame_id.startswith("smplx_")]
    assert [transform.transform for transform in first.transforms] == [transform.transform for transform in joints]


def test_nobody_is_interpolated_into_a_successor(images: list[Image]) -> None:
    tf2_py = pytest.importorskip("tf2_py", reason="tf2 comes with a ROS installation, not with the wheels")
    buffer = tf2_py.BufferCore(Duration(seconds=10))

    def known(frame: str, time_ns: int) -> bool:
        try:
            buffer.lookup_transform_core("optical", frame, Time(nanoseconds=time_ns))
        except tf2_py.ExtrapolationException:
            return False
        return True

    for number, image in enumerate(images):
        for transform in (transform for message in image.messages for transform in message.transforms):
            buffer.set_transform(transform, "test")
        assert all(known(frame, image.stamp_ns) for frame in FRAMES)
        if number == 1:  # the same person: what lies between two images is known
            assert all(known(frame, image.stamp_ns - 50_000_000) for frame in FRAMES)
        if number >= 10:
            gone, came = images[9].stamp_ns, images[10].stamp_ns
            times = (gone + 1, gone + 100_000_000, (gone + came) // 2, came - 100_000_000, came - 2)
            assert not any(known(frame, time_ns) for frame in FRAMES for time_ns in times)
