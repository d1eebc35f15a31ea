"""Whether body landmarks lie where the person was said to be: the network follows the plainest person of a region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.boxes import Box, iou

from .landmarks import BodyLandmarks, LandmarkQuery

MIN_FILL = 0.3  # a new person's points and box: where 98 people were boxed by eye, lower ones were on a neighbour
MIN_VISIBILITY = 0.5
SAME_BODY = 0.1  # of the region's side, median over the points


def meet(box: Box, region: FloatArray) -> bool:
    """Whether the region's inner circle reaches into the box: else the landmarks are another person's, or too old."""
    nearest = np.clip(region[:2], box.xyxy[:2], box.xyxy[2:])
    return bool(np.linalg.norm(nearest - region[:2]) < region[2] / 2)


def fill(body: BodyLandmarks, query: LandmarkQuery) -> float:
    """Intersection over union of the query's box and that of the points seen, both within the image, 0..1."""
    height, width = query.image.shape[:2]
    seen = body.points[:33, :2][body.visibility > MIN_VISIBILITY].clip(0, [width, height])
    if not len(seen):
        return 0.0
    box = query.box.xyxy.clip(0, [width, height] * 2)
    points = np.concatenate([seen.min(axis=0), seen.max(axis=0)])
    return float(iou(box, points))


def placed(body: BodyLandmarks, query: LandmarkQuery) -> bool:
    """Whether the points fill the query's box well enough to be that person's."""
    return fill(body, query) >= MIN_FILL


def doubles(found: Mapping[int, BodyLandmarks], queries: Sequence[LandmarkQuery], new: list[int]) -> set[int]:
    """Those of the `new` people whose body was found for another query on the same image too, and fits that better."""
    second: set[int] = set()
    for i in new:
        for j, other in found.items():
            if j == i or j in second or queries[j].image is not queries[i].image:
                continue
            distance = np.median(np.linalg.norm(found[i].points[:33, :2] - other.points[:33, :2], axis=1))
            worse = j not in new or fill(found[i], queries[i]) <= fill(other, queries[j])
            if distance < SAME_BODY * other.roi[2] and worse:
                second.add(i)
                break
    return second
