"""The executable `viewer`: people in a browser, in a process of its own.

ros2 run smplerx_ros viewer --ros-args -p port:=8090 -r image:=/camera/image_raw -r camera_info:=/camera/camera_info
"""

from __future__ import annotations

import sys

import rclpy
from rclpy.executors import ExternalShutdownException

from ..errors import SmplerxError

NO_VISER = "the page needs viser: pip install viser"


def main(args: list[str] | None = None) -> int:
    """Serve until a signal comes; 1 for parameters that cannot be used, or without viser."""
    rclpy.init(args=args)
    logger = rclpy.logging.get_logger("viewer")
    try:
        from .viewer_node import ViewerNode

        node = ViewerNode()
    except ModuleNotFoundError as error:
        logger.fatal(NO_VISER if error.name == "viser" else str(error))
        return 1
    except SmplerxError as error:
        logger.fatal(str(error))
        return 1
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.close()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
