"""Selection of the people to estimate if more are in view than `max_people`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from statistics import median

from smplerx_ros.geometry.boxes import Box

SELECTED_BONUS = (
    1.25  # hysteresis: selected people count as this much nearer, so that two at one distance don't alternate
)


def apparent_size(box: Box) -> float:
    """Length of the longer side in pixels, so that spread arms do not make a person appear nearer."""
    return max(box.width, box.height)


def select_nearest(
    boxes: Mapping[str, Box], limit: int, size_at_1m: Mapping[str, float], selected: Collection[str]
) -> list[str]:
    """Select the nearest people.

    Args:
        boxes: The people in view by id, oldest track first.
        limit: Maximum number of people.
        size_at_1m: Apparent size at a distance of 1 m, in pixels, of people whose distance was estimated before. The
            others are assumed to have the median size: without any estimate, the largest boxes are the nearest people.
        selected: The people of the last frame's selection.

    Returns:
        Ids of the selected people, in the order of `boxes`.
    """
    if len(boxes) <= limit:
        return list(boxes)
    typical = median(size_at_1m.values()) if size_at_1m else 1.0

    def distance(person: str) -> float:
        metres = size_at_1m.get(person, typical) / apparent_size(boxes[person])
        return metres / SELECTED_BONUS if person in selected else metres

    nearest = set(sorted(boxes, key=distance)[:limit])  # the sort is stable: older tracks win ties
    return [person for person in boxes if person in nearest]
