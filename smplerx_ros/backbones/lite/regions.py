"""Square, turned regions of an image: where they are, how to cut them out, how points come back.

A region is `(cx, cy, side, angle)` in pixels and radians, float64; a positive angle turns clockwise on the screen.
Crop coordinates run from 0 at the region's corner to n at the far one, without half-pixel shifts, as in MediaPipe,
whose rules and constants these are (its graphs of pose, hand, holistic and face landmarks, release 0.10.21), unless
a comment says otherwise. All functions take N regions or sets of points at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.boxes import Box

UP, LEVEL, DOWN = np.pi / 2, 0.0, -np.pi / 2  # directions in a crop, for `heading`
LEAN = np.radians(30)  # of a person beside whom an upright one was taken instead (seen with tilted cameras)
BODY_SCALE = 1.25  # of the circle round the whole body
PALM_SCALE = 2.7  # of twice the way from the wrist to the knuckles
PALM_SHIFT = HAND_SHIFT = 0.1  # towards the fingers
HAND_SCALE = 2.0
# Points of the palm and the first finger joints, which bound the hand more steadily than its tips.
PALM_POINTS = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
# MediaPipe takes 3.0 and runs a face detector in that region; without it 2.0 and two passes end closest (measured).
FACE_FROM_BODY_SCALE = 2.0
FACE_SCALE = 1.5


def heading(a: FloatArray, b: FloatArray, target: float) -> FloatArray:
    """Angles `(N,)` of the regions in which the direction from `a (N, 2)` to `b (N, 2)` points to `target`, radians."""
    d = b - a
    return np.asarray((target - np.arctan2(-d[:, 1], d[:, 0]) + np.pi) % (2 * np.pi) - np.pi)


def turn(angles: ArrayLike) -> FloatArray:
    """Rotation matrices `(N, 2, 2)`, from the axes of a crop to those of the image."""
    turns = np.empty((*np.shape(angles), 2, 2))
    turns[..., 0, 0] = turns[..., 1, 1] = np.cos(angles)
    turns[..., 1, 0] = np.sin(angles)
    turns[..., 0, 1] = -turns[..., 1, 0]
    return turns


def image_from_crop(regions: FloatArray, size: int) -> FloatArray:
    """Affine maps `(N, 2, 3)` from crop pixels (0..size) to image pixels."""
    maps = np.empty((len(regions), 2, 3))
    maps[:, :, :2] = turn(regions[:, 3]) * (regions[:, 2] / size)[:, None, None]
    maps[:, :, 2] = regions[:, :2] - maps[:, :, :2].sum(axis=2) * (size / 2)
    return maps


def crop(images: Sequence[NDArray[np.uint8]], regions: FloatArray, size: int) -> NDArray[np.float32]:
    """Crops `(N, size, size, 3)`, RGB 0..1, of one image per region; outside the image its edge is repeated."""
    crops = np.empty((len(regions), size, size, 3), np.uint8)
    for image, matrix, out in zip(images, image_from_crop(regions, size), crops, strict=True):
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(image, matrix, (size, size), dst=out, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.divide(crops, np.float32(255))


def points_to_image(points: FloatArray, regions: FloatArray, size: int, z_divisor: float = 1.0) -> FloatArray:
    """Image pixels `(N, k, 2 or 3)` of crop pixels `(N, k, 2 or 3)`; z comes to the scale of x."""
    maps = image_from_crop(regions, size)
    xy = points[:, :, :2] @ maps[:, :, :2].transpose(0, 2, 1) + maps[:, None, :, 2]
    z = points[:, :, 2:] * (regions[:, 2] / (size * z_divisor))[:, None, None]
    return np.concatenate([xy, z], axis=2)


def world_to_image_axes(world: FloatArray, regions: FloatArray) -> FloatArray:
    """Metric points `(N, k, 3)` from the axes of their crops to those of the image (x right, y down, z away)."""
    xy = world[:, :, :2] @ turn(regions[:, 3]).transpose(0, 2, 1)
    return np.concatenate([xy, world[:, :, 2:]], axis=2)


def body_regions(points: FloatArray) -> FloatArray:
    """From body points `(N, 39, >=2)`: the hips' centre (33) and the point on the circle above the head (34)."""
    centre, circle = points[:, 33, :2], points[:, 34, :2]
    radius = np.linalg.norm(circle - centre, axis=1)
    return _regions(centre, 2 * BODY_SCALE * radius, heading(centre, circle, UP))


def start_regions(box: Box, image_width: int, image_height: int) -> FloatArray:
    """Hypotheses `(1..5, 4)` for a person of whom only a box is known.

    MediaPipe's detector sees the hips; from a box they must be guessed: the whole person is in the box, or its
    lower edge hides the legs (the hips are at that edge or lower), or the person lies on one of both sides. The rule
    was chosen on 172 boxes of whole, cut and turned people.
    """
    width, height, longer = box.width, box.height, max(box.width, box.height)
    cx, cy = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    regions = [(cx, cy, 1.25 * longer, 0.0)]
    if box.y1 > image_height - 0.02 * max(image_width, image_height) or height < 1.6 * width:
        regions += [(cx, box.y0 + height, 2.5 * height, 0.0), (cx, box.y0 + longer, 2.2 * longer, 0.0)]
    if width > 1.2 * height:
        regions += [(cx, cy, 1.25 * longer, np.pi / 2), (cx, cy, 1.25 * longer, -np.pi / 2)]
    return np.array(regions)


def leaning_regions(box: Box) -> FloatArray:
    """Further hypotheses `(2, 4)` for a whole person who leans to either side."""
    cx, cy, side = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, 1.25 * max(box.width, box.height)
    return np.array([(cx, cy, side, LEAN), (cx, cy, side, -LEAN)])


def palm_regions(wrist: FloatArray, pinky: FloatArray, index: FloatArray) -> FloatArray:
    """Rough hand regions from three body points `(N, 2)` each, for the network that finds the hand in them."""
    knuckles = (2 * index + pinky) / 3
    side = 2 * np.linalg.norm(knuckles - wrist, axis=1)
    angle = heading(wrist, knuckles, UP)
    return _regions(_shifted(knuckles, angle, -PALM_SHIFT * side), PALM_SCALE * side, angle)


def recrop_regions(points: FloatArray) -> FloatArray:
    """Hand regions from the two image points `(N, 2, 2)` of that network: the centre, and one towards the wrist."""
    centre, below = points[:, 0], points[:, 1]
    side = 2 * np.linalg.norm(below - centre, axis=1)
    angle = heading(centre, below, DOWN)
    return _regions(_shifted(centre, angle, -HAND_SHIFT * side), side, angle)


def hand_regions(points: FloatArray) -> FloatArray:
    """Hand regions from hand points `(N, 21, >=2)`, for tracking."""
    xy = points[:, :, :2]
    angle = heading(xy[:, 0], ((xy[:, 5] + xy[:, 13]) / 2 + xy[:, 9]) / 2, UP)
    axes = turn(angle)
    in_hand_axes = xy[:, PALM_POINTS] @ axes
    low, high = in_hand_axes.min(axis=1), in_hand_axes.max(axis=1)
    extent = high - low
    centre = (low + high) / 2
    centre[:, 1] -= HAND_SHIFT * extent[:, 1]
    return _regions((axes @ centre[:, :, None])[:, :, 0], HAND_SCALE * extent.max(axis=1), angle)


def carried(regions: FloatArray, before: FloatArray, now: FloatArray) -> FloatArray:
    """Regions `(N, 4)` of their own size, moved and turned as others `(N, 4)` were from `before` to `now`."""
    angle = now[:, 3] - before[:, 3]
    offset = turn(angle) @ (regions[:, :2] - before[:, :2])[:, :, None]
    return _regions(now[:, :2] + offset[:, :, 0], regions[:, 2], regions[:, 3] + angle)


def face_regions_from_body(points: FloatArray) -> FloatArray:
    """Face regions from body points `(N, >=11, >=2)`; level between the eyes (5 right, 2 left)."""
    return _bounding(points[:, :11, :2], FACE_FROM_BODY_SCALE, heading(points[:, 5, :2], points[:, 2, :2], LEVEL))


def face_regions(points: FloatArray) -> FloatArray:
    """Face regions from face points `(N, 478, >=2)`; level between the eyes' outer corners (33 right, 263 left)."""
    return _bounding(points[:, :, :2], FACE_SCALE, heading(points[:, 33, :2], points[:, 263, :2], LEVEL))


def agrees(
    candidate: FloatArray, reference: FloatArray, *, angle: float, shift: float, scale: float
) -> NDArray[np.bool_]:
    """Which of N candidate regions lie near their references.

    Turned by at most `angle` radians; moved along either axis of the image by at most `shift`, and resized by at most
    `scale`, of the reference's side.
    """
    side = reference[:, 2]
    turned = np.abs((candidate[:, 3] - reference[:, 3] + np.pi) % (2 * np.pi) - np.pi)
    moved = np.abs(candidate[:, :2] - reference[:, :2]).max(axis=1)
    return np.asarray((turned <= angle) & (moved <= shift * side) & (np.abs(candidate[:, 2] - side) <= scale * side))


def _regions(centre: FloatArray, side: FloatArray, angle: FloatArray) -> FloatArray:
    return np.column_stack([centre, side, angle])


def _shifted(centre: FloatArray, angle: FloatArray, distance: FloatArray) -> FloatArray:
    """`centre` moved by `distance (N,)` along the y axis of its region."""
    return centre + turn(angle)[:, :, 1] * distance[:, None]


def _bounding(points: FloatArray, scale: float, angle: FloatArray) -> FloatArray:
    low, high = points.min(axis=1), points.max(axis=1)
    return _regions((low + high) / 2, scale * (high - low).max(axis=1), angle)
