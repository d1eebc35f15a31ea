"""The camera's topics: subscriptions that only keep the newest message, and the camera model behind an image."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeAlias

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_policy_name_from_kind, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ..errors import InputError
from ..geometry.camera import Camera
from ..types import Frame
from .camera_info import camera_from_info
from .compressed import image_from_compressed
from .depth import DepthBuffer, DepthImage, registered
from .from_messages import stamp_ns
from .image import RgbImage, image_from_message
from .statistics import Statistics

ImageMessage: TypeAlias = Image | CompressedImage

NO_DEPTH = "distances are estimated from the image alone"


class WaitingForCamera(Exception):
    """No usable CameraInfo yet, and the time to wait for one is not over."""


class CameraInput:
    """Subscribes while started; turns image messages into frames. `seconds()` is a steady clock.

    `depth_max_age` in seconds is how far depth images may lie from their image; None: there are none.
    """

    def __init__(
        self,
        node: Node,
        on_image: Callable[[ImageMessage], None],
        statistics: Statistics,
        seconds: Callable[[], float],
        *,
        compressed: bool,
        rectified: bool,
        camera_info_timeout: float,
        depth_max_age: float | None,
    ) -> None:
        self._node = node
        self._on_image = on_image
        self._statistics = statistics
        self._seconds = seconds
        self._compressed = compressed
        self._rectified = rectified
        self._timeout = camera_info_timeout
        self.image_topic = node.resolve_topic_name("image/compressed" if compressed else "image")
        self.info_topic = node.resolve_topic_name("camera_info")
        self._depth_topic = node.resolve_topic_name("depth")
        self._depth = None if depth_max_age is None else DepthBuffer(depth_max_age)
        self._subscriptions: list[Subscription] = []
        self._newest_info: CameraInfo | None = None
        self._parsed_info: CameraInfo | None = None
        self._camera: Camera | None = None
        self._waiting_since: float | None = None

    @property
    def started(self) -> bool:
        """Whether images are taken."""
        return bool(self._subscriptions)

    def start(self) -> None:
        """Subscribe; nothing happens where that is done already."""
        if not self._subscriptions:
            kind = CompressedImage if self._compressed else Image
            self._waiting_since = None
            if self._depth is not None:
                self._depth.clear()
                self._subscriptions.append(self._subscribe(Image, self._depth_topic, self._depth.put))
            self._subscriptions += [
                self._subscribe(CameraInfo, self.info_topic, self._keep_info),
                self._subscribe(kind, self.image_topic, self._on_image),
            ]

    def stop(self) -> None:
        """Take no more images; the last camera_info is kept."""
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())

    def frame(self, message: ImageMessage) -> Frame:
        """The frame of an image message, with the newest usable camera; None as camera where it has to be assumed.

        Raises InputError for what cannot be used and WaitingForCamera while a CameraInfo may still come.
        """
        self._update_camera()
        if self._camera is None and not self._waited_enough():
            raise WaitingForCamera(f"{self.info_topic}: nothing usable yet, waiting up to {self._timeout:g} s for it")
        convert = image_from_compressed if isinstance(message, CompressedImage) else image_from_message
        image = convert(message, self.image_topic)
        camera, (height, width) = self._camera, image.shape[:2]
        if camera is not None and (camera.width, camera.height) != (width, height):
            raise InputError(
                f"{self.info_topic} describes {camera.width}x{camera.height} pixels (after roi and binning), "
                f"the image on {self.image_topic} has {width}x{height}"
            )
        return Frame(image, camera, stamp_ns(message), message.header.frame_id, self._depth_of(message, image))

    def _depth_of(self, message: ImageMessage, image: RgbImage) -> DepthImage | None:
        """The depth at each pixel of the image; None, and said, where there is none that can be used."""
        if self._depth is None:
            return None
        depth = self._depth.nearest(stamp_ns(message))
        if depth is None:
            self._statistics.drop("no_depth", f"{self._depth_topic}: nothing near the image's time: {NO_DEPTH}")
            return None
        try:
            return registered(depth, self._depth_topic, image, message.header.frame_id)
        except InputError as error:
            self._statistics.drop("bad_depth", f"{error}; {NO_DEPTH}")
            return None

    def _update_camera(self) -> None:
        info = self._newest_info
        if info is None or info is self._parsed_info:
            return
        self._parsed_info = info
        try:
            self._camera = camera_from_info(info, self.info_topic, rectified=self._rectified)
        except InputError as error:
            self._statistics.drop("camera_info", str(error))

    def _waited_enough(self) -> bool:
        now = self._seconds()
        if self._waiting_since is None:
            self._waiting_since = now
        return now - self._waiting_since >= self._timeout

    def _keep_info(self, info: CameraInfo) -> None:
        self._newest_info = info

    def _subscribe(self, kind: type[Any], topic: str, callback: Callable[[Any], None]) -> Subscription:
        qos: QoSProfile = copy.copy(qos_profile_sensor_data)  # overrides are written into it
        qos.depth = 1

        def incompatible(event: Any) -> None:
            policy = qos_policy_name_from_kind(event.last_policy_kind)
            self._node.get_logger().warning(
                f"{topic}: a publisher offers an incompatible QoS ({policy}), so nothing comes from it; "
                f"set qos_overrides.{topic}.subscription.{policy.lower()} to what it offers"
            )

        return self._node.create_subscription(
            kind,
            topic,
            callback,
            qos,
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=incompatible),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
