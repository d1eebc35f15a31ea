"""When to look for people: every so many frames, and at once where somebody known becomes doubtful."""

from __future__ import annotations

from collections.abc import Collection
from math import isnan

LONGEST_UNDETECTED_NS = 500_000_000  # at low frame rates people move far from frame to frame
SEARCH_EVERY = 3  # frames between detections while somebody known is lost
FALL = 0.7  # share of the usual confidence below which a person is doubtful
USUAL_SHARE = 0.1  # of a new confidence in the usual one: it follows within some ten frames


class DetectionSchedule:
    """Of one camera: counts frames and remembers the last detection."""

    def __init__(self) -> None:
        self._frames = 0  # since the last detection
        self._soon = True
        self.detected_ns = 0

    def due(self, stamp_ns: int, every: int, *, spared: int = 1) -> bool:
        """Whether to detect in this frame, which is asked once a frame.

        After `every` frames, or half a second, or one frame if `soon` was called; `spared` times as seldom.
        """
        self._frames += 1
        late = stamp_ns - self.detected_ns > LONGEST_UNDETECTED_NS * spared
        return self._frames >= (1 if self._soon else every) * spared or late

    def begun(self) -> None:
        """A detection has begun."""
        self._frames, self._soon = 0, False

    def detected(self, stamp_ns: int) -> None:
        """Its boxes are there."""
        self._soon, self.detected_ns = False, stamp_ns

    def soon(self) -> None:
        """Detect in the next frame."""
        self._soon = True


class ConfidenceWatch:
    """Notices people whose confidence falls: their box may be drifting away from them.

    It counts images, not seconds: where they are rarer than twice a second every one is searched for people anyway.
    """

    def __init__(self) -> None:
        self._usual: dict[str, float] = {}

    def falls(self, person: str, confidence: float) -> bool:
        """Whether it is far below the person's usual one. Said once: then the new one is the usual.

        NaN, where the backbone does not know it, says nothing.
        """
        if isnan(confidence):
            return False
        usual = self._usual.get(person, confidence)
        fallen = confidence < FALL * usual
        self._usual[person] = confidence if fallen else usual + USUAL_SHARE * (confidence - usual)
        return fallen

    def forget(self, people: Collection[str]) -> None:
        """Drop people who have left."""
        for person in people:
            self._usual.pop(person, None)

    def clear(self) -> None:
        """Forget everybody."""
        self._usual.clear()
