"""One camera of the node: input, statistics, and selection of images by their stamps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

from rclpy.node import Node

from smplerx_ros.errors import InputError
from smplerx_ros.pipeline.scheduling.camera_state import UNUSED_DEPTH
from smplerx_ros.ros.conversions.from_person_array import stamp_ns
from smplerx_ros.ros.input.camera_input import CameraInput, ImageMessage, InputOptions, WaitingForCamera
from smplerx_ros.ros.qos import describe_publishers
from smplerx_ros.ros.statistics import Statistics
from smplerx_ros.types import Frame

NO_IMAGE_AFTER_S = 5.0  # seconds after subscribing until a warning that no image has ever come
TIME_JUMP_NS = 1_000_000_000  # a larger step back is a looped bag or a reset clock, a smaller one a late image


@dataclass(frozen=True)
class Arrival:
    """An image and its time of arrival."""

    message: ImageMessage
    at: float  # seconds of time.perf_counter


class CameraStream:
    """Receives the images of one camera.

    Args:
        node: Node of the subscriptions.
        name: Of the camera; empty if it is the only one.
        put: Called as `put(name, arrival)` for each image, in the executor's thread. `frame` is called in the worker's.
        seconds: A steady clock.
        options: Options of the input.
        image_max_age: Images older than this many seconds are dropped; 0: never.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        put: Callable[[str, Arrival], None],
        seconds: Callable[[], float],
        options: InputOptions,
        image_max_age: float,
    ) -> None:
        self.name = name
        self.statistics = Statistics(seconds, node.get_logger().warning)
        self.input = CameraInput(node, name, self._on_image, self.statistics, seconds, options)
        self.camera_assumed = False  # the last frame had no CameraInfo
        self._node = node
        self._put = put
        self._seconds = seconds
        self._max_age_ns = round(image_max_age * 1e9)
        self._last_image_s = 0.0
        self._any_image = False  # since the topics were subscribed
        self._last_stamp_ns = 0

    @property
    def silent_s(self) -> float:
        """Seconds since the last image."""
        return self._seconds() - self._last_image_s

    def begin(self, *, taking_images: bool) -> None:
        """Reset stamps and ages, and subscribe if `taking_images`."""
        self.statistics.clear_ages()
        self._last_stamp_ns = 0
        self.enable(taking_images)

    def enable(self, taking_images: bool) -> None:
        """Subscribe or unsubscribe."""
        self._last_image_s = self._seconds()
        self._any_image = False
        self.statistics.rearm("no_image")
        self.input.start() if taking_images else self.input.stop()

    def frame(self, message: ImageMessage) -> Frame | None:
        """The frame of an image; None, counted and logged, if it cannot be used. Never raises."""
        try:
            if not self._in_time(message):
                return None
            frame = self.input.frame(message)
        except WaitingForCamera as waiting:
            self.statistics.drop("waiting_for_camera_info", str(waiting))
        except InputError as error:
            self.statistics.drop("bad_input", str(error))
        except Exception as error:  # libraries raise anything on bad messages; the next one may be fine
            self.statistics.drop("exception", f"{self.input.image_topic}: {type(error).__name__}: {error}")
        else:
            self._warn_of_assumed_camera(frame)
            return frame
        return None

    def count_warnings(self, warnings: Mapping[str, str]) -> None:
        """Count and log (throttled) the estimator's warnings about a frame (`People.warnings`)."""
        for reason, text in warnings.items():
            topic = self.input.depth_topic if reason == UNUSED_DEPTH else self.input.image_topic
            self.statistics.drop(reason, f"{topic}: {text}")

    def age_ns(self, stamp: int) -> int | None:
        """Nanoseconds from a stamp until now, by the node's clock; None if that has no time."""
        now = int(self._node.get_clock().now().nanoseconds)
        if not now:
            self.statistics.warn_once(
                "no_clock",
                "use_sim_time is true, but no time has come on /clock: ages are unknown, and image_max_age has no "
                "effect; play the bag with --clock, start the simulation, or set use_sim_time to false",
            )
            return None
        return now - stamp

    def check_silence(self) -> None:
        """Log once if the topics are subscribed and no image has ever come. From any thread."""
        silent_s, topic = self.silent_s, self.input.image_topic
        if self._any_image or not self.input.started or silent_s < NO_IMAGE_AFTER_S:
            return
        publishers = describe_publishers(self._node, topic)
        self.statistics.warn_once(
            "no_image",
            f"{topic}: no image for {silent_s:.0f} s, from {publishers}; this node takes {self.input.image_type}. "
            f"Check that images are sent (ros2 topic hz {topic}) and that type and QoS fit; large images need "
            "config/fastdds.xml at the camera, too"
            if publishers
            else f"{topic}: no image for {silent_s:.0f} s: nothing publishes this topic. Set image:= to the camera's "
            "topic (ros2 topic list -t), and check that the camera runs with the same ROS_DOMAIN_ID",
        )

    def _on_image(self, message: ImageMessage) -> None:
        self.statistics.received()
        self._last_image_s, self._any_image = self._seconds(), True
        self._put(self.name, Arrival(message, perf_counter()))

    def _in_time(self, message: ImageMessage) -> bool:
        """Whether the image is newer than the last and not too old; images without a stamp (0) always pass.

        A long step back in time is logged; the estimator restarts its tracks on it.
        """
        stamp = stamp_ns(message)
        if not stamp:
            return True
        topic, behind = self.input.image_topic, self._last_stamp_ns - stamp
        if 0 <= behind < TIME_JUMP_NS:
            text = f"{topic}: stamp {stamp} ns is not newer than the last, {self._last_stamp_ns} ns"
            self.statistics.drop("stamp_not_newer", text)
            return False
        age = self.age_ns(stamp) if self._max_age_ns else None
        if age is not None and age > self._max_age_ns:
            self.statistics.drop("too_old", f"{topic}: {age * 1e-9:.3f} s old, image_max_age is exceeded")
            return False
        if behind >= TIME_JUMP_NS:
            self._node.get_logger().info(f"{topic}: stamps went back by {behind * 1e-9:.1f} s: tracks restart")
        self._last_stamp_ns = stamp
        return True

    def _warn_of_assumed_camera(self, frame: Frame) -> None:
        self.camera_assumed = frame.camera is None
        if self.camera_assumed:
            fov = self._node.get_parameter("default_fov").value
            self.statistics.warn_once(
                "camera_assumed",
                f"{self.input.info_topic}: no usable CameraInfo, so a horizontal field of view of {fov:g} degrees "
                "(default_fov) is assumed; distances are rough",
            )
