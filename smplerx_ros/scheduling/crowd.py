"""Who is estimated where more people are in view than there is time for."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..types import Box

KEPT_BONUS = 1.25  # times as large counts who was chosen before: two people of one size must not take turns


def largest(boxes: Mapping[str, Box], most: int, before: Collection[str]) -> list[str]:
    """At most `most` people by id, in the order of `boxes`; `before` are those of the last frame.

    The largest boxes win, which are the nearest people as long as distances are unknown: the longer side counts, since
    spread arms make nobody nearer.
    """
    if len(boxes) <= most:
        return list(boxes)

    def size(person: str) -> float:
        box = boxes[person]
        return max(box.width, box.height) * (KEPT_BONUS if person in before else 1.0)

    chosen = set(sorted(boxes, key=size, reverse=True)[:most])  # a stable sort: the older identity wins a tie
    return [person for person in boxes if person in chosen]
