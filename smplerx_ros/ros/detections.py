"""Boxes of the user's own detector: vision_msgs/Detection2DArray to boxes of persons."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..detection.clean import clean_rows
from ..errors import ConfigError, InputError
from ..types import Box

FloatArray = NDArray[np.floating[Any]]

UNSCORED = 1.0  # of a detection without hypotheses: whoever publishes only persons need not say so


def detection_array_type() -> type[Any]:
    """The message type; raises ConfigError where its interface package is missing."""
    try:
        from vision_msgs.msg import Detection2DArray
    except ImportError as error:
        raise ConfigError(
            "parameter 'detector': 'topic' needs the interface package vision_msgs "
            f"(ros-<distribution>-vision-msgs), which cannot be imported: {error}"
        ) from error
    message_type: type[Any] = Detection2DArray
    return message_type


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
    bad = len(rows) - len(boxes)
    complaint = (
        f"{topic}: {bad} of {len(rows)} boxes dropped: not finite, empty, inverted, outside the image or too many"
    )
    return tuple(boxes), complaint if bad else ""


def best_scores(message: Any) -> dict[str, float]:
    """Of each `class_id` in a message; a detection without hypotheses has the class ""."""
    best: dict[str, float] = {}
    for detection in message.detections:
        found = {result.hypothesis.class_id: result.hypothesis.score for result in detection.results}
        for name, score in (found or {"": UNSCORED}).items():
            best[name] = max(best.get(name, 0.0), score)  # a score that is no number does not count
    return best


def _row(detection: Any, person_class: str) -> tuple[float, ...] | None:
    """x0, y0, x1, y1, score; None for something else than a person."""
    hypotheses = [result.hypothesis for result in detection.results]
    scores = [h.score for h in hypotheses if person_class in ("", h.class_id)]
    if not scores and (hypotheses or person_class):
        return None
    center, size = detection.bbox.center, (detection.bbox.size_x, detection.bbox.size_y)
    score = max(scores, default=UNSCORED)
    if min(size) <= 0 or not np.isfinite(center.theta):
        return (np.nan,) * 5
    across, along = abs(np.cos(center.theta)), abs(np.sin(center.theta))
    half_x = (size[0] * across + size[1] * along) / 2
    half_y = (size[0] * along + size[1] * across) / 2
    x, y = center.position.x, center.position.y
    return x - half_x, y - half_y, x + half_x, y + half_y, score
