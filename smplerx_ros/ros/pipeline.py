"""What happens to the newest image: checks, estimation, publication; every failure counted and survived."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from rclpy.node import Node

from ..body import BodyModel
from ..errors import InputError
from ..types import PARAM_SIZES, Frame, Person
from .input import CameraInput, ImageMessage, WaitingForCamera
from .output import Output, OutputOptions
from .statistics import Statistics

if TYPE_CHECKING:
    from ..estimator import People

TIME_JUMP_NS = 1_000_000_000  # stamps this far back are a looped bag or a reset clock; smaller steps are late images
MAY_BE_NAN = ("leye_pose", "reye_pose")  # not estimated is NaN there (SmplxParams)


class EstimatorLike(Protocol):
    """What the node needs of an estimator."""

    @property
    def body(self) -> BodyModel:
        """The body model that the parameters of its people belong to."""

    def warm_up(self) -> None:
        """Run the networks once, before images come."""

    def process(self, frames: Sequence[Frame]) -> Sequence[People]:
        """The people of each frame."""

    def reset(self) -> None:
        """Forget who was seen."""


class Pipeline:
    """Handles images one at a time in the worker's thread; `request_reset` may come from any other."""

    def __init__(
        self,
        node: Node,
        estimator: EstimatorLike,
        source: CameraInput,
        output: Output,
        statistics: Statistics,
        options: Callable[[], OutputOptions],
    ) -> None:
        self._node = node
        self._estimator = estimator
        self._source = source
        self._output = output
        self._statistics = statistics
        self._options = options
        self._reset_wanted = threading.Event()
        self._last_stamp_ns = 0
        self._warned_of_fov = False
        self.camera_assumed = False  # the last frame had no calibration
        self.backend = ""  # backbone, body model and runtime of the last frame
        self.wanted: Callable[[], bool] = lambda: True  # whether results may still go out

    def request_reset(self) -> None:
        """Forget who was seen before the next image is handled."""
        self._reset_wanted.set()

    def handle(self, message: ImageMessage) -> None:
        """Estimate and publish; never raises."""
        try:
            self._handle(message)
        except WaitingForCamera as waiting:
            self._statistics.drop("waiting_for_camera_info", str(waiting))
        except InputError as error:
            self._statistics.drop("bad_input", str(error))
        except Exception as error:  # whatever a network or a publisher throws, the next image may be fine
            if self.wanted():
                self._statistics.drop("exception", f"image dropped after {type(error).__name__}: {error}")

    def _handle(self, message: ImageMessage) -> None:
        if not self._in_order(message):
            return
        if self._reset_wanted.is_set():
            self._reset_wanted.clear()
            self._estimator.reset()
        frame = self._source.frame(message)
        self._tell_of_assumed_camera(frame)
        people = self._without_broken(self._estimator.process([frame])[0])
        if not self.wanted():
            return
        self._output.publish(people, message.header, self._options())
        self.backend = f"{people.backbone}, {people.body_model}, {people.runtime}"
        age_ns = self._node.get_clock().now().nanoseconds - frame.stamp_ns
        self._statistics.published(age_ns * 1e-6 if frame.stamp_ns else None, len(people.people))

    def _in_order(self, message: ImageMessage) -> bool:
        """Whether the stamp is newer than the last; a jump back starts anew, and 0 (no stamp) is always taken."""
        stamp_ns = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
        behind = self._last_stamp_ns - stamp_ns
        if stamp_ns and 0 <= behind < TIME_JUMP_NS:
            text = (
                f"{self._source.image_topic}: stamp {stamp_ns} ns is not newer than the last, {self._last_stamp_ns} ns"
            )
            self._statistics.drop("stamp_not_newer", text)
            return False
        if stamp_ns and behind >= TIME_JUMP_NS:
            self._node.get_logger().info(f"stamps went back by {behind * 1e-9:.1f} s: tracks start anew")
            self.request_reset()
        self._last_stamp_ns = stamp_ns
        return True

    def _tell_of_assumed_camera(self, frame: Frame) -> None:
        self.camera_assumed = frame.camera is None
        if self.camera_assumed and not self._warned_of_fov:
            self._warned_of_fov = True
            fov = self._node.get_parameter("default_fov").value
            self._node.get_logger().warning(
                f"{self._source.info_topic}: no usable CameraInfo, so a horizontal field of view of {fov:g} degrees "
                "(default_fov) is assumed; distances are rough"
            )

    def _without_broken(self, people: People) -> People:
        """`people` without those whose numbers are not finite: one bad person must not spoil the others."""
        good = []
        for person in people.people:
            if _finite(person):
                good.append(person)
            else:
                self._statistics.drop("person_not_finite", f"person {person.id} dropped: its pose is not finite")
        return replace(people, people=tuple(good))


def _finite(person: Person) -> bool:
    values = [getattr(person.params, name) for name in PARAM_SIZES if name not in MAY_BE_NAN]
    return all(bool(np.isfinite(value).all()) for value in (person.joints, *values))
