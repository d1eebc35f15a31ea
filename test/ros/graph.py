"""A camera and a listener on the graph, for tests that talk to a running node."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from smplerx_ros.msg import PersonArray
from std_msgs.msg import Header

from smplerx_ros.ros.conversions.image import message_from_image

WIDTH, HEIGHT = 160, 120
GREY = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
BLACK = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
WAIT_S = 90.0  # far above what anything takes, pictures on a busy machine too: they are drawn on idle cores only
ASK_AGAIN_S = 5.0  # far above what a question takes that the node can answer at once


class Graph:
    """Publishes `image` and `camera_info`, keeps what the node publishes; everything happens in `spin_until`."""

    def __init__(self) -> None:
        self.context = Context()
        rclpy.init(context=self.context)
        self.node: Node = rclpy.create_node("test_graph", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self.images = self.node.create_publisher(Image, "image", QoSProfile(depth=5))
        self.infos = self.node.create_publisher(CameraInfo, "camera_info", QoSProfile(depth=5))
        self.depths = self.node.create_publisher(Image, "depth", QoSProfile(depth=5))
        self.people: list[PersonArray] = self.listen(PersonArray, "/smplerx/people")
        self.diagnostics: list[DiagnosticArray] = self.listen(DiagnosticArray, "/diagnostics")
        self._stamp_ns = 1_000_000_000_000

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def listen(self, kind: type[Any], topic: str) -> list[Any]:
        """A list that grows with what arrives."""
        arrived: list[Any] = []
        self.node.create_subscription(kind, topic, arrived.append, QoSProfile(depth=50))
        return arrived

    def header(self) -> Header:
        """A new stamp, 0.1 s after the last."""
        self._stamp_ns += 100_000_000
        header = Header(frame_id="test_camera")
        header.stamp.sec, header.stamp.nanosec = divmod(self._stamp_ns, 1_000_000_000)
        return header

    def jump(self, seconds: float) -> None:
        """Move the time of the following stamps."""
        self._stamp_ns += round(seconds * 1e9)

    def image(self, pixels: np.ndarray = GREY) -> Image:
        return message_from_image(pixels, Image(header=self.header()))

    def info(self) -> CameraInfo:
        header = Header(frame_id="test_camera")
        return CameraInfo(header=header, width=WIDTH, height=HEIGHT, k=[120.0, 0, 80, 0, 120.0, 60, 0, 0, 1])

    def spin_once(self) -> None:
        """Handle what arrives within a moment."""
        self._executor.spin_once(timeout_sec=0.05)

    def spin_until(self, reached: Callable[[], Any], timeout: float = WAIT_S) -> Any:
        """Handle what arrives until `reached()` is true and return it; fails after `timeout` seconds."""
        end = time.monotonic() + timeout
        while not (result := reached()):
            assert time.monotonic() < end, f"not reached within {timeout} s"
            self._executor.spin_once(timeout_sec=0.05)
        return result

    def connect(self) -> None:
        """Until the node has subscribed and its publisher is seen."""
        publishers = (self.images, self.infos)
        self.spin_until(lambda: all(publisher.get_subscription_count() for publisher in publishers))
        self.spin_until(lambda: self.node.count_publishers("/smplerx/people"))

    def estimate(self) -> PersonArray:
        """Send good images with camera_info until the answer to one comes."""
        stamps = []

        def answer() -> PersonArray | None:
            image = self.image()
            stamps.append(image.header.stamp)
            self.infos.publish(self.info())
            self.images.publish(image)
            before = len(self.people)
            for _ in range(4):
                self._executor.spin_once(timeout_sec=0.05)
            return next((people for people in self.people[before:] if people.header.stamp in stamps), None)

        return self.spin_until(answer)  # type: ignore[no-any-return]

    def call(self, kind: type[Any], name: str, request: Any) -> Any:
        """The answer of a service that may be asked twice.

        A server drops its answer where it has not yet discovered the client that it knows the question from, so that
        the first one may be lost: https://github.com/ros2/rmw_fastrtps/pull/467.
        """
        client = self._client(kind, name)
        end = time.monotonic() + WAIT_S
        while True:
            future = client.call_async(request)
            again = time.monotonic() + ASK_AGAIN_S
            self.spin_until(lambda f=future, t=again: f.done() or time.monotonic() > t)
            if future.done():
                break
            client.remove_pending_request(future)
            assert time.monotonic() < end, f"{name} did not answer within {WAIT_S} s"
        self.node.destroy_client(client)
        return future.result()

    def transition(self, number: int) -> bool:
        """Asked once: a second request would be refused. An answer to a later client says that this one is known."""
        client = self._client(ChangeState, "/smplerx/change_state")
        self.state()
        request = ChangeState.Request()
        request.transition.id = number
        future = client.call_async(request)
        self.spin_until(future.done)
        self.node.destroy_client(client)
        return bool(future.result().success)

    def set_parameter(self, name: str, value: object) -> SetParametersResult:
        """Of the node; the type follows from the value's."""
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        return self.call(SetParameters, "/smplerx/set_parameters", request).results[0]

    def state(self) -> str:
        return str(self.call(GetState, "/smplerx/get_state", GetState.Request()).current_state.label)

    def _client(self, kind: type[Any], name: str) -> Any:
        client = self.node.create_client(kind, name)
        self.spin_until(client.service_is_ready)
        return client

    def next_diagnostic(self) -> tuple[int, dict[str, str]]:
        """Stamp in ns and values of the next report."""
        seen = len(self.diagnostics)
        self.spin_until(lambda: len(self.diagnostics) > seen)
        report = self.diagnostics[-1]
        values = {pair.key: pair.value for pair in report.status[0].values}
        return report.header.stamp.sec * 1_000_000_000 + report.header.stamp.nanosec, values

    def diagnostic(self, reached: Callable[[int, str, dict[str, str]], Any], seen: int | None = None) -> None:
        """Until a status after the first `seen` reports comes for which `reached(level, message, values)` is true."""
        seen = len(self.diagnostics) if seen is None else seen

        def found() -> bool:
            for array in self.diagnostics[seen:]:
                for status in array.status:
                    values = {pair.key: pair.value for pair in status.values}
                    if reached(int.from_bytes(status.level, "little"), status.message, values):
                        return True
            return False

        self.spin_until(found)


class Camera:
    """Publishes `<name>/image` and `<name>/camera_info`."""

    def __init__(self, graph: Graph, name: str) -> None:
        self._graph, self._name = graph, name
        self.images = graph.node.create_publisher(Image, f"{name}/image", QoSProfile(depth=5))
        self._infos = graph.node.create_publisher(CameraInfo, f"{name}/camera_info", QoSProfile(depth=5))
        graph.spin_until(lambda: self.images.get_subscription_count() and self._infos.get_subscription_count())

    def send(self, pixels: np.ndarray = GREY, **fields: object) -> Image:
        """An image, of which `fields` are changed."""
        header = Header(stamp=self._graph.header().stamp, frame_id=f"{self._name}_optical")
        self._infos.publish(
            CameraInfo(header=header, width=WIDTH, height=HEIGHT, k=[120.0, 0, 80, 0, 120.0, 60, 0, 0, 1])
        )
        image = message_from_image(pixels, Image(header=header))
        for name, value in fields.items():
            setattr(image, name, value)
        self.images.publish(image)
        return image
