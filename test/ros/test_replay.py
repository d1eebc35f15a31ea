"""A recording through the node under its own clock: each run gives the identities and numbers of `Estimator`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from graph import Graph
from rclpy.duration import Duration
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from smplerx_ros.msg import PersonArray
from std_msgs.msg import Header

import smplerx_ros
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.io.video import VideoReader
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.ros.conversions.camera_info import info_from_camera
from smplerx_ros.ros.conversions.from_person_array import stamp_ns
from smplerx_ros.ros.conversions.image import message_from_image
from smplerx_ros.types import Frame

CLIP = Path(smplerx_ros.__file__).parent / "assets" / "demo_walk.mp4"
ESTIMATOR = (sys.executable, "-m", "smplerx_ros.ros.node.main")
FRAMES, STEP = 8, 3
RECORDED_NS = 1_600_000_000_000_000_000  # years ago
DETECT_EVERY = 3
WAIT_S = 120


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    """The middle at half the size: small enough (0.3 MB) for the shared memory of Fast DDS, 0.5 MB by default."""
    with VideoReader(CLIP) as reader:
        seen = list(islice(reader, 0, FRAMES * STEP, STEP))
    halves = [cv2.resize(frame.image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for frame in seen]
    images = [np.ascontiguousarray(half[:, 180:480]) for half in halves]
    height, width = images[0].shape[:2]
    camera = replace(Camera.from_fov(width, height), calibrated=True)  # as a recorded one is
    stamps = [RECORDED_NS + round(frame.seconds * 1e9) for frame in seen]
    return [Frame(image, camera, stamp, "camera") for image, stamp in zip(images, stamps, strict=True)]


def replayed(frames: list[Frame], start_node: Callable[..., Any]) -> list[PersonArray]:
    """What the node answers to each frame; the next one is sent when the answer is there."""
    graph = Graph()
    # Under the machine's clock these images would be too old.
    parameters = (
        "use_sim_time:=true",
        "id_prefix:=p",
        "image_max_age:=5.0",
        "qos_overrides./image.subscription.reliability:=reliable",  # nothing is lost on the way
        "qos_overrides./camera_info.subscription.reliability:=reliable",
        "camera_info_timeout:=100.0",
        f"detection.interval:={DETECT_EVERY}",
    )
    node = start_node(*parameters, command=ESTIMATOR)
    clock = graph.node.create_publisher(Clock, "/clock", QoSProfile(depth=1))
    try:
        node.wait_for_log("active:", WAIT_S)
        graph.connect()
        know_the_camera(graph, frames[0])
        return [answered(graph, clock, frame) for frame in frames]
    finally:
        node.kill()
        graph.close()


def know_the_camera(graph: Graph, frame: Frame) -> None:
    """Before the first image: one that waits for its camera_info is dropped, and a copy of it is not newer."""
    header = Header(frame_id=frame.frame_id)
    graph.infos.publish(info_from_camera(frame.camera, header))
    assert graph.infos.wait_for_all_acked(Duration(seconds=WAIT_S))
    handled = time.monotonic() + 1.0
    while time.monotonic() < handled:
        graph.spin_once()


def answered(graph: Graph, clock: Any, frame: Frame) -> PersonArray:
    header = Header(frame_id=frame.frame_id)
    header.stamp.sec, header.stamp.nanosec = divmod(frame.stamp_ns, 1_000_000_000)
    info: CameraInfo = info_from_camera(frame.camera, header)
    image = message_from_image(frame.image, Image(header=header))

    def answer() -> PersonArray | None:
        clock.publish(Clock(clock=header.stamp))
        graph.infos.publish(info)
        graph.images.publish(image)  # again, where the node had not yet the clock: the second one is not newer
        again = time.monotonic() + 3.0  # what is under way is not pushed out by another copy
        while time.monotonic() < again:
            graph.spin_once()
            if graph.people and stamp_ns(graph.people[-1]) == frame.stamp_ns:
                break
        return next((people for people in graph.people if stamp_ns(people) == frame.stamp_ns), None)

    return graph.spin_until(answer, WAIT_S)  # type: ignore[no-any-return]


def written(value: Any) -> Any:
    """Fields and array contents, bit by bit; not the message's serialization, whose padding is what lay in memory."""
    if hasattr(value, "get_fields_and_field_types"):
        return {name: written(getattr(value, name)) for name in value.get_fields_and_field_types()}
    if isinstance(value, (list, tuple)):
        return [written(item) for item in value]
    return value.tobytes() if hasattr(value, "tobytes") else repr(value)


def test_two_runs_of_a_recording_are_equal_and_equal_to_the_estimators(
    frames: list[Frame], start_node: Callable[..., Any]
) -> None:
    first, second = (replayed(frames, start_node) for _ in range(2))
    assert sum(bool(answer.people) for answer in first) >= FRAMES - 1
    for one, other in zip(first, second, strict=True):
        assert [person.id for person in one.people] == [person.id for person in other.people]
        assert written(one.people) == written(other.people)
    with Estimator.from_config({"device": "cpu", "detection.interval": DETECT_EVERY}) as estimator:
        expected = [estimator.estimate(frame) for frame in frames]
    for people, answer in zip(expected, first, strict=True):
        assert [person.id for person in people] == [person.id for person in answer.people]
        for mine, theirs in zip(people, answer.people, strict=True):
            np.testing.assert_array_equal(mine.joints, [[p.x, p.y, p.z] for p in theirs.joints])
