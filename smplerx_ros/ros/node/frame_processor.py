"""What happens to the newest image of each camera: one estimation of all of them, then publication."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from rclpy.impl.rcutils_logger import RcutilsLogger

from smplerx_ros.body import BodyModel
from smplerx_ros.errors import InputError
from smplerx_ros.ros.output.output import Output, OutputOptions
from smplerx_ros.ros.statistics import Statistics
from smplerx_ros.types import PARAM_SIZES, Frame, People, Person

from .stream import Arrival, CameraStream

MAY_BE_NAN = ("leye_pose", "reye_pose")  # not estimated is NaN there (SmplxParams)


class EstimatorLike(Protocol):
    """What the node needs of an estimator."""

    @property
    def body(self) -> BodyModel:
        """The body model that the parameters of its people belong to."""

    def warm_up(self) -> None:
        """Run the networks once, before images come."""

    def process(self, frames: Mapping[str, Frame]) -> Mapping[str, People]:
        """The people of each camera's frame, by its name."""

    def update(self, values: Mapping[str, object]) -> None:
        """Change live parameters."""

    def reset(self) -> None:
        """Forget who was seen."""

    def close(self, timeout: float) -> bool:
        """Free threads and networks; False where one did not end within `timeout` seconds. May be called again."""


class PendingRequests:
    """What is wanted of the estimator before the next image: other threads must not touch it.

    `live()` are the live parameters as they stand, `given` those that the estimator was made with. They are compared
    rather than announced: what a callback of rclpy hears of may still be refused by the next one.
    """

    def __init__(self, live: Callable[[], Mapping[str, Any]], given: Mapping[str, Any]) -> None:
        self._live = live
        self._given = dict(given)
        self._reset = threading.Event()

    def reset(self) -> None:
        """Forget who was seen."""
        self._reset.set()

    def apply(self, estimator: EstimatorLike) -> None:
        """In the thread that uses the estimator."""
        if self._reset.is_set():
            self._reset.clear()
            estimator.reset()
        changes = {name: value for name, value in self._live().items() if value != self._given[name]}
        if changes:
            estimator.update(changes)
            self._given |= changes


class FrameProcessor:
    """Handles images in the worker's thread. `options()` are the newest; `wanted()`: may results still go out?"""

    def __init__(
        self,
        estimator: EstimatorLike,
        requests: PendingRequests,
        streams: Mapping[str, CameraStream],
        output: Output,
        options: Callable[[], OutputOptions],
        logger: RcutilsLogger,
    ) -> None:
        self._estimator = estimator
        self._requests = requests
        self._streams = streams
        self._output = output
        self._options = options
        self._logger = logger
        self.last: People | None = None  # what came out last
        self.degraded = ""  # as the last people said
        self.wanted: Callable[[], bool] = lambda: True

    def handle(self, arrivals: Mapping[str, Arrival]) -> None:
        """Estimate the newest image of each camera in one batch, and publish; never raises."""
        taken = perf_counter()
        frames: dict[str, Frame] = {}
        for name, arrival in arrivals.items():
            frame = self._streams[name].frame(arrival.message)
            if frame is not None:
                frames[name] = frame
        if not frames:
            return
        converted = perf_counter() - taken
        results = self._estimated(frames)
        for name, people in results.items():
            stages = {"wait": taken - arrivals[name].at, "convert": converted, **people.stage_seconds}
            try:
                self._publish(self._streams[name], replace(people, stage_seconds=stages), arrivals[name])
            except InputError as error:
                self._streams[name].statistics.drop("bad_input", str(error))
            except Exception as error:
                self._drop([name], error)

    def _estimated(self, frames: Mapping[str, Frame]) -> dict[str, People]:
        """All cameras in one batch. Where that fails, each by itself: what one cannot bear, the others may."""
        try:
            self._requests.apply(self._estimator)
            return dict(self._estimator.process(frames))
        except Exception as error:  # whatever a network throws, the next image may be fine
            if len(frames) == 1:
                self._drop(frames, error)
                return {}
        results: dict[str, People] = {}
        for name, frame in frames.items():
            results |= self._estimated({name: frame})
        return results

    def _publish(self, stream: CameraStream, people: People, arrival: Arrival) -> None:
        if people.warnings:
            stream.count_warnings(people.warnings)
        people = self._without_broken(people, stream.statistics)
        if not self.wanted():
            return
        start = perf_counter()
        self._output.publish(people, arrival.message.header, self._options())
        end = perf_counter()
        self._log_degradation(people.degraded_text)
        self.last = people
        stages = {**people.stage_seconds, "publish": end - start, "total": end - arrival.at}
        stamp = people.frame.stamp_ns
        age_ms = stream.age_ns(stamp) * 1e-6 if stamp else None
        stream.statistics.published(age_ms, len(people.people), people.num_not_estimated, stages)

    def _drop(self, cameras: Iterable[str], error: Exception) -> None:
        if self.wanted():
            for name in cameras:
                text = f"image dropped after {type(error).__name__}: {error}"
                self._streams[name].statistics.drop("exception", text)

    def _log_degradation(self, degraded: str) -> None:
        if degraded != self.degraded:
            self._logger.warning(f"latency.budget_ms: {degraded or 'room for everything again'}")
        self.degraded = degraded

    def _without_broken(self, people: People, statistics: Statistics) -> People:
        """`people` without those whose numbers are not finite: one bad person must not spoil the others."""
        good = []
        for person in people.people:
            if _finite(person):
                good.append(person)
            else:
                statistics.drop("person_not_finite", f"person {person.id} dropped: its pose is not finite")
        return replace(people, people=tuple(good))


def _finite(person: Person) -> bool:
    values = [getattr(person.params, name) for name in PARAM_SIZES if name not in MAY_BE_NAN]
    return all(bool(np.isfinite(value).all()) for value in (person.joints, *values))
