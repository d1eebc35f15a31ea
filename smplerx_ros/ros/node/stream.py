"""One camera of the node: its input, its counters, and which of its images are taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

from rclpy.node import Node

from smplerx_ros.errors import InputError
from smplerx_ros.pipeline.scheduling.camera import UNUSED_DEPTH
from smplerx_ros.ros.conversions.from_person_array import stamp_ns
from smplerx_ros.ros.input.camera_input import CameraInput, ImageMessage, InputOptions, WaitingForCamera
from smplerx_ros.ros.statistics import Statistics
from smplerx_ros.types import Frame

TIME_JUMP_NS = 1_000_000_000  # stamps this far back are a looped bag or a reset clock; smaller steps are late images


@dataclass(frozen=True)
class Arrival:
    """An image, and when it came."""

    message: ImageMessage
    at: float  # seconds of time.perf_counter


class CameraStream:
    """Takes images of one camera; `name` is empty where it is the only one. `seconds()` is a steady clock.

    `put(name, image)` gets every image that arrives, in the executor's thread; `frame` is for the worker's.
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
        self.camera_assumed = False  # the last frame had no calibration
        self._node = node
        self._put = put
        self._seconds = seconds
        self._max_age_ns = round(image_max_age * 1e9)
        self._last_image_s = 0.0
        self._last_stamp_ns = 0
        self._warned_of_fov = False

    @property
    def silent_s(self) -> float:
        """Seconds since the last image."""
        return self._seconds() - self._last_image_s

    def begin(self, *, taking_images: bool) -> None:
        """Start anew, and subscribe if images are to be taken."""
        self.statistics.clear_ages()
        self._last_stamp_ns = 0
        self.enable(taking_images)

    def enable(self, taking_images: bool) -> None:
        """Subscribe, or unsubscribe."""
        self._last_image_s = self._seconds()
        self.input.start() if taking_images else self.input.stop()

    def frame(self, message: ImageMessage) -> Frame | None:
        """The frame of an image; None, and counted and told, where it cannot be used. Never raises."""
        try:
            if not self._in_time(message):
                return None
            frame = self.input.frame(message)
        except WaitingForCamera as waiting:
            self.statistics.drop("waiting_for_camera_info", str(waiting))
        except InputError as error:
            self.statistics.drop("bad_input", str(error))
        except Exception as error:  # whatever a message makes a library throw: the next one may be fine
            self.statistics.drop("exception", f"{self.input.image_topic}: {type(error).__name__}: {error}")
        else:
            self._warn_of_assumed_camera(frame)
            return frame
        return None

    def count_warnings(self, warnings: Mapping[str, str]) -> None:
        """Count, and log now and then, what the estimator found wrong with the frames (`People.warnings`)."""
        for reason, text in warnings.items():
            topic = self.input.depth_topic if reason == UNUSED_DEPTH else self.input.image_topic
            self.statistics.drop(reason, f"{topic}: {text}")

    def age_ns(self, stamp: int) -> int:
        """From a stamp until now, in the node's time."""
        return int(self._node.get_clock().now().nanoseconds) - stamp

    def _on_image(self, message: ImageMessage) -> None:
        self.statistics.received()
        self._last_image_s = self._seconds()
        self._put(self.name, Arrival(message, perf_counter()))

    def _in_time(self, message: ImageMessage) -> bool:
        """Whether the image is newer than the last and not too old; 0 is no stamp and always taken.

        A long step back in time is told; the estimator starts anew with it.
        """
        stamp = stamp_ns(message)
        if not stamp:
            return True
        topic, behind = self.input.image_topic, self._last_stamp_ns - stamp
        if 0 <= behind < TIME_JUMP_NS:
            text = f"{topic}: stamp {stamp} ns is not newer than the last, {self._last_stamp_ns} ns"
            self.statistics.drop("stamp_not_newer", text)
            return False
        if self._max_age_ns and (age := self.age_ns(stamp)) > self._max_age_ns:
            self.statistics.drop("too_old", f"{topic}: {age * 1e-9:.3f} s old, image_max_age is exceeded")
            return False
        if behind >= TIME_JUMP_NS:
            self._node.get_logger().info(f"{topic}: stamps went back by {behind * 1e-9:.1f} s: tracks start anew")
        self._last_stamp_ns = stamp
        return True

    def _warn_of_assumed_camera(self, frame: Frame) -> None:
        self.camera_assumed = frame.camera is None
        if self.camera_assumed and not self._warned_of_fov:
            self._warned_of_fov = True
            fov = self._node.get_parameter("default_fov").value
            self._node.get_logger().warning(
                f"{self.input.info_topic}: no usable CameraInfo, so a horizontal field of view of {fov:g} degrees "
                "(default_fov) is assumed; distances are rough"
            )
