"""Baseline for the transport: publishes the header of each image, as fast as a Python node can."""

from __future__ import annotations

import sys
from contextlib import suppress

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from smplerx_ros.runtime.heap import keep_freed_memory

TOPIC = "/bench_echo"


def main(argv: list[str] | None = None) -> int:
    """Echo until stopped."""
    keep_freed_memory()
    rclpy.init(args=argv)
    node = rclpy.create_node("bench_echo")
    publisher = node.create_publisher(Header, TOPIC, QoSProfile(depth=5))
    node.create_subscription(Image, "image", lambda image: publisher.publish(image.header), qos_profile_sensor_data)
    with suppress(ExternalShutdownException, KeyboardInterrupt):
        rclpy.spin(node)
    return 0


if __name__ == "__main__":
    sys.exit(main())
