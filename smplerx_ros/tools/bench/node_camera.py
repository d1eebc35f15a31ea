"""A camera for benchmarks: plays the demo clip at any size, with several copies in one image for more people.

python -m smplerx_ros.tools.bench.node_camera --size 1280x720 --copies 4 --rate 30
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib.resources import as_file, files

import cv2
import numpy as np
import rclpy
from numpy.typing import NDArray
from rclpy.executors import ExternalShutdownException
from rclpy.utilities import remove_ros_args

from smplerx_ros.io.video import VideoReader
from smplerx_ros.runtime.heap import keep_freed_memory
from smplerx_ros.tools.demo import CLIP
from smplerx_ros.tools.player import CameraPublisher

_LONGEST_S = 3600.0  # ends after this time, if not stopped


def main(argv: list[str] | None = None) -> int:
    """Play until stopped."""
    keep_freed_memory()
    rclpy.init(args=argv)
    arguments = _parser().parse_args(remove_ros_args(argv or sys.argv)[1:])
    width, height = (int(side) for side in arguments.size.split("x"))
    images = _images(width, height, arguments.copies)
    try:
        camera = CameraPublisher(rclpy.create_node("camera"))
        start, shown = time.monotonic(), 0
        while time.monotonic() < start + _LONGEST_S:
            camera.publish(images[shown % len(images)])
            shown += 1
            time.sleep(max(0.0, start + shown / arguments.rate - time.monotonic()))
    except (ExternalShutdownException, KeyboardInterrupt):
        pass
    return 0


def _images(width: int, height: int, copies: int) -> list[NDArray[np.uint8]]:
    """The clip forwards and backwards, so that loops have no jumps; `copies` of it in a grid."""
    columns = int(np.ceil(np.sqrt(copies)))
    rows = int(np.ceil(copies / columns))
    with as_file(files("smplerx_ros") / "assets" / CLIP) as clip, VideoReader(clip) as reader:
        frames = [cv2.resize(frame.image, (width // columns, height // rows)) for frame in reader]
    images = []
    for frame in frames:
        image = np.zeros((height, width, 3), np.uint8)
        for copy in range(copies):
            top, left = copy // columns * frame.shape[0], copy % columns * frame.shape[1]
            image[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
        images.append(image)
    return [*images, *images[-2:0:-1]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1280x720", help="[%(default)s]")
    parser.add_argument("--copies", type=int, default=1, help="of the clip in one image [%(default)s]")
    parser.add_argument("--rate", type=float, default=30.0, help="images a second [%(default)s]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
