"""Identities of the people of one camera: matched by where and how large everybody is expected to be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from smplerx_ros.config.options import Options
from smplerx_ros.geometry.boxes import Box, pairwise_iou

from .events import TrackEvent, TrackEventKind
from .motion import BoxMotion

MAX_AGE: float = Options().tracker_max_age  # seconds
MAX_MISSED = 2  # detections in a row without a person who is then lost

_UNEXPECTED = 0.0  # surprise from which a box is rather somebody new
_LONGEST_WAIT_NS = 1_000_000_000  # between two detections that may confirm somebody
_MIN_OVERLAP = 0.3  # intersection over union with a person in view from which a box may be that person's all the same
_ASTOUNDING = 40.0  # surprise from which it is not, unless it covers the person
_COVERED = 0.5  # a box that overlaps somebody's more is a second one of the same person
_SAME_PERSON = 0.7  # two tracks that overlap more follow one person
# A body that overlaps its person's detection less is not theirs, unless it is narrow (somebody in profile): then so
# much of it lies in there, and it takes up so much of the longer side.
_ASTRAY, _ALONG = 0.4, 0.8
_IN_VIEW = 2.0  # surprise by which a detection is rather of somebody in view, where they were, than of somebody lost
_RATHER = 6.0  # surprise by which a body is somebody else's rather than of the one for whom it was found


@dataclass(frozen=True)
class TrackedBox:
    """A person's identity, and where the person was last found or detected, at `seen_ns`; detected at `detected_ns`."""

    id: str
    box: Box
    seen_ns: int
    detected_ns: int


@dataclass
class _Track:
    """`known_ns`: last sight; `confirmed`: the backbone has found somebody; `missed` counts detections in a row."""

    now: TrackedBox
    motion: BoxMotion
    known_ns: int
    confirmed: bool = False
    lost: bool = False
    missed: int = 0
    detection: Box | None = None  # of the present frame

    def found(self, box: Box, stamp_ns: int, *, steady: bool) -> None:
        """With `steady` somebody in view keeps the box of their joints, unless it has gone astray."""
        kept = steady and not self.lost and pairwise_iou([self.now.box], [box])[0, 0] >= _COVERED
        box_now = self.now.box if kept else box
        self.now = replace(self.now, box=box_now, seen_ns=stamp_ns, detected_ns=stamp_ns)
        self.detection, self.lost, self.missed = box, False, 0

    def left_by(self, body: Box) -> bool:
        """Whether a body is not where the person was detected in the present frame."""
        seen = self.detection
        if seen is None or pairwise_iou([seen], [body])[0, 0] >= _ASTRAY:
            return False
        width, height = np.minimum(seen.xyxy[2:], body.xyxy[2:]) - np.maximum(seen.xyxy[:2], body.xyxy[:2])
        along = height / seen.height if seen.height > seen.width else width / seen.width
        inside = max(0.0, width) * max(0.0, height) / (body.width * body.height)
        return bool(along < _ALONG or inside < _ALONG)

    def apart_from(self, other: Box) -> Box | None:
        """The detection of the present frame, unless it is rather somebody else's."""
        box = self.detection
        return None if box is None or pairwise_iou([box], [other])[0, 0] > _SAME_PERSON else box


class Tracker:
    """People of one camera. `new_ids` yields identities that were never used before."""

    def __init__(self, new_ids: Iterator[str], max_age: float = MAX_AGE) -> None:
        self.max_age = max_age
        self._new_ids = new_ids
        self._tracks: dict[str, _Track] = {}
        self._waiting: list[Box] = []  # seen by the last detection, nobody known
        self._detected_ns: int | None = None

    @property
    def following(self) -> list[TrackedBox]:
        """The people in view, oldest identity first."""
        return [track.now for track in self._tracks.values() if not track.lost]

    @property
    def known(self) -> list[str]:
        """The identities of everybody, in view or lost."""
        return list(self._tracks)

    @property
    def searching(self) -> bool:
        """Whether somebody is lost, was missed by the last detection or is new: a reason to detect soon."""
        return bool(self._waiting) or any(track.lost or track.missed for track in self._tracks.values())

    def detected(self, boxes: Sequence[Box], stamp_ns: int, *, confirm: bool = False) -> tuple[TrackEvent, ...]:
        """Take detections in: lost people are found again, boxes of nobody known become new people.

        With `confirm` detections have the last word, not the backbone: their boxes are where people are (the backbone's
        own, looked at again, would drift away with its errors); people whom they miss `MAX_MISSED` times in a row are
        lost, and somebody new is followed from the second detection on, unless there was none before.
        """
        for track in self._tracks.values():
            track.motion.advance(stamp_ns)
            track.detection = None
        tracks = [track for track in self._tracks.values() if not self._away_too_long(track, stamp_ns)]
        pairs = _pairs(tracks, boxes)
        for row, column in pairs.items():
            tracks[row].found(boxes[column], stamp_ns, steady=not confirm)
        events = self._missed([track for row, track in enumerate(tracks) if row not in pairs]) if confirm else []
        free = sorted(set(range(len(boxes))) - set(pairs.values()))
        in_view = [track.box for track in self.following]
        new = [boxes[i] for i in free if pairwise_iou([boxes[i]], in_view).max(initial=0) < _COVERED]
        wait = confirm and self._detected_ns is not None and stamp_ns - self._detected_ns <= _LONGEST_WAIT_NS
        seen_before = pairwise_iou(new, self._waiting).max(axis=1, initial=0) >= _MIN_OVERLAP
        self._waiting = []
        for box, again in zip(new, seen_before, strict=True):
            if wait and not again:
                self._waiting.append(box)
            else:
                events.append(self._begin(box, stamp_ns))
        self._detected_ns = stamp_ns
        return tuple(events)

    def estimated(self, boxes: Mapping[str, Box | None], stamp_ns: int) -> tuple[TrackEvent, ...]:
        """Where people were found (None: not)."""
        for track in self._tracks.values():
            track.motion.advance(stamp_ns)
        found = {identity: box for identity, box in boxes.items() if box is not None}
        astray = {name for name, box in found.items() if self._tracks[name].left_by(box)}
        mistaken = self._mistaken({name: box for name, box in found.items() if name not in astray})
        in_view = [identity for identity, track in self._tracks.items() if not track.lost]
        for identity, track in self._tracks.items():
            box = found.get(identity)
            if identity in mistaken:
                box = track.apart_from(mistaken[identity])
            elif identity in astray or (identity not in found and (track.confirmed or identity not in boxes)):
                box = track.detection
            if box is not None:
                track.now = replace(track.now, box=box, seen_ns=stamp_ns)
                track.motion.update(box)
                track.known_ns = stamp_ns
            if identity in boxes:
                track.confirmed |= identity in found and identity not in mistaken
                track.lost = identity not in found or (identity in mistaken and box is None)
            track.detection = None
        lost = [identity for identity in in_view if self._tracks[identity].lost]
        gone = [identity for identity, track in self._tracks.items() if track.lost and self._over(track)]
        self.drop(gone)
        return (
            *_events(TrackEventKind.MERGED, mistaken),
            *_events(TrackEventKind.DRIFTED, (name for name in found if name in astray)),
            *_events(TrackEventKind.LOST, lost),
            *_events(TrackEventKind.ENDED, gone),
        )

    def drop(self, identities: Collection[str]) -> None:
        """Forget these people."""
        for identity in identities:
            del self._tracks[identity]

    def clear(self) -> tuple[TrackEvent, ...]:
        """End all tracks."""
        ended = _events(TrackEventKind.ENDED, self._tracks)
        self._tracks.clear()
        self._waiting, self._detected_ns = [], None
        return ended

    def _missed(self, tracks: Sequence[_Track]) -> list[TrackEvent]:
        events = []
        for track in tracks:
            track.missed += 1
            if track.missed >= MAX_MISSED and not track.lost:
                track.lost = True
                events.append(TrackEvent(track.now.id, TrackEventKind.LOST))
        return events

    def _begin(self, box: Box, stamp_ns: int) -> TrackEvent:
        identity = next(self._new_ids)
        self._tracks[identity] = _Track(
            TrackedBox(identity, box, stamp_ns, detected_ns=stamp_ns), BoxMotion(box, stamp_ns), stamp_ns
        )
        return TrackEvent(identity, TrackEventKind.APPEARED)

    def _away_too_long(self, track: _Track, stamp_ns: int) -> bool:
        """Whether somebody who is lost came back too late if it was halfway from the last detection to this one."""
        not_before = max(self._detected_ns or 0, track.known_ns)
        return track.lost and (not_before + stamp_ns) / 2 - track.known_ns > self.max_age * 1e9

    def _over(self, track: _Track) -> bool:
        """Whether a detection after `max_age` did not show the lost person, or nobody ever confirmed this one."""
        unseen_ns = (self._detected_ns or 0) - track.known_ns
        return not track.confirmed or unseen_ns > self.max_age * 1e9

    def _mistaken(self, found: Mapping[str, Box]) -> dict[str, Box]:
        """People whose body is rather somebody else's, in view or lost, and where that one is.

        Of two bodies at one place it is the one less expected there.
        """
        everybody = [*found, *(name for name, track in self._tracks.items() if track.lost and name not in found)]
        if not found or len(everybody) < 2:
            return {}
        places = [found.get(name) or self._tracks[name].motion.box for name in everybody]
        bodies = np.array([box.xyxy for box in found.values()])
        surprise = np.stack([self._tracks[name].motion.surprise(bodies) for name in everybody])
        own = surprise.diagonal()
        doubt = [(not self._tracks[name].confirmed, own[i], i) for i, name in enumerate(found)]
        overlap = pairwise_iou(list(found.values()), places)
        mistaken: dict[str, Box] = {}
        for i, j in np.argwhere(overlap >= _MIN_OVERLAP).tolist():
            if i == j or everybody[j] in mistaken:
                continue
            if j < len(found) and overlap[i, j] > _SAME_PERSON:
                taken = doubt[i] > doubt[j]
            else:
                taken = surprise[j, i] + _RATHER < own[i]
            if taken:
                mistaken.setdefault(everybody[i], places[j])
        return mistaken


def _events(kind: TrackEventKind, identities: Iterable[str]) -> tuple[TrackEvent, ...]:
    return tuple(TrackEvent(identity, kind) for identity in identities)


def _pairs(tracks: Sequence[_Track], boxes: Sequence[Box]) -> dict[int, int]:
    """Index of the box of each track that has one."""
    if not tracks or not boxes:
        return {}
    corners = np.array([box.xyxy for box in boxes])
    cost = np.stack([track.motion.surprise(corners) for track in tracks])
    seen = np.array([not track.lost for track in tracks])
    overlap = pairwise_iou([track.now.box for track in tracks], boxes)
    near = seen[:, None] & (overlap >= np.where(cost < _ASTOUNDING, _MIN_OVERLAP, _COVERED))
    cost = np.minimum(cost, np.where(near, _UNEXPECTED - overlap, _UNEXPECTED)) - _IN_VIEW * near
    rows = zip(*linear_sum_assignment(cost), strict=True)
    return {int(row): int(column) for row, column in rows if cost[row, column] < _UNEXPECTED}
