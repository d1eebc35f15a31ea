"""Draws scenes and publishes markers and overlays on the topics of the node; runs in the drawing process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from smplerx_ros.body import load_body
from smplerx_ros.ros.conversions.compressed import compressed_from_image
from smplerx_ros.ros.conversions.image import message_from_image
from smplerx_ros.ros.conversions.markers import LIFETIME_S, MarkerWriter
from smplerx_ros.ros.event_callbacks import PublisherEventCallbacks
from smplerx_ros.ros.qos import delivered, qos_of
from smplerx_ros.ros.statistics import LOG_PERIOD_S
from smplerx_ros.visualization.decimation import DecimatedMesh
from smplerx_ros.visualization.overlay import draw_people

from .scene import Scene

MESH_FACES = 3000  # triangles of the mesh drawn; the body model's 20908 (SMPL-X) or 27420 hardly look better
INTERVALS = 3  # frame intervals that markers last at low frame rates
LONGEST_INTERVAL_S = 10.0  # a longer interval between frames is a pause


@dataclass
class _View:
    """Publishers and markers of one camera."""

    markers: MarkerWriter
    overlay: Publisher
    compressed: Publisher  # the overlay as JPEG
    header: Header  # of the last markers
    drawn_s: float = float("-inf")  # time of the last markers (time.monotonic)
    until_s: float = float("inf")  # when they expire


class Renderer:
    """Publishes from a node of its own.

    Args:
        context: Context of the node.
        settings: `Settings` as a dictionary: topics, their QoS, and the node's name.
    """

    def __init__(self, context: Context, settings: dict[str, Any]) -> None:
        self._node = rclpy.create_node(
            settings["node"],
            context=context,
            namespace=settings["namespace"],
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
            parameter_overrides=[Parameter("start_type_description_service", value=False)],
        )
        body = load_body(settings["body_model"] or None)
        self._markers = self._publisher(MarkerArray, settings["markers"])
        self._mesh = cache(partial(DecimatedMesh.of, body, MESH_FACES))
        numbers = count(1)
        self._views = {
            camera: _View(
                MarkerWriter(self._mesh, numbers),
                self._publisher(Image, topic),
                self._publisher(CompressedImage, settings["compressed"][camera]),
                Header(),
            )
            for camera, topic in settings["overlays"].items()
        }

    def draw(self, scene: Scene) -> None:
        """Publish the markers and overlays that a scene asks for; markers first, as they take less time."""
        view = self._views[scene.source]
        if scene.markers:
            self._publish_markers(view, scene)
        if scene.image is not None and scene.camera is not None:
            drawn = draw_people(scene.image, scene.people, self._mesh(), scene.camera)
            if view.overlay.get_subscription_count():
                view.overlay.publish(message_from_image(drawn, Image(header=scene.header)))
            if view.compressed.get_subscription_count():
                view.compressed.publish(compressed_from_image(drawn, scene.header))

    def log_error(self, text: str) -> None:
        """Log an error, throttled."""
        self._node.get_logger().error(text, throttle_duration_sec=LOG_PERIOD_S)

    def clear(self) -> None:
        """Delete all markers."""
        for view in self._views.values():
            self._delete_markers(view)
            view.drawn_s = float("-inf")
        delivered(self._markers)

    def close(self) -> None:
        """Delete all markers and destroy the node."""
        self.clear()
        self._node.destroy_node()

    def delete_expired(self, now: float) -> None:
        """Delete markers that have expired; `now` in seconds of time.monotonic."""
        for view in self._views.values():
            if now > view.until_s:
                self._delete_markers(view)

    def _publish_markers(self, view: _View, scene: Scene) -> None:
        now = time.monotonic()
        interval = now - view.drawn_s
        lifetime = max(LIFETIME_S, INTERVALS * interval if interval < LONGEST_INTERVAL_S else 0.0)
        people, view.header, up = scene.people, scene.header, (0.0, -1.0, 0.0)
        if scene.target is not None:
            frame, placement = scene.target
            people = tuple(placement.place(person) for person in people)
            view.header = Header(stamp=scene.header.stamp, frame_id=frame)
            up = tuple(placement.up)
        view.drawn_s, view.until_s = now, now + lifetime
        self._markers.publish(view.markers.update(people, view.header, mesh=scene.mesh, up=up, lifetime=lifetime))

    def _delete_markers(self, view: _View) -> None:
        view.until_s = float("inf")
        deletions = view.markers.clear(view.header)
        if deletions is not None:
            self._markers.publish(deletions)

    def _publisher(self, kind: type[Any], topic: dict[str, Any]) -> Publisher:
        # The node has a publisher of each topic as well, and warns of subscribers with an incompatible QoS.
        silent = PublisherEventCallbacks(use_default_callbacks=False)
        return self._node.create_publisher(kind, topic["name"], qos_of(topic["qos"]), event_callbacks=silent)
