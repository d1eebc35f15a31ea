"""Events of tracks, which tell other parts when their memory of a person becomes invalid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto


class TrackEventKind(Enum):
    """Kinds of events."""

    APPEARED = auto()  # started; tentative until confirmed by the backbone
    LOST = auto()  # not found; follows its motion model until it is recovered or terminated
    MERGED = auto()  # the estimate was another track's person; continues without it
    DRIFTED = auto()  # the estimate was not where the person was detected; continues at the detection
    RESCALED = auto()  # the camera's calibration changed; continues in pixels, with a new distance and size
    ENDED = auto()  # terminated; the id is never used again


_ENDS_HISTORY = frozenset({TrackEventKind.MERGED, TrackEventKind.DRIFTED, TrackEventKind.ENDED})


@dataclass(frozen=True)
class TrackEvent:
    """An event of the track `id`."""

    id: str
    kind: TrackEventKind

    @property
    def ends_history(self) -> bool:
        """Whether all memory of the person becomes invalid; a track that continues keeps its id."""
        return self.kind in _ENDS_HISTORY

    @property
    def ends_metric_history(self) -> bool:
        """Whether distances, sizes, filters and velocities become invalid."""
        return self.ends_history or self.kind is TrackEventKind.RESCALED


def without_history(events: Iterable[TrackEvent]) -> list[str]:
    """Ids of tracks whose history ends, each once, in the order of events."""
    return list(dict.fromkeys(event.id for event in events if event.ends_history))


def without_metric_history(events: Iterable[TrackEvent]) -> list[str]:
    """Ids of tracks whose metric history ends, each once, in the order of events."""
    return list(dict.fromkeys(event.id for event in events if event.ends_metric_history))
