"""Who is estimated where more people are in view than there is time for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from statistics import median

from smplerx_ros.geometry.boxes import Box

KEPT_BONUS = 1.25  # times as near counts who was chosen before: two people at one distance must not take turns


def size(box: Box) -> float:
    """Pixels of the longer side: spread arms make nobody nearer."""
    return max(box.width, box.height)


def nearest(boxes: Mapping[str, Box], most: int, at_a_metre: Mapping[str, float], before: Collection[str]) -> list[str]:
    """At most `most` people by id, in the order of `boxes`; `before` are those of the last frame.

    `at_a_metre` is the `size` in pixels that people would have at one metre, of those whose distance was estimated
    before. The others are taken for people of the middle size of these: as long as no distance is known, the largest
    boxes are the nearest people.
    """
    if len(boxes) <= most:
        return list(boxes)
    usual = median(at_a_metre.values()) if at_a_metre else 1.0

    def distance(person: str) -> float:
        metres = at_a_metre.get(person, usual) / size(boxes[person])
        return metres / KEPT_BONUS if person in before else metres

    chosen = set(sorted(boxes, key=distance)[:most])  # a stable sort: the older identity wins a tie
    return [person for person in boxes if person in chosen]
