"""A batch that fails costs the image that made it fail, and nobody else's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_estimator import FakeEstimator
from std_msgs.msg import Header

from smplerx_ros.config.table import validate
from smplerx_ros.ros.node.frame_processor import FrameProcessor, PendingRequests
from smplerx_ros.ros.node.stream import CameraStream
from smplerx_ros.types import Frame, People

CAMERAS = ("front", "left", "right")
GREY, WHITE = 90, 255


class Delicate(FakeEstimator):
    """Cannot bear white images; notes what it is given."""

    def __init__(self) -> None:
        super().__init__(validate({}))
        self.given: list[list[str]] = []

    def process(self, frames: Mapping[str, Frame]) -> dict[str, People]:
        self.given.append(list(frames))
        if any((frame.image == WHITE).all() for frame in frames.values()):
            raise ValueError("too white")
        return super().process(frames)


class Bench:
    """A pipeline without a node: `handle` answers the cameras whose people were published, in their order."""

    def __init__(self) -> None:
        self.estimator = Delicate()
        self.live = {"max_people": 3}
        self.requests = PendingRequests(lambda: dict(self.live), self.live)
        self.drops: list[tuple[str, str, str]] = []
        self.warnings: list[tuple[str, dict[str, str]]] = []
        self._published: list[str] = []
        output: Any = SimpleNamespace(publish=lambda people, *_: self._published.append(people.frame.source))
        streams: Any = {name: self._stream(name) for name in CAMERAS}
        options: Any = lambda: None  # noqa: E731
        logger: Any = None
        self.pipeline = FrameProcessor(self.estimator, self.requests, streams, output, options, logger)

    def _stream(self, name: str) -> SimpleNamespace:
        statistics = SimpleNamespace(
            drop=lambda reason, text: self.drops.append((name, reason, text)), published=lambda *_: None
        )
        return SimpleNamespace(
            frame=lambda message: message.frame,
            statistics=statistics,
            age_ns=lambda stamp: 0,
            count_warnings=lambda warnings: self.warnings.append((name, dict(warnings))),
        )

    def handle(self, **values: int) -> list[str]:
        """An image of each camera, all of one value."""
        self._published.clear()
        arrivals: dict[str, Any] = {}
        for name, value in values.items():
            frame = Frame(np.full((8, 8, 3), value, np.uint8), stamp_ns=1, frame_id=name, source=name)
            arrivals[name] = SimpleNamespace(message=SimpleNamespace(frame=frame, header=Header()), at=0.0)
        self.pipeline.handle(arrivals)
        return list(self._published)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_cameras_share_a_batch(bench: Bench) -> None:
    assert bench.handle(front=GREY, left=GREY) == ["front", "left"]
    assert bench.estimator.given == [["front", "left"]]
    assert bench.drops == []


def test_what_one_camera_cannot_bear_is_dropped_and_the_others_are_published(bench: Bench) -> None:
    assert bench.handle(front=GREY, left=WHITE, right=GREY) == ["front", "right"]
    assert bench.drops == [("left", "exception", "image dropped after ValueError: too white")]


def test_one_camera_is_not_tried_twice(bench: Bench) -> None:
    assert bench.handle(left=WHITE) == []
    assert bench.estimator.given == [["left"]]
    assert [(name, reason) for name, reason, _ in bench.drops] == [("left", "exception")]


def test_orders_are_carried_out_once(bench: Bench) -> None:
    bench.requests.reset()
    bench.handle(front=GREY, left=WHITE)
    assert bench.estimator.resets == 1


def test_live_parameters_that_differ_are_applied_once_and_before_the_images(bench: Bench) -> None:
    updates: list[tuple[dict[str, Any], int]] = []
    bench.estimator.update = lambda values: updates.append((dict(values), len(bench.estimator.given)))
    bench.handle(front=GREY)
    bench.live["max_people"] = 2
    bench.handle(front=GREY)
    bench.handle(front=GREY)
    assert updates == [({"max_people": 2}, 1)]
    bench.live["max_people"] = 3
    bench.handle(front=GREY)
    assert updates[1:] == [({"max_people": 3}, 3)]


def test_a_change_that_the_estimator_refuses_is_not_taken_for_applied(bench: Bench) -> None:
    def refuse(values: dict[str, Any]) -> None:
        raise ValueError("not now")

    update, bench.estimator.update = bench.estimator.update, refuse
    bench.live["max_people"] = 2
    assert bench.handle(front=GREY) == []
    assert bench.drops == [("front", "exception", "image dropped after ValueError: not now")]
    bench.estimator.update = update
    assert bench.handle(front=GREY) == ["front"]
    assert bench.estimator.max_people == 2


def test_what_the_estimator_finds_wrong_with_frames_is_told_of_their_camera(bench: Bench) -> None:
    process = bench.estimator.process

    def warned(frames: Mapping[str, Frame]) -> dict[str, People]:
        return {n: replace(people, warnings={"no_stamp": people.frame.source}) for n, people in process(frames).items()}

    bench.estimator.process = warned  # type: ignore[method-assign]
    assert bench.handle(front=GREY, left=GREY) == ["front", "left"]
    assert bench.warnings == [("front", {"no_stamp": "front"}), ("left", {"no_stamp": "left"})]


def test_warnings_name_the_topic_that_they_are_about() -> None:
    told: list[tuple[str, str]] = []
    stream: Any = SimpleNamespace(
        input=SimpleNamespace(image_topic="/front/image", depth_topic="/front/depth"),
        statistics=SimpleNamespace(drop=lambda reason, text: told.append((reason, text))),
    )
    CameraStream.count_warnings(stream, {"no_stamp": "images have no time", "unused_depth": "depth is not used"})
    assert told == [
        ("no_stamp", "/front/image: images have no time"),
        ("unused_depth", "/front/depth: depth is not used"),
    ]
