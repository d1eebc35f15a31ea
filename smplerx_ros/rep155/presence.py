"""The list of tracked ids over all cameras, with a grace period for ids that are missed for a moment."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from smplerx_ros.pipeline.scheduling.image_interval import ImageInterval

# A person or face missed in one frame is often back in the next. Topics that were removed with every miss would reach
# no subscriber, since discovery takes longer. The tracker does not reuse ids.
GRACE_NS = 500_000_000  # longer at low frame rates
_STOPPED_NS = 5_000_000_000  # a camera silent for so long, while others continue, has stopped


@dataclass(frozen=True)
class Change:
    """Ids that appeared and ids that left with a frame."""

    appeared: tuple[str, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True)
class _LastSeen:
    camera: str
    stamp_ns: int
    arrived_ns: int  # on a steady clock


@dataclass(frozen=True)
class _Camera:
    """Image intervals of a camera, by stamps and by a steady clock."""

    stamps: ImageInterval = field(default_factory=ImageInterval)
    arrivals: ImageInterval = field(default_factory=ImageInterval)

    def seen(self, now: _LastSeen) -> None:
        """Record an image."""
        if now.stamp_ns:
            self.stamps.seen(now.stamp_ns)
        self.arrivals.seen(now.arrived_ns)


class Presence:
    """The tracked ids of all cameras, whose stamps may come from different clocks."""

    def __init__(self) -> None:
        self._seen: dict[str, _LastSeen] = {}
        self._cameras: dict[str, _Camera] = {}

    @property
    def tracked(self) -> tuple[str, ...]:
        """Tracked ids in order of appearance."""
        return tuple(self._seen)

    def update(self, camera: str, stamp_ns: int, ids: Collection[str], seconds: float) -> Change:
        """Record a frame of `camera` that shows `ids`; `seconds`: time on a steady clock."""
        now = _LastSeen(camera, stamp_ns, round(seconds * 1e9))
        self._cameras.setdefault(camera, _Camera()).seen(now)
        appeared = tuple(identity for identity in ids if identity not in self._seen)
        self._seen |= dict.fromkeys(ids, now)
        gone = tuple(i for i, seen in self._seen.items() if i not in ids and self._over(seen, now))
        for identity in gone:
            del self._seen[identity]
        return Change(appeared, gone)

    def clear(self) -> tuple[str, ...]:
        """Remove all ids; returns them."""
        gone = tuple(self._seen)
        self._seen.clear()
        return gone

    def _over(self, seen: _LastSeen, now: _LastSeen) -> bool:
        """Whether an id was missed for longer than its grace period; after a jump in time there is none."""
        camera = self._cameras[seen.camera]
        if seen.camera != now.camera:
            return now.arrived_ns - seen.arrived_ns > camera.arrivals.max_gap_ns(_STOPPED_NS)
        if not seen.stamp_ns and not now.stamp_ns:
            return now.arrived_ns - seen.arrived_ns > camera.arrivals.max_gap_ns(GRACE_NS)
        return not 0 < now.stamp_ns - seen.stamp_ns <= camera.stamps.max_gap_ns(GRACE_NS)
