"""Every parameter arrives where it acts in the node: from a file, from the launch file, and while it runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from fake_estimator import FakeEstimator
from geometry_msgs.msg import TransformStamped
from graph import GREY, HEIGHT, WIDTH
from launch_files import declared, launched, load_launch_file, stand_in
from node_object import own_context
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from smplerx_ros.config.table import PARAMETERS, ROS_PARAMETERS
from smplerx_ros.ros.conversions.image import message_from_image
from smplerx_ros.ros.node.node import SmplerxNode, load_estimator
from smplerx_ros.ros.node.stream import Arrival
from support.arrival import ESTIMATOR, NO_DEFAULT, Entry, replace_loaders

TABLE = {parameter.name: parameter for parameter in (*PARAMETERS, *ROS_PARAMETERS)}
STAMP_S = 1000


def header(seconds_later: float = 0.0) -> Header:
    made = Header(frame_id="camera")
    made.stamp.sec, made.stamp.nanosec = STAMP_S, round(seconds_later * 1e9)
    return made


def image(pixels: np.ndarray = GREY, seconds_later: float = 0.0) -> Image:
    return message_from_image(pixels, Image(header=header(seconds_later)))


def deliver(node: SmplerxNode, topic: str, message: Any) -> None:
    """Hand a message to the node's subscription."""
    (subscription,) = (s for s in node.subscriptions if s.topic_name == topic)
    subscription.callback(message)


def handle(node: SmplerxNode, message: Image) -> Any:
    """What comes out for an image, in this thread; None where it is dropped."""
    assert node._running is not None
    node._running.processor.last = None
    node._running.processor.handle({"": Arrival(message, 0.0)})
    return node._running.processor.last


def published(node: SmplerxNode, topic: str, message: Image | None = None) -> list[Any]:
    """What goes out on a topic for an image, whether somebody listens or not."""
    sent: list[Any] = []
    (publisher,) = (p for p in node.publishers if p.topic_name == topic)
    publisher.publish, publisher.get_subscription_count = sent.append, lambda: 1  # type: ignore[method-assign]
    handle(node, message or image())
    return sent


def subscribed(node: SmplerxNode) -> dict[str, str]:
    """Message types by topic."""
    return {s.topic_name: s.msg_type.__name__ for s in node.subscriptions if s.topic_name.count("/") <= 2}


def starts_by_itself(node: SmplerxNode) -> bool:
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    for _ in range(5):
        executor.spin_once(timeout_sec=0.05)
    executor.shutdown()
    return node._state() == "active"


def focal_length(node: SmplerxNode) -> float:
    info = CameraInfo(header=header(), width=WIDTH, height=HEIGHT, k=[120.0, 0, 80, 0, 120.0, 60, 0, 0, 1])
    info.p = [90.0, 0, 80, 0, 0, 90.0, 60, 0, 0, 0, 1, 0]
    deliver(node, "/camera_info", info)
    return float(handle(node, image()).camera.k[0, 0])


def waits_for_camera_info(node: SmplerxNode) -> bool:
    return handle(node, image()) is None


def takes_an_old_image(node: SmplerxNode) -> bool:
    return handle(node, image()) is not None


def boxes(node: SmplerxNode) -> int:
    """Of a person and a dog, seen 0.3 s before the image; one where none were taken."""
    from test_detections import array, detection

    found = detection(20, 60, 15, 40, person=0.9), detection(60, 60, 15, 40, dog=0.9), detection(90, 60, 9, 9, cat=0.9)
    deliver(node, "/detections", array(*found, header=header()))
    return len(handle(node, image(seconds_later=0.3)).people)


def depth(node: SmplerxNode) -> bool:
    """Whether a depth image is taken that is 0.3 s older than the image."""
    message = Image(header=header(), height=HEIGHT, width=WIDTH, encoding="16UC1", step=2 * WIDTH)
    message.data = np.full((HEIGHT, WIDTH), 2000, np.uint16).tobytes()
    deliver(node, "/depth", message)
    return handle(node, image(seconds_later=0.3)).frame.depth is not None


def tf_frames(node: SmplerxNode) -> set[str]:
    sent = [deserialize_message(message, TFMessage) for message in published(node, "/tf")]
    return {transform.child_frame_id for message in sent for transform in message.transforms}


def rep155_topics(node: SmplerxNode) -> set[str]:
    return {p.topic_name for p in node.publishers if p.topic_name.startswith("/humans/")}


def cropped(node: SmplerxNode) -> bool:
    """Whether the image of a body goes out to somebody who listens."""
    handle(node, image())
    (topic,) = (name for name in rep155_topics(node) if name.startswith("/humans/bodies/") and "cropped" in name)
    return bool(published(node, topic, image(seconds_later=0.1)))


def frames_of_people(node: SmplerxNode) -> str:
    return str(published(node, "/smplerx/people")[0].header.frame_id)


def draws_meshes(node: SmplerxNode) -> list[bool]:
    """What the process that draws is asked for."""
    scenes: list[Any] = []
    assert node._loaded is not None
    node._loaded.output._drawing_client.show = scenes.append  # type: ignore[method-assign]
    published(node, "/smplerx/markers")
    return [scene.mesh for scene in scenes]


AT_ONCE = {"camera_info_timeout": 0.0}
BOXES = {**AT_ONCE, "detector": "topic"}
NODE: dict[str, Entry] = {
    "autostart": Entry(False, starts_by_itself),
    "cameras": Entry(("front", "left/rear"), subscribed),
    "image_transport": Entry("compressed", subscribed),
    "image_is_rectified": Entry(True, focal_length, AT_ONCE),
    "camera_info_timeout": Entry(0.0, waits_for_camera_info),
    "image_max_age": Entry(5.0, takes_an_old_image, AT_ONCE),
    "detection.sync_tolerance": Entry(0.5, boxes, BOXES),
    "detection.topic_class": Entry("person", boxes, BOXES | {"detection.sync_tolerance": 0.5}),
    "depth.enabled": Entry(True, subscribed),
    "depth.sync_tolerance": Entry(0.5, depth, AT_ONCE | {"depth.enabled": True}),
    "tf.enabled": Entry(False, tf_frames, AT_ONCE),
    "tf.prefix": Entry("left/smplx_", tf_frames, AT_ONCE),
    "tf.body": Entry(False, tf_frames, AT_ONCE),
    "tf.hands": Entry(False, tf_frames, AT_ONCE),
    "tf.face": Entry(False, tf_frames, AT_ONCE),
    "tf.rep155": Entry(False, tf_frames, AT_ONCE),
    "tf.rep155_links": Entry(True, tf_frames, AT_ONCE),
    "rep155.enabled": Entry(False, rep155_topics),
    "rep155.cropped": Entry(False, cropped, AT_ONCE),
    "target_frame": Entry("map", frames_of_people, AT_ONCE),
    "markers.mesh": Entry(True, draws_meshes, AT_ONCE),
}
ENTRIES = ESTIMATOR | NODE


@pytest.fixture(scope="module")
def context() -> Iterator[Context]:
    with own_context([]) as made:
        yield made


@pytest.fixture
def launch_file(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Everything that is not the package's is replaced."""
    replace_loaders(monkeypatch)
    stand_in(monkeypatch)
    tf2_ros = ModuleType("tf2_ros")
    buffer = SimpleNamespace(lookup_transform=lambda *_: TransformStamped())
    listener = SimpleNamespace(unregister=lambda: None)
    vars(tf2_ros).update(Buffer=lambda: buffer, TransformListener=lambda *_: listener, TransformException=KeyError)
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2_ros)
    return load_launch_file("estimate")


def written(path: Path, values: Mapping[str, Any]) -> str:
    """A parameter file, as users and launch_ros write them."""
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    path.write_text(yaml.safe_dump({"/**": {"ros__parameters": plain}}))
    return str(path)


def seen(context: Context, name: str, files: list[str], later: Mapping[str, Any] | None = None) -> Any:
    """What a parameter makes of a node that reads these parameter files."""
    arguments = ["--ros-args", *(part for file in files for part in ("--params-file", file))]
    of_estimator = name in ESTIMATOR
    factory = load_estimator if of_estimator else FakeEstimator
    node = SmplerxNode(estimator_factory=factory, context=context, cli_args=arguments, use_global_arguments=False)
    try:
        if name != "autostart":
            assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS, node._failure
            assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS, node._failure
        for changed, value in (later or {}).items():
            assert node.set_parameters([Parameter(changed, value=value)])[0].successful
        if not of_estimator:
            return ENTRIES[name].seen(node)
        assert node._loaded is not None
        node._loaded.requests.apply(node._loaded.estimator)  # as before each image
        return ENTRIES[name].seen(node._loaded.estimator)
    finally:
        node.stop()
        node.destroy_node()


def test_the_table_has_an_entry_for_each_parameter_with_another_value() -> None:
    assert set(ENTRIES) == set(TABLE)
    for name, entry in ENTRIES.items():
        assert TABLE[name].check(entry.value) != TABLE[name].default


@pytest.mark.parametrize("name", TABLE)
def test_a_parameter_arrives(context: Context, launch_file: ModuleType, tmp_path: Path, name: str) -> None:
    entry = ENTRIES[name]
    beside = {"autostart": name == "autostart", "id_prefix": "p"} | dict(entry.beside)  # else ids differ every time
    beside |= {"id_prefix": ""} if name == "id_prefix" else {}
    beside |= {name: NO_DEFAULT[name]} if name in NO_DEFAULT else {}
    usual_file = written(tmp_path / "usual.yaml", beside)
    other_file = written(tmp_path / "other.yaml", beside | {name: entry.value})
    look = partial(seen, context, name)
    usual, other = look([usual_file]), look([other_file])
    assert other != usual
    assert look(_launched(launch_file, tmp_path, params_file=other_file)) == other
    if name in declared(launch_file):
        value = entry.value
        text = yaml.safe_dump(list(value)) if isinstance(value, tuple) else str(value).lower()
        argument = {name: value if isinstance(value, str) else text}
        assert look(_launched(launch_file, tmp_path, params_file=usual_file, **argument)) == other
    if TABLE[name].live:
        assert look([usual_file], {name: entry.value}) == other


def _launched(launch_file: ModuleType, directory: Path, **arguments: str) -> list[str]:
    """The parameter files with which the node is started; the launch file's topics are left out."""
    (node,) = launched(launch_file, **arguments)
    file, values = node.parameters
    return [file, written(directory / "launched.yaml", values)]
