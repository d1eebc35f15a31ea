"""Check that body landmarks belong to the person of a box, since the network picks any person in its region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.boxes import Box, iou

from .landmarks import BodyLandmarks, LandmarkQuery

MIN_IOU = 0.3  # of a new person's landmarks and box: lower ones were of a neighbour (98 manually annotated people)
MIN_VISIBILITY = 0.5
SAME_BODY = 0.1  # maximum median distance of two bodies' landmarks, relative to the region's side


def overlaps(box: Box, region: FloatArray) -> bool:
    """Whether the region's inscribed circle overlaps the box; otherwise its landmarks are not of this person."""
    nearest = np.clip(region[:2], box.xyxy[:2], box.xyxy[2:])
    return bool(np.linalg.norm(nearest - region[:2]) < region[2] / 2)


def landmark_iou(body: BodyLandmarks, query: LandmarkQuery) -> float:
    """IoU of the query's box and the bounding box of the visible landmarks, both clipped to the image."""
    height, width = query.image.shape[:2]
    seen = body.points[:33, :2][body.visibility > MIN_VISIBILITY].clip(0, [width, height])
    if not len(seen):
        return 0.0
    box = query.box.xyxy.clip(0, [width, height] * 2)
    points = np.concatenate([seen.min(axis=0), seen.max(axis=0)])
    return float(iou(box, points))


def matches_box(body: BodyLandmarks, query: LandmarkQuery) -> bool:
    """Whether the landmarks fit the query's box well enough to be that person's."""
    return landmark_iou(body, query) >= MIN_IOU


def duplicates(found: Mapping[int, BodyLandmarks], queries: Sequence[LandmarkQuery], new: list[int]) -> set[int]:
    """Those of the `new` people whose body was also found for another query of the image that it fits better."""
    second: set[int] = set()
    for i in new:
        for j, other in found.items():
            if j == i or j in second or queries[j].image is not queries[i].image:
                continue
            distance = np.median(np.linalg.norm(found[i].points[:33, :2] - other.points[:33, :2], axis=1))
            worse = j not in new or landmark_iou(found[i], queries[i]) <= landmark_iou(other, queries[j])
            if distance < SAME_BODY * other.roi[2] and worse:
                second.add(i)
                break
    return second
