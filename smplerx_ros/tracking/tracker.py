"""Identities of the people of one camera: matched by the overlap of boxes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..types import Box

FloatArray = NDArray[np.floating[Any]]

MIN_OVERLAP = 0.3  # intersection over union below which a box is somebody else's
SAME_PERSON_OVERLAP = 0.7  # two tracks that overlap more follow one person
MAX_MISSED = 2
MAX_AGE_NS = 1_000_000_000  # how long a person who is not found keeps the identity


@dataclass(frozen=True)
class TrackedBox:
    """A person's identity and where the person was last found, at `seen_ns`; `lost` since then or not.

    `missed` counts the detections in a row that did not show the person.
    """

    id: str
    box: Box
    seen_ns: int
    lost: bool = False
    missed: int = 0


class Tracker:
    """People of one camera. `new_ids` yields identities that were never used before."""

    def __init__(self, new_ids: Iterator[str]) -> None:
        self._new_ids = new_ids
        self._tracks: dict[str, TrackedBox] = {}

    @property
    def following(self) -> list[TrackedBox]:
        """The people in view, oldest identity first."""
        return [track for track in self._tracks.values() if not track.lost]

    @property
    def searching(self) -> bool:
        """Whether somebody is lost or was missed by the last detection: a reason to detect soon."""
        return any(track.lost or track.missed for track in self._tracks.values())

    def detected(self, boxes: Sequence[Box], stamp_ns: int, *, confirm: bool = False) -> None:
        """Take detections in: lost people are found again, boxes of nobody known become new people.

        With `confirm`, people whom detections miss `MAX_MISSED` times in a row are lost.
        """
        tracks = list(self._tracks.values())
        free, missed = set(range(len(boxes))), set(self._tracks)
        if tracks and boxes:
            overlap = overlaps([track.box for track in tracks], boxes)
            for row, column in zip(*linear_sum_assignment(-overlap), strict=True):
                if overlap[row, column] >= MIN_OVERLAP:
                    free.discard(int(column))
                    track = tracks[row]
                    missed.discard(track.id)
                    self._tracks[track.id] = TrackedBox(track.id, boxes[column], stamp_ns)
            seen = [row for row, track in enumerate(tracks) if not track.lost]
            covered = overlap[seen].max(axis=0, initial=0) >= MIN_OVERLAP
            free -= set(np.flatnonzero(covered).tolist())
        for track in (self._tracks[identity] for identity in missed if confirm):
            count = track.missed + 1
            self._tracks[track.id] = replace(track, missed=count, lost=track.lost or count >= MAX_MISSED)
        for column in sorted(free):
            identity = next(self._new_ids)
            self._tracks[identity] = TrackedBox(identity, boxes[column], stamp_ns)

    def estimated(self, boxes: Mapping[str, Box | None], stamp_ns: int) -> set[str]:
        """Where people were found (None: not). Answers who is gone for good: too old, or a double of somebody else."""
        for identity, box in boxes.items():
            track = self._tracks[identity]
            found = track if box is None else replace(track, box=box, seen_ns=stamp_ns)
            self._tracks[identity] = replace(found, lost=box is None)
        gone = {track.id for track in self._tracks.values() if track.lost and stamp_ns - track.seen_ns > MAX_AGE_NS}
        gone |= self._doubles()
        self.drop(gone)
        return gone

    def drop(self, identities: Collection[str]) -> None:
        """Forget these people."""
        for identity in identities:
            del self._tracks[identity]

    def clear(self) -> list[str]:
        """Forget everybody; answers who was known."""
        identities = list(self._tracks)
        self._tracks.clear()
        return identities

    def _doubles(self) -> set[str]:
        following = self.following
        overlap = np.triu(overlaps([track.box for track in following], [track.box for track in following]), 1)
        return {following[j].id for j in np.flatnonzero((overlap > SAME_PERSON_OVERLAP).any(axis=0))}


def overlaps(a: Sequence[Box], b: Sequence[Box]) -> FloatArray:
    """Intersection over union `(A, B)`."""
    first = np.array([box.xyxy for box in a]).reshape(-1, 1, 4)
    second = np.array([box.xyxy for box in b]).reshape(1, -1, 4)
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=-1)
    areas = [np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1) for boxes in (first, second)]
    return np.asarray(shared / (areas[0] + areas[1] - shared))
