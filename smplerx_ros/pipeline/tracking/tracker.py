"""Multi-object tracking of the people of one camera.

Detections are associated with tracks by the likelihood of their position and size under each track's motion model, and
estimates of the backbone are checked against detections and other tracks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from smplerx_ros.config.options import Options
from smplerx_ros.geometry.boxes import Box, pairwise_iou

from .box_motion import BoxMotion
from .events import TrackEvent, TrackEventKind

MAX_AGE: float = Options().tracker_max_age  # seconds until a lost track is terminated
MAX_MISSES = 2  # consecutive detections without the person until the track is lost, if detections confirm people

# In units of `BoxMotion.negative_log_likelihood`.
_GATE = 0.0  # a detection at least as unlikely starts a new track
_LOOSE_GATE = 40.0  # for detections that overlap the last box of an active track by `_MIN_IOU`
_ACTIVE_BONUS = 2.0  # preference for active tracks whose last box a detection overlaps, over lost tracks
_MERGE_MARGIN = 6.0  # an estimate that is more likely by this under another track belongs to that one

_MIN_IOU = 0.3  # for a detection to continue an active track beyond the gate
_DUPLICATE_BOX_IOU = 0.5  # a detection that overlaps an active track more starts no track
_DUPLICATE_TRACK_IOU = 0.7  # two tracks that overlap more follow the same person
# An estimate belongs to its track's detection if they overlap, or, for a person in profile or lying down, if the box is
# contained in the detection, by these shares of its area and of the detection's longer side.
_MIN_DETECTION_IOU, _MIN_CONTAINMENT = 0.4, 0.8

_MAX_CONFIRMATION_GAP_NS = 1_000_000_000  # between the two detections that confirm a tentative box


@dataclass(frozen=True)
class TrackedBox:
    """A track's last box in pixels, estimated or detected at `seen_ns`; last detected at `detected_ns`."""

    id: str
    box: Box
    seen_ns: int
    detected_ns: int


@dataclass
class _Track:
    """State of one track.

    Attributes:
        now: The last box.
        motion: The motion model.
        last_update_ns: When the motion model was last updated.
        confirmed: Whether the backbone found the person at least once; else the track is tentative.
        lost: Whether the person was not found by the last estimate or detections.
        misses: Number of consecutive detections without the person.
        detection: The box detected in the current frame.
    """

    now: TrackedBox
    motion: BoxMotion
    last_update_ns: int
    confirmed: bool = False
    lost: bool = False
    misses: int = 0
    detection: Box | None = None

    def matched(self, box: Box, stamp_ns: int, *, keep_estimate: bool) -> None:
        """Take in an associated detection; with `keep_estimate`, an active track keeps the box of its last estimate."""
        kept = keep_estimate and not self.lost and pairwise_iou([self.now.box], [box])[0, 0] >= _DUPLICATE_BOX_IOU
        box_now = self.now.box if kept else box
        self.now = replace(self.now, box=box_now, seen_ns=stamp_ns, detected_ns=stamp_ns)
        self.detection, self.lost, self.misses = box, False, 0

    def has_drifted(self, estimate: Box) -> bool:
        """Whether the box of an estimate is not where the person was detected in the current frame."""
        seen = self.detection
        if seen is None or pairwise_iou([seen], [estimate])[0, 0] >= _MIN_DETECTION_IOU:
            return False
        width, height = np.minimum(seen.xyxy[2:], estimate.xyxy[2:]) - np.maximum(seen.xyxy[:2], estimate.xyxy[:2])
        along = height / seen.height if seen.height > seen.width else width / seen.width
        inside = max(0.0, width) * max(0.0, height) / (estimate.width * estimate.height)
        return bool(along < _MIN_CONTAINMENT or inside < _MIN_CONTAINMENT)

    def detection_apart_from(self, other: Box) -> Box | None:
        """The detection of the current frame, unless it is a duplicate of the other track's box."""
        box = self.detection
        return None if box is None or pairwise_iou([box], [other])[0, 0] > _DUPLICATE_TRACK_IOU else box


class Tracker:
    """Tracks of the people of one camera.

    A track is tentative until confirmed by the backbone, active while its person is found, then lost until a detection
    recovers it, and terminated after `max_age` seconds. In each frame, `associate` takes in detections, if there are
    any, then `update` the backbone's estimates.

    Args:
        new_ids: Yields ids that were never used before.
        max_age: Seconds until a lost track is terminated.
    """

    def __init__(self, new_ids: Iterator[str], max_age: float = MAX_AGE) -> None:
        self.max_age = max_age
        self._new_ids = new_ids
        self._tracks: dict[str, _Track] = {}
        self._tentative_boxes: list[Box] = []  # of the last detection, to be confirmed by the next
        self._detected_ns: int | None = None

    @property
    def active(self) -> list[TrackedBox]:
        """The active tracks, oldest first."""
        return [track.now for track in self._tracks.values() if not track.lost]

    @property
    def ids(self) -> list[str]:
        """Ids of all tracks, active and lost."""
        return list(self._tracks)

    @property
    def needs_detection(self) -> bool:
        """Whether a track is lost or was missed by the last detection, or a box is tentative."""
        return bool(self._tentative_boxes) or any(track.lost or track.misses for track in self._tracks.values())

    def associate(self, boxes: Sequence[Box], stamp_ns: int, *, confirm: bool = False) -> tuple[TrackEvent, ...]:
        """Associate detections with tracks; lost tracks are recovered, and unmatched boxes start new tracks.

        Args:
            boxes: All detections in the frame of `stamp_ns`.
            stamp_ns: Time of that frame.
            confirm: Whether detections, not the backbone, confirm people. Then tracks continue at the detected boxes,
                since a backbone's own boxes, used again, would drift with its errors; tracks are lost after
                `MAX_MISSES` detections without them; and new ones start at the second detection in a row.

        Returns:
            Events of tracks that appeared or were lost.
        """
        for track in self._tracks.values():
            track.motion.advance(stamp_ns)
            track.detection = None
        tracks = [track for track in self._tracks.values() if not self._expired(track, stamp_ns)]
        pairs = _assign(tracks, boxes)
        for row, column in pairs.items():
            tracks[row].matched(boxes[column], stamp_ns, keep_estimate=not confirm)
        events = self._missed([track for row, track in enumerate(tracks) if row not in pairs]) if confirm else []
        unmatched = sorted(set(range(len(boxes))) - set(pairs.values()))
        active = [track.box for track in self.active]
        new = [boxes[i] for i in unmatched if pairwise_iou([boxes[i]], active).max(initial=0) < _DUPLICATE_BOX_IOU]
        wait = confirm and self._detected_ns is not None and stamp_ns - self._detected_ns <= _MAX_CONFIRMATION_GAP_NS
        seen_before = pairwise_iou(new, self._tentative_boxes).max(axis=1, initial=0) >= _MIN_IOU
        self._tentative_boxes = []
        for box, again in zip(new, seen_before, strict=True):
            if wait and not again:
                self._tentative_boxes.append(box)
            else:
                events.append(self._begin(box, stamp_ns))
        self._detected_ns = stamp_ns
        return tuple(events)

    def update(self, boxes: Mapping[str, Box | None], stamp_ns: int) -> tuple[TrackEvent, ...]:
        """Update the tracks with the boxes of the backbone's estimates.

        Tracks whose estimate has merged with another track's, or has drifted off their detection, continue at the
        detection, if there is one in this frame. Tracks that were not estimated continue at their detection, too.

        Args:
            boxes: The box of each estimate, by id; None if the person was not found.
            stamp_ns: Time of the frame.

        Returns:
            Events of tracks that merged, drifted, were lost or terminated.
        """
        for track in self._tracks.values():
            track.motion.advance(stamp_ns)
        found = {identity: box for identity, box in boxes.items() if box is not None}
        drifted = {name for name, box in found.items() if self._tracks[name].has_drifted(box)}
        merged = self._merged({name: box for name, box in found.items() if name not in drifted})
        active = [identity for identity, track in self._tracks.items() if not track.lost]
        for identity, track in self._tracks.items():
            box = found.get(identity)
            if identity in merged:
                box = track.detection_apart_from(merged[identity])
            elif identity in drifted or (identity not in found and (track.confirmed or identity not in boxes)):
                box = track.detection
            if box is not None:
                track.now = replace(track.now, box=box, seen_ns=stamp_ns)
                track.motion.update(box)
                track.last_update_ns = stamp_ns
            if identity in boxes:
                track.confirmed |= identity in found and identity not in merged
                track.lost = identity not in found or (identity in merged and box is None)
            track.detection = None
        lost = [identity for identity in active if self._tracks[identity].lost]
        ended = [identity for identity, track in self._tracks.items() if track.lost and self._terminated(track)]
        self.drop(ended)
        return (
            *_events(TrackEventKind.MERGED, merged),
            *_events(TrackEventKind.DRIFTED, (name for name in found if name in drifted)),
            *_events(TrackEventKind.LOST, lost),
            *_events(TrackEventKind.ENDED, ended),
        )

    def drop(self, identities: Collection[str]) -> None:
        """Remove these tracks."""
        for identity in identities:
            del self._tracks[identity]

    def clear(self) -> tuple[TrackEvent, ...]:
        """Terminate all tracks."""
        ended = _events(TrackEventKind.ENDED, self._tracks)
        self._tracks.clear()
        self._tentative_boxes, self._detected_ns = [], None
        return ended

    def _missed(self, tracks: Sequence[_Track]) -> list[TrackEvent]:
        events = []
        for track in tracks:
            track.misses += 1
            if track.misses >= MAX_MISSES and not track.lost:
                track.lost = True
                events.append(TrackEvent(track.now.id, TrackEventKind.LOST))
        return events

    def _begin(self, box: Box, stamp_ns: int) -> TrackEvent:
        identity = next(self._new_ids)
        self._tracks[identity] = _Track(
            TrackedBox(identity, box, stamp_ns, detected_ns=stamp_ns), BoxMotion(box, stamp_ns), stamp_ns
        )
        return TrackEvent(identity, TrackEventKind.APPEARED)

    def _expired(self, track: _Track, stamp_ns: int) -> bool:
        """Whether a lost track is too old to be recovered by a detection at `stamp_ns`.

        Its person counts as back midway between the detection before and this one.
        """
        not_before = max(self._detected_ns or 0, track.last_update_ns)
        return track.lost and (not_before + stamp_ns) / 2 - track.last_update_ns > self.max_age * 1e9

    def _terminated(self, track: _Track) -> bool:
        """Whether a lost track ends: it is tentative, or a detection later than `max_age` did not show the person."""
        unseen_ns = (self._detected_ns or 0) - track.last_update_ns
        return not track.confirmed or unseen_ns > self.max_age * 1e9

    def _merged(self, found: Mapping[str, Box]) -> dict[str, Box]:
        """Tracks whose estimate belongs to another track, active or lost, and that track's box.

        Of two estimates of the same person, the one that is less likely under its own track has merged.
        """
        names = [*found, *(name for name, track in self._tracks.items() if track.lost and name not in found)]
        if not found or len(names) < 2:
            return {}
        targets = [found.get(name) or self._tracks[name].motion.box for name in names]
        estimates = np.array([box.xyxy for box in found.values()])
        cost = np.stack([self._tracks[name].motion.negative_log_likelihood(estimates) for name in names])
        own = cost.diagonal()
        rank = [(not self._tracks[name].confirmed, own[i], i) for i, name in enumerate(found)]
        ious = pairwise_iou(list(found.values()), targets)
        merged: dict[str, Box] = {}
        for i, j in np.argwhere(ious >= _MIN_IOU).tolist():
            if i == j or names[j] in merged:
                continue
            if j < len(found) and ious[i, j] > _DUPLICATE_TRACK_IOU:
                other = rank[i] > rank[j]
            else:
                other = cost[j, i] + _MERGE_MARGIN < own[i]
            if other:
                merged.setdefault(names[i], targets[j])
        return merged


def _events(kind: TrackEventKind, identities: Iterable[str]) -> tuple[TrackEvent, ...]:
    return tuple(TrackEvent(identity, kind) for identity in identities)


def _assign(tracks: Sequence[_Track], boxes: Sequence[Box]) -> dict[int, int]:
    """Optimal assignment: index of the matched box by index of the track."""
    if not tracks or not boxes:
        return {}
    corners = np.array([box.xyxy for box in boxes])
    cost = np.stack([track.motion.negative_log_likelihood(corners) for track in tracks])
    active = np.array([not track.lost for track in tracks])
    ious = pairwise_iou([track.now.box for track in tracks], boxes)
    near = active[:, None] & (ious >= np.where(cost < _LOOSE_GATE, _MIN_IOU, _DUPLICATE_BOX_IOU))
    cost = np.minimum(cost, np.where(near, _GATE - ious, _GATE)) - _ACTIVE_BONUS * near
    rows = zip(*linear_sum_assignment(cost), strict=True)
    return {int(row): int(column) for row, column in rows if cost[row, column] < _GATE}
