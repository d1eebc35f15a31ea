"""Boxes of the user's own detector: vision_msgs/Detection2DArray to boxes of persons."""

from __future__ import annotations

from math import cos, isfinite, sin
from typing import Any

import numpy as np

from smplerx_ros.detection.clean import clean_rows
from smplerx_ros.errors import InputError
from smplerx_ros.geometry.boxes import Box

UNSCORED = 1.0  # of a detection without hypotheses: whoever publishes only persons need not say so
_HIGHEST = 1.001  # score, with room for rounding


def boxes_from_message(
    message: Any, topic: str, frame_id: str, width: int, height: int, person_class: str = ""
) -> tuple[tuple[Box, ...], str]:
    """The persons' boxes inside an image of `width` x `height` pixels in `frame_id`, and what was wrong with others.

    `person_class` is the `class_id` of a person; empty: everything is one. A turned box counts with its corners.
    Raises InputError where the message is of another camera.
    """
    theirs = message.header.frame_id
    if theirs and frame_id and theirs.lstrip("/") != frame_id.lstrip("/"):
        raise InputError(f"{topic} is in frame {theirs!r}, the image in {frame_id!r}: boxes must be of the same camera")
    rows = [row for row in (_row(detection, person_class) for detection in message.detections) if row is not None]
    boxes = clean_rows(np.array(rows, np.float64).reshape(-1, 5), width, height)
    return tuple(boxes), "; ".join(_complaints(topic, rows, len(boxes)))


def best_scores(message: Any) -> dict[str, float]:
    """Of each `class_id` in a message; a detection without hypotheses has the class ""."""
    best: dict[str, float] = {}
    for detection in message.detections:
        found = [(result.hypothesis.class_id, result.hypothesis.score) for result in detection.results]
        for name, score in found or [("", UNSCORED)]:
            best[name] = max(best.get(name, 0.0), score if isfinite(score) else 0.0)
    return best


def _complaints(topic: str, rows: list[tuple[float, ...]], kept: int) -> list[str]:
    """What is wrong with some of the `rows`, of which so many were `kept`."""
    complaints = []
    if kept < len(rows):
        reason = "not finite, empty, inverted, outside the image or too many"
        complaints.append(f"{topic}: {len(rows) - kept} of {len(rows)} boxes dropped: {reason}")
    high = [score for *_, score in rows if score > _HIGHEST]
    if high:
        complaints.append(
            f"{topic}: {len(high)} of {len(rows)} boxes have scores above 1, up to {max(high):g}, and count as 1: "
            "scores are from 0 to 1 (per cent are to be divided by 100)"
        )
    return complaints


def _row(detection: Any, person_class: str) -> tuple[float, ...] | None:
    """x0, y0, x1, y1, score; NaN where a value is unusable; None for something else than a person."""
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
