"""Detect that boxes from an external detector are never accepted: wrong class name, unset scores, or wrong units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

from smplerx_ros.geometry.boxes import Box

REJECTED_AFTER_S = 5.0  # seconds of boxes without an accepted one until a warning; a longer pause restarts them
RENAMED_AFTER_S = 60.0  # the same if boxes were accepted before: classes may have been renamed, or no person is in view
_MIN_SIDE = 2.0  # pixels: normalized boxes have sides up to 1
_CLASSES_LISTED, _LONGEST_NAME = 10, 40
_MAX_KNOWN = 10_000  # classes: some detectors give each object a class of its own


class BoxMonitor:
    """Monitors the boxes of one detector.

    Once a box has been accepted, class and scores are known to be right, and boxes without a person are legitimate.
    This lapses if all scores are 0, or if no class appears that is known from messages with people: the detector may
    have been replaced.

    Args:
        person_class: The class of a person; empty for any class.
        seconds: A monotonic clock, seconds.
    """

    def __init__(self, person_class: str, seconds: Callable[[], float]) -> None:
        self._person_class = person_class
        self._seconds = seconds
        self._classes: dict[str, float] = {}  # best score of each class received
        self._best: float | None = None  # best score of a person's box
        self._since: float | None = None
        self._last = 0.0  # time of the latest boxes
        self._accepted_at: float | None = None  # the highest threshold at which a box was accepted
        self._known: set[str] = set()  # classes in messages with accepted boxes or with other known classes

    def warning(self, classes: Mapping[str, float], boxes: Sequence[Box], threshold: float) -> str:
        """Check one message, and explain why no box has been accepted for a while.

        Args:
            classes: The best score of each class in the message.
            boxes: Boxes of the person class, pixels.
            threshold: Minimum score of an accepted box.

        Returns:
            The explanation, or "" if there is nothing to report.
        """
        large = [box for box in boxes if max(box.width, box.height) >= _MIN_SIDE]
        accepted = any(box.score >= threshold for box in large)
        if accepted:
            self._accepted_at = max(threshold, self._accepted_at or 0.0)
        proven = self._accepted_at is not None and threshold <= self._accepted_at
        if accepted or (proven and any(score > 0 for name, score in classes.items() if name in self._known)):
            if len(self._known) < _MAX_KNOWN:
                self._known |= classes.keys()
            self._since = None
            return ""
        if not classes:
            return ""
        now = self._seconds()
        if self._since is None or now - self._last > REJECTED_AFTER_S:
            self._since, self._best = now, None
            self._classes.clear()
        self._last = now
        for name, score in classes.items():
            self._classes[name] = max(score, self._classes.get(name, 0.0))
        for box in boxes:
            self._best = max(box.score, self._best or 0.0)
        elapsed = now - self._since
        renamed = proven and any(self._classes.values())
        if elapsed < (RENAMED_AFTER_S if renamed else REJECTED_AFTER_S):
            return ""
        return f"boxes arrived for {elapsed:.0f} s, but none was accepted: {self._reason(threshold)}"

    def _reason(self, threshold: float) -> str:
        if self._best is None:
            close = get_close_matches(self._person_class.lower(), {name.lower() for name in self._classes}, n=1)
            meant = next((name for name in self._classes if close and name.lower() == close[0]), None)
            hint = "set detection.topic_class to the class of a person" if meant is None else f"did you mean {meant!r}?"
            return (
                f"none is of class {self._person_class!r} (detection.topic_class); received: {self._listed()}; {hint}"
            )
        if self._best < threshold:
            unset = "; were the scores left unset?" if self._best == 0 else ""
            return f"no score reaches detection.threshold, {threshold:g}; received: {self._listed()}{unset}"
        return f"all are smaller than {_MIN_SIDE:g} pixels: boxes must be in pixels, not normalized"

    def _listed(self) -> str:
        listed = [
            f"{name[:_LONGEST_NAME]!r} (score up to {score:.2f})"
            for name, score in sorted(self._classes.items())[:_CLASSES_LISTED]
        ]
        more = len(self._classes) - len(listed)
        return ", ".join(listed) + (f" and {more} more" if more else "")
