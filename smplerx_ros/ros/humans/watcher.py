"""Records what providers of bodies and faces publish on a running graph."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from hri_msgs.msg import FacialLandmarks, IdsList, IdsMatch, NormalizedRegionOfInterest2D, Skeleton2D
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from smplerx_ros.rep155.conformance.recording import (
    LISTS,
    MATCHES,
    CameraIntrinsics,
    Endpoint,
    Message,
    Recording,
    Transform,
)
from smplerx_ros.ros.conversions.from_person_array import stamp_ns

DEPTH = 100
DISCOVERY_PERIOD_S = 0.2  # of looking for new topics

Read = Callable[[Any], Any]


def _points(points: Any) -> list[tuple[float, float, float]]:
    return [(point.x, point.y, point.c) for point in points]


# Types and values (conformance.recording.Message) of the topics of one body or face.
_BELOW_ID: dict[str, tuple[type[Any], Read]] = {
    "roi": (NormalizedRegionOfInterest2D, lambda m: (m.xmin, m.ymin, m.xmax, m.ymax, m.c)),
    "cropped": (Image, lambda m: (m.width, m.height, len(m.data))),
    "skeleton2d": (Skeleton2D, lambda m: _points(m.skeleton)),
    "landmarks": (FacialLandmarks, lambda m: _points(m.landmarks)),
    "joint_states": (JointState, lambda m: dict(zip(m.name, m.position, strict=False))),
    "urdf": (String, lambda m: m.data),
}
_MATCH_FIELDS = ("id1", "id1_type", "id2", "id2_type", "confidence")


class GraphWatcher(Node):
    """Subscribes to all topics under /humans, TF and CameraInfo, and records them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("rep155_check", **kwargs)
        self._begin = time.monotonic()
        self._messages: list[Message] = []
        self._transforms: list[Transform] = []
        self._snapshots: list[tuple[float, tuple[Endpoint, ...]]] = []
        self._stamps: set[int] = set()
        self._cameras: dict[str, CameraIntrinsics] = {}
        self._known: set[str] = set()
        tf = QoSProfile(depth=DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(TFMessage, "/tf", lambda m: self._on_tf(m, static=False), tf)
        latched = QoSProfile(depth=DEPTH, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(TFMessage, "/tf_static", lambda m: self._on_tf(m, static=True), latched)
        self.look()

    def look(self) -> None:
        """Record the publishers under /humans, and subscribe to new topics."""
        endpoints: list[Endpoint] = []
        for topic, types in self.get_topic_names_and_types():
            if topic.startswith("/humans/"):
                endpoints += self._endpoints(topic)
                self._join(topic, types)
            elif types == ["sensor_msgs/msg/CameraInfo"] and topic not in self._known:
                self._known.add(topic)
                self.create_subscription(CameraInfo, topic, self._on_info, qos_profile_sensor_data)
        self._snapshots.append((time.monotonic(), tuple(endpoints)))

    def recording(self) -> Recording:
        """Everything recorded so far."""
        return Recording(
            self._begin,
            time.monotonic(),
            tuple(self._snapshots),
            tuple(self._messages),
            tuple(self._transforms),
            frozenset(self._stamps),
            dict(self._cameras),
        )

    def _endpoints(self, topic: str) -> list[Endpoint]:
        return [
            Endpoint(
                topic,
                info.topic_type,
                f"{info.node_namespace.rstrip('/')}/{info.node_name}",
                info.qos_profile.reliability == ReliabilityPolicy.RELIABLE,
                info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL,
            )
            for info in self.get_publishers_info_by_topic(topic)
        ]

    def _join(self, topic: str, types: list[str]) -> None:
        known = _reading(topic)
        if topic in self._known or known is None:
            return
        kind, read = known
        if types == [f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"]:
            self._known.add(topic)
            self._listen(topic, kind, read)

    def _listen(self, topic: str, kind: type[Any], read: Read) -> None:
        """Subscribe with a QoS that all publishers of the topic match; latched topics deliver earlier messages."""
        durable = all(endpoint.latched and endpoint.reliable for endpoint in self._endpoints(topic))
        qos = QoSProfile(
            depth=DEPTH,
            reliability=ReliabilityPolicy.RELIABLE if durable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if durable else DurabilityPolicy.VOLATILE,
        )

        def on_message(message: Any) -> None:
            header = getattr(message, "header", None)
            stamp, frame = (0, "") if header is None else (stamp_ns(message), header.frame_id)
            self._messages.append(Message(time.monotonic(), topic, stamp, frame, read(message)))

        self.create_subscription(kind, topic, on_message, qos)

    def _on_tf(self, message: TFMessage, *, static: bool) -> None:
        now = time.monotonic()
        for transform in message.transforms:
            t, q = transform.transform.translation, transform.transform.rotation
            self._transforms.append(
                Transform(
                    now,
                    stamp_ns(transform),
                    transform.header.frame_id,
                    transform.child_frame_id,
                    np.array([t.x, t.y, t.z]),
                    Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix(),
                    static,
                )
            )

    def _on_info(self, message: CameraInfo) -> None:
        if stamp_ns(message):
            self._stamps.add(stamp_ns(message))
        self._cameras[message.header.frame_id] = CameraIntrinsics(
            np.array(message.k).reshape(3, 3), message.width, message.height
        )


def watch(seconds: float, context: Context | None = None) -> Recording:
    """Record the graph for `seconds` with a new node; rclpy must be initialised."""
    node = GraphWatcher(context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        end, look = time.monotonic() + seconds, 0.0
        while rclpy.ok(context=context) and time.monotonic() < end:
            if time.monotonic() > look:
                node.look()
                look = time.monotonic() + DISCOVERY_PERIOD_S
            executor.spin_once(timeout_sec=0.05)
        return node.recording()
    finally:
        executor.shutdown()
        node.destroy_node()


def _reading(topic: str) -> tuple[type[Any], Read] | None:
    """Type of a topic, and a function that reads its messages for the rules; None for other topics."""
    if topic in LISTS.values():
        return IdsList, lambda message: tuple(message.ids)
    if topic == MATCHES:
        return IdsMatch, lambda message: tuple(getattr(message, name) for name in _MATCH_FIELDS)
    parts = topic.split("/")
    return _BELOW_ID.get(parts[4]) if len(parts) == 5 and parts[2] in LISTS else None
