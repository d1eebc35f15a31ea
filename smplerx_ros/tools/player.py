"""Plays a video file as a camera: publishes `image` and `camera_info` at its frame rate, stamped with the current time.

python -m smplerx_ros.tools.player VIDEO [--rate HZ] [--fov DEGREES] [--loops N] [--ros-args -r image:=...]
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import rclpy
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from smplerx_ros.errors import InputError
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.constants import DEFAULT_FOV_DEG
from smplerx_ros.io.video import VideoReader
from smplerx_ros.ros.conversions.camera_info import info_from_camera
from smplerx_ros.ros.conversions.image import message_from_image
from smplerx_ros.ros.process import executable
from smplerx_ros.runtime.heap import keep_freed_memory

FRAME_ID = "camera_optical_frame"
INFO_DEPTH = 1000  # small messages: a subscriber that joins in time misses none
POLL_S = 0.05
ACKNOWLEDGE_S = 2.0

logger = logging.getLogger(__name__)


class CameraPublisher:
    """Publishes images and their camera_info, with the same header and size."""

    def __init__(self, node: Node, fov: float = DEFAULT_FOV_DEG) -> None:
        self._node = node
        self._fov = fov
        self._camera: Camera | None = None
        self._message = Image()  # reused for every frame, to avoid an allocation of the size of an image
        self._images = node.create_publisher(Image, "image", QoSProfile(depth=1))
        self._infos = node.create_publisher(CameraInfo, "camera_info", QoSProfile(depth=INFO_DEPTH))

    def wait_for_subscribers(self, images: int, infos: int, timeout: float) -> None:
        """Block until the topics have this many subscribers; raises TimeoutError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while self._images.get_subscription_count() < images or self._infos.get_subscription_count() < infos:
            if time.monotonic() > deadline:
                counts = self._images.get_subscription_count(), self._infos.get_subscription_count()
                topics = self._images.topic_name, self._infos.topic_name
                raise TimeoutError(
                    f"after {timeout:g} s {topics[0]} has {counts[0]} subscribers and {topics[1]} {counts[1]}, "
                    f"wanted {images} and {infos}: is the node running, and in the same ROS_DOMAIN_ID?"
                )
            if not rclpy.ok():
                raise ExternalShutdownException
            time.sleep(POLL_S)

    def publish(self, image: NDArray[np.uint8]) -> None:
        """Publish an `(H, W, 3) uint8` RGB image, stamped with the current time, after its camera_info."""
        height, width = image.shape[:2]
        if self._camera is None or (self._camera.width, self._camera.height) != (width, height):
            self._camera = Camera.from_fov(width, height, self._fov)
        header = Header(stamp=self._node.get_clock().now().to_msg(), frame_id=FRAME_ID)
        self._infos.publish(info_from_camera(self._camera, header))
        self._message.header = header
        self._images.publish(message_from_image(image, self._message))

    def flush(self) -> None:
        """Wait up to ACKNOWLEDGE_S until subscribers have received all messages."""
        for publisher in (self._images, self._infos):
            publisher.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_S))


def frames(path: Path, loops: int) -> Iterator[NDArray[np.uint8]]:
    """All images of a video, `loops` times (0: endlessly); damage is logged in the first loop."""
    for loop in range(loops) if loops else count():
        with VideoReader(path) as reader:
            for frame in reader:
                yield frame.image
            if reader.damage and loop == 0:
                logger.warning("%s: %s", path, reader.damage)


def play(node: Node, arguments: argparse.Namespace) -> int:
    """Publish the video in real time; returns the number of frames. Late frames do not shift the following ones."""
    with VideoReader(arguments.video) as reader:
        period = 1 / (arguments.rate or reader.rate)
        next(iter(reader))  # reject an empty video before waiting for subscribers
    publisher = CameraPublisher(node, arguments.fov)
    publisher.wait_for_subscribers(arguments.image_subscribers, arguments.info_subscribers, arguments.timeout)
    start = time.monotonic()
    played = 0
    for image in frames(arguments.video, arguments.loops):
        time.sleep(max(0.0, start + played * period - time.monotonic()))
        if not rclpy.ok():
            raise ExternalShutdownException
        publisher.publish(image)
        played += 1
    publisher.flush()
    return played


@executable
def main(argv: list[str] | None = None) -> int:
    """Play a video; returns the exit code."""
    argv = sys.argv if argv is None else argv
    arguments = _parser().parse_args(remove_ros_args(argv)[1:])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    keep_freed_memory()
    rclpy.init(args=argv, signal_handler_options=SignalHandlerOptions.NO)
    node = Node("video_player")
    try:
        played = play(node, arguments)
        node.get_logger().info(f"published {played} frames of {arguments.video}")
        return 0
    except (InputError, TimeoutError) as error:
        node.get_logger().fatal(str(error))
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def _interrupt(*_: object) -> None:
    """Raise KeyboardInterrupt once: `ros2 launch` and the terminal both send the signal, the second is ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--rate", type=_positive, default=None, help="frames per second; default: the video's")
    parser.add_argument(
        "--fov",
        type=_positive,
        default=DEFAULT_FOV_DEG,
        help="field of view in degrees, across the longer side, for camera_info [%(default)s]",
    )
    parser.add_argument("--loops", type=int, default=1, help="how often to play it, 0: until stopped [%(default)s]")
    parser.add_argument("--image-subscribers", type=int, default=1, help="number to wait for [%(default)s]")
    parser.add_argument("--info-subscribers", type=int, default=1, help="number to wait for [%(default)s]")
    parser.add_argument("--timeout", type=_positive, default=120.0, help="seconds to wait [%(default)s]")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return value


if __name__ == "__main__":
    sys.exit(main())
