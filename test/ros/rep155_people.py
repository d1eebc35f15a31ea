"""People who come and go before the node's output, in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from fake_estimator import make_people, make_person
from graph import Graph
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from smplerx_ros.config.table import PARAMETERS, ROS_PARAMETERS, validate
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.ros.output.output import Output, OutputOptions
from smplerx_ros.types import Frame, Person
from support.bodies import standin
from support.human_poses import human_poses

BODY = standin()
CAMERA = Camera(640, 480, np.array([[400.0, 0, 320], [0, 400, 240], [0, 0, 1]]))
IMAGE = np.full((480, 640, 3), 90, np.uint8)
PERIOD_S = 0.08


def somebody(identity: str, seed: int = 0) -> Person:
    """Upright, facing the camera, sure of every joint, with the points of a face mesh."""
    person = make_person(BODY, CAMERA, human_poses(seed, 1, turned=False)[0], identity)
    nose = person.joints_image[15]
    mesh = nose + np.random.default_rng(seed).uniform(-10, 10, (478, 2))
    mesh[152], mesh[168] = nose + (0, 12), nose - (0, 6)  # chin below the bridge of the nose
    return replace(person, confidence=np.ones(55), face_landmarks=mesh)


class Provider:
    """The node's output with the parameters given, on a lifecycle node of its own that is active."""

    def __init__(self, graph: Graph, cameras: Sequence[str] = ("",), **parameters: Any) -> None:
        self.config = validate(
            {"tf.prefix": "smplx_"} | {name.replace("__", "."): value for name, value in parameters.items()},
            (*PARAMETERS, *ROS_PARAMETERS),
        )
        self.node = LifecycleNode("provider", context=graph.context)
        self.output = Output(self.node, BODY, cameras, self.config)  # type: ignore[arg-type]
        self.node.trigger_configure()
        self.node.trigger_activate()
        self.infos = self.node.create_publisher(CameraInfo, "camera_info", 5)
        self._stamp_ns = time.time_ns()

    def send(self, *people: Person, camera: str = "", seconds: float = PERIOD_S) -> Header:
        """One frame, `seconds` after the last; answers the image's header."""
        self._stamp_ns += round(seconds * 1e9)
        header = Header(frame_id=f"{camera}optical")
        header.stamp.sec, header.stamp.nanosec = divmod(self._stamp_ns, 1_000_000_000)
        frame = Frame(IMAGE, CAMERA, self._stamp_ns, header.frame_id, source=camera)
        self.infos.publish(CameraInfo(header=header, width=640, height=480, k=CAMERA.k.ravel()))
        self.output.publish(
            make_people(frame, BODY, people, CAMERA),
            header,
            OutputOptions.from_config(self.config),  # type: ignore[arg-type]
        )
        return header

    def destroy(self) -> None:
        self.output.destroy()
        self.node.destroy_node()

    @contextmanager
    def running(self, *scenes: tuple[float, tuple[Person, ...]]):  # type: ignore[no-untyped-def]
        """Frames from another thread: each scene's people for its seconds, then the last scene's for ever."""
        stop = threading.Event()

        def run() -> None:
            for seconds, people in scenes:
                end = time.monotonic() + seconds
                while not stop.is_set() and (time.monotonic() < end or people is scenes[-1][1]):
                    self.send(*people)
                    stop.wait(PERIOD_S)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
