"""Boxes that come without anybody being taken from them: a class of another name, scores that nobody set, shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

from smplerx_ros.geometry.boxes import Box

VANISHED_AFTER_S = 5.0  # seconds of boxes from which nobody was taken; a longer pause begins them anew
RENAMED_AFTER_S = 60.0  # the same, of classes that never came with people who were taken: other names, or only a dog?
_LEAST_SIDE = 2.0  # pixels: boxes in shares of the image have sides up to 1
_CLASSES_LISTED, _LONGEST_NAME = 10, 40
_MOST_KNOWN = 10_000  # classes: some detectors number theirs


class VanishedBoxes:
    """Watches one detector's boxes. Once somebody was taken, class and scores are right: then nobody is there.

    That lapses where all scores are 0, and where no class comes any longer that came with people: the detector may have
    been replaced.

    `person_class` is the class of a person, empty: any; `seconds()` a steady clock.
    """

    def __init__(self, person_class: str, seconds: Callable[[], float]) -> None:
        self._person_class = person_class
        self._seconds = seconds
        self._classes: dict[str, float] = {}  # best score of each that came
        self._best: float | None = None  # score of a person's box
        self._since: float | None = None
        self._last = 0.0  # when boxes came last
        self._taken_at: float | None = None  # the highest threshold at which somebody was taken
        self._known: set[str] = set()  # classes that came with people who were taken, and those that came with these

    def complaint(self, classes: Mapping[str, float], boxes: Sequence[Box], threshold: float) -> str:
        """Why nobody was taken for a while, or "".

        `classes` are the best scores of all classes in a message, `boxes` the persons' in pixels, `threshold` the least
        score of those that count.
        """
        large = [box for box in boxes if max(box.width, box.height) >= _LEAST_SIDE]
        taken = any(box.score >= threshold for box in large)
        if taken:
            self._taken_at = max(threshold, self._taken_at or 0.0)
        proven = self._taken_at is not None and threshold <= self._taken_at
        if taken or (proven and any(score > 0 for name, score in classes.items() if name in self._known)):
            if len(self._known) < _MOST_KNOWN:
                self._known |= classes.keys()
            self._since = None
            return ""
        if not classes:
            return ""
        now = self._seconds()
        if self._since is None or now - self._last > VANISHED_AFTER_S:
            self._since, self._best = now, None
            self._classes.clear()
        self._last = now
        for name, score in classes.items():
            self._classes[name] = max(score, self._classes.get(name, 0.0))
        for box in boxes:
            self._best = max(box.score, self._best or 0.0)
        elapsed = now - self._since
        renamed = proven and any(self._classes.values())
        if elapsed < (RENAMED_AFTER_S if renamed else VANISHED_AFTER_S):
            return ""
        return f"boxes came for {elapsed:.0f} s, and nobody was taken from them: {self._reason(threshold)}"

    def _reason(self, threshold: float) -> str:
        if self._best is None:
            close = get_close_matches(self._person_class.lower(), {name.lower() for name in self._classes}, n=1)
            meant = next((name for name in self._classes if close and name.lower() == close[0]), None)
            hint = "set detection.topic_class to the person's" if meant is None else f"did you mean {meant!r}?"
            return (
                f"none is of class {self._person_class!r} (detection.topic_class); there came {self._listed()}; {hint}"
            )
        if self._best < threshold:
            unset = "; were the scores left unset?" if self._best == 0 else ""
            return f"no score reaches detection.threshold, {threshold:g}; there came {self._listed()}{unset}"
        return f"all are smaller than {_LEAST_SIDE:g} pixels: boxes are in pixels, not in shares of the image"

    def _listed(self) -> str:
        listed = [
            f"{name[:_LONGEST_NAME]!r} (score up to {score:.2f})"
            for name, score in sorted(self._classes.items())[:_CLASSES_LISTED]
        ]
        more = len(self._classes) - len(listed)
        return ", ".join(listed) + (f" and {more} more" if more else "")
