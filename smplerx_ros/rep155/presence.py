"""Who is tracked: several cameras' people as one list, and a moment's grace for those who are missed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from smplerx_ros.pipeline.scheduling.interval import ImageInterval

# A person or face that one frame does not show is often back in the next; topics that come and go with every miss
# would reach nobody, since discovery takes longer. Ids that the tracker gives up are not used again.
GRACE_NS = 500_000_000  # longer where images are rare
_STOPPED_NS = 5_000_000_000  # a camera from which nothing has come for so long, while others go on


@dataclass(frozen=True)
class Change:
    """What a frame changed: ids that have come, and that have gone."""

    appeared: tuple[str, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True)
class _Seen:
    camera: str
    stamp_ns: int
    arrived_ns: int  # on a steady clock


@dataclass(frozen=True)
class _Camera:
    """How often its images come, by their stamps and by a steady clock."""

    stamps: ImageInterval = field(default_factory=ImageInterval)
    arrivals: ImageInterval = field(default_factory=ImageInterval)

    def seen(self, now: _Seen) -> None:
        """An image came."""
        if now.stamp_ns:
            self.stamps.seen(now.stamp_ns)
        self.arrivals.seen(now.arrived_ns)


class Presence:
    """The ids in view of all cameras; stamps are the images', which cameras may take from different clocks."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._cameras: dict[str, _Camera] = {}

    @property
    def tracked(self) -> tuple[str, ...]:
        """In the order in which they came."""
        return tuple(self._seen)

    def update(self, camera: str, stamp_ns: int, ids: Collection[str], seconds: float) -> Change:
        """A frame of `camera` shows `ids`, at `seconds` on a steady clock."""
        now = _Seen(camera, stamp_ns, round(seconds * 1e9))
        self._cameras.setdefault(camera, _Camera()).seen(now)
        appeared = tuple(identity for identity in ids if identity not in self._seen)
        self._seen |= dict.fromkeys(ids, now)
        gone = tuple(i for i, seen in self._seen.items() if i not in ids and self._over(seen, now))
        for identity in gone:
            del self._seen[identity]
        return Change(appeared, gone)

    def clear(self) -> tuple[str, ...]:
        """Nobody is in view; answers who was."""
        gone = tuple(self._seen)
        self._seen.clear()
        return gone

    def _over(self, seen: _Seen, now: _Seen) -> bool:
        """Whether somebody was missed for too long; clocks that jump give no grace."""
        camera = self._cameras[seen.camera]
        if seen.camera != now.camera:
            return now.arrived_ns - seen.arrived_ns > camera.arrivals.longest_gap_ns(_STOPPED_NS)
        if not seen.stamp_ns and not now.stamp_ns:
            return now.arrived_ns - seen.arrived_ns > camera.arrivals.longest_gap_ns(GRACE_NS)
        return not 0 < now.stamp_ns - seen.stamp_ns <= camera.stamps.longest_gap_ns(GRACE_NS)
