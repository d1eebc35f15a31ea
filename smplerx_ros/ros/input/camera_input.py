"""Subscriptions of one camera, which keep only the newest messages, and conversion of an image to a Frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from vision_msgs.msg import Detection2DArray

from smplerx_ros.arrays import RgbImage
from smplerx_ros.detection.box_monitor import BoxMonitor
from smplerx_ros.errors import InputError
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.ros.conversions.bit_depth import BitDepth
from smplerx_ros.ros.conversions.camera_info import camera_from_info, describe_centre
from smplerx_ros.ros.conversions.compressed import image_from_compressed
from smplerx_ros.ros.conversions.depth import DepthImage, registered
from smplerx_ros.ros.conversions.from_detection_array import best_scores, boxes_from_message
from smplerx_ros.ros.conversions.from_person_array import stamp_ns
from smplerx_ros.ros.conversions.image import image_from_message
from smplerx_ros.ros.parameters import NodeParameters
from smplerx_ros.ros.qos import SUBSCRIPTION, override_names, overriding_options, sensor_qos, subscription_events
from smplerx_ros.ros.statistics import Statistics
from smplerx_ros.types import Frame

from .synchronization import KEPT, PacedMessages, StampedMessages

ImageMessage: TypeAlias = Image | CompressedImage

NO_BOXES = "known people are tracked, new ones are not found"
NO_BOXES_AFTER_S = 2.0  # seconds without detections until a warning; a detector may be slower than the camera
NO_DEPTH = "distances are estimated from the image alone"


class WaitingForCamera(Exception):
    """No usable CameraInfo has arrived, and camera_info_timeout is not over."""


@dataclass(frozen=True)
class InputOptions:
    """Which topics are subscribed, and how they are interpreted; times in seconds."""

    compressed: bool = False  # subscribe to `image/compressed`
    rectified: bool = False  # images are undistorted
    camera_info_timeout: float = 2.0
    depth_sync_tolerance: float | None = None  # None: no depth topic
    detection_sync_tolerance: float | None = None  # None: no detections topic
    topic_class: str = ""  # `class_id` of persons; empty: any
    detection_threshold: Callable[[], float] = lambda: 0.0  # current value: it may change

    @classmethod
    def from_config(cls, config: NodeParameters) -> InputOptions:
        """From the node's parameters."""
        return cls(
            compressed=config["image_transport"] == "compressed",
            rectified=config["image_is_rectified"],
            camera_info_timeout=config["camera_info_timeout"],
            depth_sync_tolerance=config["depth.sync_tolerance"] if config["depth.enabled"] else None,
            detection_sync_tolerance=config["detection.sync_tolerance"] if config["detector"] == "topic" else None,
            topic_class=config["detection.topic_class"],
            detection_threshold=lambda: float(config["detection.threshold"]),
        )


class CameraInput:
    """Subscriptions of one camera. Callbacks run in the executor's thread, `frame` in the worker's.

    Args:
        node: Node of the subscriptions.
        name: Of the camera, which prefixes its topics; empty if it is the only one.
        on_image: Called with each image message.
        statistics: Counts and logs what cannot be used.
        seconds: A steady clock.
        options: See InputOptions.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        on_image: Callable[[ImageMessage], None],
        statistics: Statistics,
        seconds: Callable[[], float],
        options: InputOptions,
    ) -> None:
        self._node = node
        self._name = name
        self._on_image = on_image
        self._statistics = statistics
        self._seconds = seconds
        self._options = options
        self.image_topic = self._topic("image/compressed" if options.compressed else "image")
        self.info_topic = self._topic("camera_info")
        self.depth_topic = self._topic("depth")
        self._detections_topic = self._topic("detections")
        self._depth = (
            StampedMessages[Image](options.depth_sync_tolerance) if options.depth_sync_tolerance is not None else None
        )
        self._detections: PacedMessages[Any] | None = None
        if options.detection_sync_tolerance is not None:
            self._detections = PacedMessages(options.detection_sync_tolerance)
        self._box_monitor = BoxMonitor(options.topic_class, seconds)
        self._bit_depth = BitDepth(self.image_topic, node.get_logger().warning)
        self._boxes_s = 0.0  # time of the last detections
        self._subscriptions: list[Subscription] = []
        self._group = MutuallyExclusiveCallbackGroup()
        self._newest_info: CameraInfo | None = None
        self._parsed_info: CameraInfo | None = None
        self._camera: Camera | None = None
        self._waiting_since: float | None = None

    @property
    def started(self) -> bool:
        """Whether the topics are subscribed."""
        return bool(self._subscriptions)

    @property
    def image_type(self) -> str:
        """Name of the type of the images."""
        return "sensor_msgs/msg/CompressedImage" if self._options.compressed else "sensor_msgs/msg/Image"

    @property
    def qos_overrides(self) -> list[str]:
        """Names of the parameters that override the QoS of the topics."""
        return [name for _, topic, *_ in self._topics() for name in override_names(self._node, topic, SUBSCRIPTION)]

    def start(self) -> None:
        """Subscribe, unless subscribed already."""
        if self._subscriptions:
            return
        # A callback group keeps references to all entities that were ever in it: use a new one each time.
        self._group = MutuallyExclusiveCallbackGroup()
        self._waiting_since, self._boxes_s = None, self._seconds()
        for waiting in (self._detections, self._depth):
            if waiting is not None:
                waiting.clear()
        for topic in self._topics():
            self._subscriptions.append(self._subscribe(*topic))

    def stop(self) -> None:
        """Unsubscribe; the last camera_info is kept."""
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())

    def frame(self, message: ImageMessage) -> Frame:
        """The frame of an image message.

        May wait for depth and detections of this image, up to their tolerances.

        Returns:
            The frame with the newest valid camera; its camera is None if a field of view has to be assumed.

        Raises:
            InputError: The image is invalid, or does not fit its camera.
            WaitingForCamera: A CameraInfo may still arrive.
        """
        self._update_camera()
        self._check_frame_id(message.header.frame_id)
        if self._camera is None and not self._waited_enough():
            raise WaitingForCamera(
                f"{self.info_topic}: nothing usable yet, waiting up to {self._options.camera_info_timeout:g} s for it"
            )
        convert = image_from_compressed if isinstance(message, CompressedImage) else image_from_message
        image = convert(message, self.image_topic, self._bit_depth)
        camera, (height, width) = self._camera, image.shape[:2]
        if camera is not None and (camera.width, camera.height) != (width, height):
            raise InputError(
                f"{self.info_topic} describes {camera.width}x{camera.height} pixels (after roi and binning), "
                f"the image on {self.image_topic} has {width}x{height}"
            )
        return Frame(
            image,
            camera,
            stamp_ns(message),
            message.header.frame_id,
            depth=self._depth_of(message, image),
            detections=self._detections_of(message, image),
            source=self._name,
        )

    def _depth_of(self, message: ImageMessage, image: RgbImage) -> DepthImage | None:
        """The depth at each pixel of the image; None, counted and logged, if there is none."""
        if self._depth is None:
            return None
        depth = self._depth.nearest(stamp_ns(message))
        if depth is None:
            self._statistics.drop("no_depth", f"{self.depth_topic}: nothing near the image's time: {NO_DEPTH}")
            return None
        try:
            return registered(depth, self.depth_topic, image, message.header.frame_id)
        except InputError as error:
            self._statistics.drop("bad_depth", f"{error}; {NO_DEPTH}")
            return None

    def _detections_of(self, message: ImageMessage, image: RgbImage) -> tuple[Box, ...] | None:
        """Boxes of the external detector; None if no message belongs to this image."""
        if self._detections is None:
            return None
        found = self._detections.take(stamp_ns(message))
        if found is None:
            self._report_missing_boxes(self._detections.offset_ns)
            return None
        self._boxes_s = self._seconds()
        (height, width), frame_id = image.shape[:2], message.header.frame_id
        try:
            boxes, complaint = boxes_from_message(
                found, self._detections_topic, frame_id, width, height, self._options.topic_class
            )
        except InputError as error:
            self._statistics.drop("bad_detections", f"{error}; {NO_BOXES}")
            return None
        if complaint:
            self._statistics.drop("bad_detections", complaint)
        unused = self._box_monitor.warning(best_scores(found), boxes, self._options.detection_threshold())
        if unused:
            self._statistics.drop("no_person_boxes", f"{self._detections_topic}: {unused}")
        return boxes

    def _report_missing_boxes(self, offset_ns: int | None) -> None:
        silent_s = self._seconds() - self._boxes_s
        if silent_s < NO_BOXES_AFTER_S:
            return
        near = f"no vision_msgs/Detection2DArray near the images' times for {silent_s:.0f} s"
        if offset_ns is not None:
            near += f" (the newest is {offset_ns * 1e-9:+.3f} s from the image; see detection.sync_tolerance)"
        self._statistics.drop("no_detections", f"{self._detections_topic}: {near}: {NO_BOXES}")

    def _update_camera(self) -> None:
        info = self._newest_info
        if info is None or info is self._parsed_info:
            return
        self._parsed_info = info
        try:
            self._camera = camera_from_info(info, self.info_topic, rectified=self._options.rectified)
        except InputError as error:
            self._statistics.drop("camera_info", str(error))
            return
        if centre := describe_centre(self._camera, info.header.frame_id):
            self._statistics.warn_once("centre", f"{self.info_topic}: {centre}")

    def _check_frame_id(self, frame_id: str) -> None:
        """Warn if the image names no frame, or if its camera_info names another: it may belong to another camera."""
        if not frame_id:
            self._statistics.warn_once(
                "no_frame_id",
                f"{self.image_topic}: images have no frame_id, so people are published without TF; set the camera's "
                "frame in its driver (often the parameter frame_id or camera_frame_id)",
            )
            return
        other = self._parsed_info.header.frame_id if self._parsed_info is not None else ""
        if other and other.lstrip("/") != frame_id.lstrip("/"):
            self._statistics.warn_once(
                "frame_id",
                f"{self.info_topic}: frame_id is {other!r}, that of the images on {self.image_topic} {frame_id!r}: is "
                f"it this camera's? Positions are published in {frame_id!r}",
            )

    def _waited_enough(self) -> bool:
        now = self._seconds()
        if self._waiting_since is None:
            self._waiting_since = now
        return now - self._waiting_since >= self._options.camera_info_timeout

    def _keep_info(self, info: CameraInfo) -> None:
        self._newest_info = info

    def _topic(self, name: str) -> str:
        return str(self._node.resolve_topic_name(f"{self._name}/{name}" if self._name else name))

    def _topics(self) -> Iterator[tuple[type[Any], str, Callable[[Any], None], int]]:
        """Type, name, callback and queue depth of each topic; images last, so that the others arrive before them."""
        if self._detections is not None:
            yield Detection2DArray, self._detections_topic, self._detections.put, KEPT
        if self._depth is not None:
            yield Image, self.depth_topic, self._depth.put, KEPT
        yield CameraInfo, self.info_topic, self._keep_info, 1
        yield CompressedImage if self._options.compressed else Image, self.image_topic, self._on_image, 1

    def _subscribe(self, kind: type[Any], topic: str, callback: Callable[[Any], None], depth: int) -> Subscription:
        return self._node.create_subscription(
            kind,
            topic,
            callback,
            sensor_qos(self._node, topic, depth),
            callback_group=self._group,
            event_callbacks=subscription_events(self._node, topic),
            qos_overriding_options=overriding_options(self._node, topic, SUBSCRIPTION),
        )
