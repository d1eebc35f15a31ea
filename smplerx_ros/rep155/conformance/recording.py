"""Messages, transforms and publishers recorded on a graph; independent of ROS."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from smplerx_ros.arrays import FloatArray

LISTS = {"bodies": "/humans/bodies/tracked", "faces": "/humans/faces/tracked"}
MATCHES = "/humans/candidate_matches"
_SETTLING_S = 1.5  # seconds for discovery
# A stamp this far before the first or after the last image recorded may belong to an image that was missed.
_EARLIER_NS, _LATER_NS = 5_000_000_000, 500_000_000


@dataclass(frozen=True)
class Endpoint:
    """One publisher of a topic."""

    topic: str
    type: str  # e.g. "hri_msgs/msg/IdsList"
    node: str
    reliable: bool
    latched: bool  # durability: transient local


@dataclass(frozen=True)
class Message:
    """One message; `value` is the part that the rules need, by topic.

    `tracked`: tuple of ids. `roi`: x0, y0, x1, y1, c. `cropped`: width, height, bytes of data. `skeleton2d`: `(18, 3)`.
    `landmarks`: `(70, 3)`. `joint_states`: radians by name. `urdf`: XML. Matches: id1, type1, id2, type2, confidence.
    """

    time: float  # of arrival, seconds on a steady clock
    topic: str
    stamp_ns: int  # 0 where the message has none
    frame_id: str
    value: Any


@dataclass(frozen=True, eq=False)
class Transform:
    """One transform of /tf or /tf_static."""

    time: float
    stamp_ns: int
    parent: str
    child: str
    position: FloatArray  # (3,) metres
    rotation: FloatArray  # (3, 3) parent_from_child
    static: bool = False


@dataclass(frozen=True, eq=False)
class CameraIntrinsics:
    """Intrinsics of a camera, from its CameraInfo."""

    k: FloatArray  # (3, 3)
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Recording:
    """Everything recorded from `begin` to `end` (seconds on a steady clock), in order of arrival."""

    begin: float
    end: float
    snapshots: tuple[tuple[float, tuple[Endpoint, ...]], ...] = ()  # time, and publishers under /humans
    messages: tuple[Message, ...] = ()
    transforms: tuple[Transform, ...] = ()
    image_stamps: frozenset[int] = frozenset()  # of images, nanoseconds, from their CameraInfo
    cameras: Mapping[str, CameraIntrinsics] = field(default_factory=dict)  # by frame_id

    @cached_property
    def endpoints(self) -> frozenset[Endpoint]:
        """All publishers of all snapshots."""
        return frozenset(endpoint for _, endpoints in self.snapshots for endpoint in endpoints)

    def messages_on(self, topic: str) -> list[Message]:
        """The messages of one topic."""
        return self._by_topic.get(topic, [])

    def messages_below(self, kind: str, name: str) -> Iterator[tuple[str, Message]]:
        """Ids and messages of the topics `/humans/<kind>/<id>/<name>`."""
        for topic, messages in self._by_topic.items():
            parts = topic.split("/")
            if len(parts) == 5 and parts[2] == kind and parts[4] == name:
                yield from ((parts[3], message) for message in messages)

    def tracked_spans(self, kind: str) -> dict[str, tuple[float, float]]:
        """First and last time of each id in `/humans/<kind>/tracked`; the end of the recording if it is still there."""
        spans: dict[str, tuple[float, float]] = {}
        lists = self.messages_on(LISTS[kind])
        for i, message in enumerate(lists):
            until = lists[i + 1].time if i + 1 < len(lists) else self.end
            for identity in message.value:
                spans[identity] = (spans.get(identity, (message.time, 0.0))[0], until)
        return spans

    @cached_property
    def settling_time(self) -> float:
        """Seconds for discovery and a provider's grace period, including two slow frames."""
        times = {message.stamp_ns: message.time for message in self.messages if message.stamp_ns}
        gaps = np.diff(sorted(times.values()))
        return _SETTLING_S + 2 * float(np.percentile(gaps, 90)) if len(gaps) else _SETTLING_S

    def transforms_of(self, child: str) -> list[Transform]:
        """The transforms of one frame."""
        return self._by_child.get(child, [])

    def is_image_stamp(self, stamp_ns: int) -> bool | None:
        """Whether a stamp is that of an image; None if that image may have been missed, or no camera was recorded."""
        if not self.image_stamps:
            return None
        if stamp_ns in self.image_stamps:
            return True
        first, last = min(self.image_stamps), max(self.image_stamps)
        before, after = first - _EARLIER_NS <= stamp_ns < first, last < stamp_ns <= last + _LATER_NS
        return None if before or after else False

    @cached_property
    def _by_topic(self) -> dict[str, list[Message]]:
        return _grouped(self.messages, "topic")

    @cached_property
    def _by_child(self) -> dict[str, list[Transform]]:
        return _grouped(self.transforms, "child")


def without_id(topic: str) -> str:
    """The topic of one body or face with `<id>` in place of the id, so that one message covers all people."""
    parts = topic.split("/")
    return "/".join([*parts[:3], "<id>", *parts[4:]]) if len(parts) == 5 else topic


def _grouped(items: Iterable[Any], key: str) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = defaultdict(list)
    for item in items:
        groups[getattr(item, key)].append(item)
    return dict(groups)
