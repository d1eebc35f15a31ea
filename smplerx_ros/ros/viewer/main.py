"""The executable `viewer`: the web viewer, in a process of its own.

ros2 run smplerx_ros viewer --ros-args -p port:=8090 -r image:=/camera/image_raw -r camera_info:=/camera/camera_info
"""

from __future__ import annotations

import signal
import sys
import threading

import rclpy
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from smplerx_ros.errors import SmplerxError
from smplerx_ros.ros.process import executable
from smplerx_ros.runtime.heap import keep_freed_memory

SPIN_S = 0.2  # period of checks for a signal


@executable
def main(args: list[str] | None = None) -> int:
    """Serve until a signal arrives; returns 1 for invalid parameters, or without viser."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    keep_freed_memory()
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    try:
        from .node import ViewerNode

        node = ViewerNode()
    except (SmplerxError, InvalidParameterTypeException) as error:  # the latter for parameters of rclpy itself
        rclpy.logging.get_logger("viewer").fatal(str(error))
        return 1
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while not stop.is_set():
            executor.spin_once(timeout_sec=SPIN_S)
    except ExternalShutdownException:
        pass
    executor.shutdown()
    node.close()
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
