"""Events in the life of a track, by which other parts learn what their memory of a person is still worth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto


class TrackEventKind(Enum):
    """What happened to a track."""

    APPEARED = auto()  # a new track, tentative until the backbone confirms it
    LOST = auto()  # not found; the track coasts on its motion model until it is recovered or terminated
    MERGED = auto()  # its estimate was another person's; the track goes on without that estimate
    DRIFTED = auto()  # its estimate was not where the person was detected; the track goes on at the detection
    RESCALED = auto()  # the camera's calibration changed: the track goes on in pixels, its distance and size do not
    ENDED = auto()  # terminated; the id is never used again


_ENDS_HISTORY = frozenset({TrackEventKind.MERGED, TrackEventKind.DRIFTED, TrackEventKind.ENDED})


@dataclass(frozen=True)
class TrackEvent:
    """Something that happened to the track `id`."""

    id: str
    kind: TrackEventKind

    @property
    def ends_history(self) -> bool:
        """Whether everything remembered of the person is void; the id of a track that goes on stays the same."""
        return self.kind in _ENDS_HISTORY

    @property
    def ends_metric_history(self) -> bool:
        """Whether distances, sizes, poses and velocities are void."""
        return self.ends_history or self.kind is TrackEventKind.RESCALED


def without_history(events: Iterable[TrackEvent]) -> list[str]:
    """Ids of the tracks whose history has ended, each once, in the order of the events."""
    return list(dict.fromkeys(event.id for event in events if event.ends_history))


def without_metric_history(events: Iterable[TrackEvent]) -> list[str]:
    """Ids of the tracks whose metric history has ended, each once, in the order of the events."""
    return list(dict.fromkeys(event.id for event in events if event.ends_metric_history))
