"""Who is tracked: several cameras' people as one list, and a moment's grace for those who are missed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

# A person or face that one frame does not show is often back in the next; topics that come and go with every miss
# would reach nobody, since discovery takes longer. Ids that the tracker gives up are not used again.
GRACE_NS = 500_000_000
_STOPPED_S = 5.0  # a camera from which nothing has come for so long, while others go on


@dataclass(frozen=True)
class Change:
    """What a frame changed: ids that have come, and that have gone."""

    appeared: tuple[str, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True)
class _Seen:
    camera: str
    stamp_ns: int
    seconds: float


class Presence:
    """The ids in view of all cameras; stamps are the images', which cameras may take from different clocks."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    @property
    def tracked(self) -> tuple[str, ...]:
        """In the order in which they came."""
        return tuple(self._seen)

    def update(self, camera: str, stamp_ns: int, ids: Collection[str], seconds: float) -> Change:
        """A frame of `camera` shows `ids`, at `seconds` on a steady clock."""
        now = _Seen(camera, stamp_ns, seconds)
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

    @staticmethod
    def _over(seen: _Seen, now: _Seen) -> bool:
        """Whether somebody was missed for too long; images without stamps, and clocks that jump, give no grace."""
        if seen.camera != now.camera:
            return now.seconds - seen.seconds > _STOPPED_S
        return not 0 < now.stamp_ns - seen.stamp_ns <= GRACE_NS
