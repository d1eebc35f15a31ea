"""The node of the web viewer: subscribes while a browser is connected, and shows the newest message."""

from __future__ import annotations

from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import CompressedImage, Image

from smplerx_ros.arrays import RgbImage
from smplerx_ros.body import load_body
from smplerx_ros.errors import InputError
from smplerx_ros.msg import PersonArray
from smplerx_ros.ros.conversions.bit_depth import BitDepth
from smplerx_ros.ros.conversions.compressed import image_from_compressed
from smplerx_ros.ros.conversions.from_diagnostics import Report, report_of
from smplerx_ros.ros.conversions.from_person_array import camera_from_message, people_from_message, stamp_ns
from smplerx_ros.ros.conversions.image import image_from_message
from smplerx_ros.ros.parameters import NODE_PARAMETERS, TableParameters
from smplerx_ros.visualization.web.options import VIEWER_PARAMETERS
from smplerx_ros.visualization.web.page import OPTICAL, UPRIGHT, Page, View

WATCH_PERIOD_S = 0.5
SILENT_AFTER_S = 5.0  # without messages until the page says so, and shows nobody


class ViewerNode(Node):
    """Subscribes `smplerx/people`, `image` and `/diagnostics` while a browser is connected.

    Raises:
        ConfigError: A parameter is invalid.
        ModelFileError: The body model cannot be read.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("viewer", **kwargs)
        # This node is often given the estimator's parameter file as well.
        of_node = [parameter.name for parameter in NODE_PARAMETERS]
        self._config = TableParameters(self, VIEWER_PARAMETERS, lambda _: "is read at the start: start again", of_node)
        values = {parameter.name: self._config[parameter.name] for parameter in VIEWER_PARAMETERS}
        self._compressed = values["image_transport"] == "compressed"
        self._period = 1 / values["rate"]
        self._people_topic = self.resolve_topic_name("smplerx/people")
        self._image_topic = self.resolve_topic_name("image/compressed" if self._compressed else "image")
        self._bit_depth = BitDepth(self._image_topic)
        self._subscribed: list[Subscription] = []
        self._draw_timer: Timer | None = None
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._forget()
        body = load_body(values["body_model"] or None)
        self._target_frame = str(values["target_frame"]).lstrip("/")
        space = UPRIGHT if self._target_frame else OPTICAL
        self._page = Page(body, host=values["host"], port=values["port"], title=self._people_topic, space=space)
        self.create_timer(WATCH_PERIOD_S, self._watch, clock=self._steady)
        self.get_logger().info(f"open {self._page.url} in a browser")

    def close(self) -> None:
        """End the page and the node."""
        self._page.close()
        self.destroy_node()

    def set_parameters_atomically(self, parameter_list: list[Parameter]) -> SetParametersResult:
        """Called by the parameter services; a refusal names the parameter."""
        return self._config.set(parameter_list, super().set_parameters_atomically)

    def _forget(self) -> None:
        self._people: PersonArray | None = None
        self._drawn: PersonArray | None = None
        self._image: Image | CompressedImage | None = None
        self._report = Report()  # from the estimator's diagnostics
        self._last_people_s = self._seconds()

    def _watch(self) -> None:
        """Subscribe or unsubscribe as browsers come and go; update the timeline and the message on silence."""
        if not self._page.watched:
            if self._subscribed:
                self._unsubscribe()
            return
        if not self._subscribed:
            self._forget()
            self._subscribe()
        self._page.show_timeline(self._seconds())
        silent = self._seconds() - self._last_people_s
        if silent > SILENT_AFTER_S:
            text = f"nothing on {self._people_topic} for {silent:.0f} s"
            self._page.show(View(notices=(text, *filter(None, [self._report.trouble]))))

    def _subscribe(self) -> None:
        newest = QoSProfile(depth=1)
        image = (CompressedImage if self._compressed else Image, self._image_topic, self._keep_image)
        self._subscribed = [
            self.create_subscription(PersonArray, self._people_topic, self._keep_people, newest),
            self.create_subscription(*image, qos_profile_sensor_data),
            self.create_subscription(DiagnosticArray, "/diagnostics", self._keep_report, newest),
        ]
        self._draw_timer = self.create_timer(self._period, self._draw, clock=self._steady)

    def _unsubscribe(self) -> None:
        while self._subscribed:
            self.destroy_subscription(self._subscribed.pop())
        if self._draw_timer is not None:
            self.destroy_timer(self._draw_timer)
        self._page.clear()

    def _keep_people(self, message: PersonArray) -> None:
        image = self._image
        if image is not None and not self._target_frame and image.header.frame_id != message.header.frame_id:
            return  # of another camera
        self._people = message
        self._last_people_s = self._seconds()
        now_ns, sent_ns = self.get_clock().now().nanoseconds, stamp_ns(message)  # 0: no time
        age_ms = (now_ns - sent_ns) * 1e-6 if now_ns and sent_ns else float("nan")
        self._page.arrived(self._last_people_s, age_ms)

    def _keep_image(self, message: Image | CompressedImage) -> None:
        self._image = message

    def _keep_report(self, message: DiagnosticArray) -> None:
        self._report = report_of(self._people_topic.rpartition("/")[0], message) or self._report

    def _draw(self) -> None:
        message = self._people
        if message is None or message is self._drawn:
            return
        self._drawn = message
        report = self._report
        notices = [report.trouble] if report.trouble else []
        image, camera = None, None
        try:
            image = self._newest_image()
            camera = None if image is None else camera_from_message(message, self._people_topic)
        except InputError as error:
            notices.append(str(error))
        if message.camera_source == PersonArray.CAMERA_SOURCE_DEFAULT_FOV:
            notices.append("No camera_info: a field of view is assumed, distances are rough.")
        self._page.show(
            View(
                people=people_from_message(message),
                backbone=message.backbone,
                body_model=message.body_model,
                runtime=report.runtime,
                stages_ms=report.stages_ms,
                image=image,
                camera=camera,
                notices=tuple(notices),
            )
        )

    def _newest_image(self) -> RgbImage | None:
        """The newest image; None in a target frame, in which the camera's pose is not known here."""
        if self._image is None or self._target_frame:
            return None
        convert = image_from_compressed if self._compressed else image_from_message
        return convert(self._image, self._image_topic, self._bit_depth)

    def _seconds(self) -> float:
        return float(self._steady.now().nanoseconds * 1e-9)
