"""Estimation and publication of the newest image of each camera, in the worker thread."""

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
from smplerx_ros.types import Frame, People, is_finite

from .diagnostics import NO_TRANSFORM
from .stream import Arrival, CameraStream


class EstimatorLike(Protocol):
    """The interface of an estimator that the node uses."""

    @property
    def body(self) -> BodyModel:
        """Body model of the estimated parameters."""

    def warm_up(self) -> None:
        """Run the networks once, before the first image."""

    def process(self, frames: Mapping[str, Frame]) -> Mapping[str, People]:
        """Estimate the people of each camera's frame; by the camera's name."""

    def update(self, values: Mapping[str, object]) -> None:
        """Change live parameters."""

    def reset(self) -> None:
        """Forget all tracked people."""

    def close(self, timeout: float) -> bool:
        """Free threads and networks; False if one did not end within `timeout` seconds. May be called repeatedly."""


class PendingRequests:
    """Resets and parameter changes that the worker applies to the estimator before the next image.

    Only the worker's thread may use the estimator. Parameters are compared with those in use, not taken from rclpy's
    callbacks, since another callback may still refuse a change.

    Args:
        live: Returns the current values of the live parameters.
        given: The values that the estimator was created with.
    """

    def __init__(self, live: Callable[[], Mapping[str, Any]], given: Mapping[str, Any]) -> None:
        self._live = live
        self._given = dict(given)
        self._reset = threading.Event()

    def reset(self) -> None:
        """Request a reset of the estimator; from any thread."""
        self._reset.set()

    def apply(self, estimator: EstimatorLike) -> None:
        """Apply pending requests, in the thread that uses the estimator."""
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
        self.last: People | None = None  # the last published result
        self.degraded = ""  # its `degraded_text`
        self.wanted: Callable[[], bool] = lambda: True

    def handle(self, arrivals: Mapping[str, Arrival]) -> None:
        """Estimate the newest image of each camera in one batch, and publish the people; never raises."""
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
                self._streams[name].statistics.drop(NO_TRANSFORM, str(error))
            except Exception as error:
                self._drop([name], error)

    def _estimated(self, frames: Mapping[str, Frame]) -> dict[str, People]:
        """Estimate all cameras in one batch; if that fails, each on its own: one image must not spoil the others."""
        try:
            self._requests.apply(self._estimator)
            return dict(self._estimator.process(frames))
        except Exception as error:  # networks raise anything; the next image may succeed
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
        age_ns = stream.age_ns(stamp) if stamp else None
        age_ms = None if age_ns is None else age_ns * 1e-6
        stream.statistics.published(age_ms, len(people.people), people.num_not_estimated, stages)

    def _drop(self, cameras: Iterable[str], error: Exception) -> None:
        if self.wanted():
            for name in cameras:
                text = f"image dropped after {type(error).__name__}: {error}"
                self._streams[name].statistics.drop("exception", text)

    def _log_degradation(self, degraded: str) -> None:
        if degraded != self.degraded:
            self._logger.warning(f"latency.budget_ms: {degraded or 'nothing is reduced any more'}")
        self.degraded = degraded

    def _without_broken(self, people: People, statistics: Statistics) -> People:
        """`people` without persons that have non-finite values, which are counted as dropped."""
        good = []
        for person in people.people:
            if np.isfinite(person.joints).all() and is_finite(person.params):
                good.append(person)
            else:
                statistics.drop("person_not_finite", f"person {person.id} dropped: its pose is not finite")
        return replace(people, people=tuple(good))
