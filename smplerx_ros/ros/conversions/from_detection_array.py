"""vision_msgs/Detection2DArray of an external detector to boxes of persons."""

from __future__ import annotations

from math import cos, isfinite, sin
from typing import Any

import numpy as np

from smplerx_ros.detection.clean import clean_rows
from smplerx_ros.errors import InputError
from smplerx_ros.geometry.boxes import Box

UNSCORED = 1.0  # of a detection without hypotheses, from detectors that publish only persons
_HIGHEST = 1.001  # score, with tolerance for rounding


def boxes_from_message(
    message: Any, topic: str, frame_id: str, width: int, height: int, person_class: str = ""
) -> tuple[tuple[Box, ...], str]:
    """The boxes of persons, and a message on invalid ones.

    Args:
        message: A Detection2DArray. A rotated box is replaced by the axis-aligned box around it.
        topic: Its topic, for messages.
        frame_id: Frame of the image.
        width: Of the image, pixels.
        height: Of the image, pixels.
        person_class: `class_id` of persons; empty: every detection is a person.

    Returns:
        Boxes in pixels, clipped to the image, and a description of what was wrong with others (empty: nothing).

    Raises:
        InputError: The message is in another frame than the image.
    """
    theirs = message.header.frame_id
    if theirs and frame_id and theirs.lstrip("/") != frame_id.lstrip("/"):
        raise InputError(f"{topic} is in frame {theirs!r}, the image in {frame_id!r}: boxes must be of the same camera")
    rows = [row for row in (_row(detection, person_class) for detection in message.detections) if row is not None]
    boxes = clean_rows(np.array(rows, np.float64).reshape(-1, 5), width, height)
    return tuple(boxes), "; ".join(_complaints(topic, rows, len(boxes)))


def best_scores(message: Any) -> dict[str, float]:
    """The highest score of each `class_id`; a detection without hypotheses has the class ""."""
    best: dict[str, float] = {}
    for detection in message.detections:
        found = [(result.hypothesis.class_id, result.hypothesis.score) for result in detection.results]
        for name, score in found or [("", UNSCORED)]:
            best[name] = max(best.get(name, 0.0), score if isfinite(score) else 0.0)
    return best


def _complaints(topic: str, rows: list[tuple[float, ...]], kept: int) -> list[str]:
    """What is wrong with some of the `rows`, of which `kept` were kept."""
    complaints = []
    if kept < len(rows):
        reason = "not finite, empty, inverted, outside the image or too many"
        complaints.append(f"{topic}: {len(rows) - kept} of {len(rows)} boxes dropped: {reason}")
    high = [score for *_, score in rows if score > _HIGHEST]
    if high:
        complaints.append(
            f"{topic}: {len(high)} of {len(rows)} boxes have scores above 1, up to {max(high):g}, and count as 1: "
            "scores must be between 0 and 1 (percentages must be divided by 100)"
        )
    return complaints


def _row(detection: Any, person_class: str) -> tuple[float, ...] | None:
    """x0, y0, x1, y1, score; all NaN if a value is invalid; None for another class."""
    hypotheses = [result.hypothesis for result in detection.results]
    scores = [h.score for h in hypotheses if person_class in ("", h.class_id)]
    if not scores and (hypotheses or person_class):
        return None
    score = max(filter(isfinite, scores), default=np.nan) if scores else UNSCORED
    (x, y), theta = (detection.bbox.center.position.x, detection.bbox.center.position.y), detection.bbox.center.theta
    width, height = detection.bbox.size_x, detection.bbox.size_y
    if not all(map(isfinite, (x, y, theta, width, height, score))) or min(width, height) <= 0:
        return (np.nan,) * 5
    across, along = abs(cos(theta)), abs(sin(theta))
    half_x, half_y = (width * across + height * along) / 2, (width * along + height * across) / 2
    return x - half_x, y - half_y, x + half_x, y + half_y, score
