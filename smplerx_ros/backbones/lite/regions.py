"""Rotated square regions of an image: their computation from landmarks, cropping, and mapping points back.

A region is `(cx, cy, side, angle)` in pixels and radians, float64; a positive angle rotates clockwise on the screen.
Crop coordinates run from 0 at the region's corner to n at the opposite one, without half-pixel offsets, as in
MediaPipe. Rules and constants are those of its graphs for pose, hand, holistic and face landmarks (release 0.10.21),
unless a comment says otherwise. All functions are batched over N regions or sets of points.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.boxes import Box

UP, LEVEL, DOWN = np.pi / 2, 0.0, -np.pi / 2  # directions in a crop, for `heading`
LEAN = np.radians(30)  # of a leaning person, in whose place an upright one may be found (seen with tilted cameras)
BODY_SCALE = 1.25  # of the circle around the whole body
PALM_SCALE = 2.7  # of twice the distance from the wrist to the knuckles
PALM_SHIFT = HAND_SHIFT = 0.1  # towards the fingers
HAND_SCALE = 2.0
# Points of the palm and the first finger joints, whose bounding box is more stable than that of all points.
PALM_POINTS = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
# MediaPipe uses 3.0 and a face detector in that region; without it, 2.0 and two passes are most accurate (measured).
FACE_FROM_BODY_SCALE = 2.0
FACE_SCALE = 1.5


def heading(a: FloatArray, b: FloatArray, target: float) -> FloatArray:
    """Angles `(N,)` of regions in which the direction from `a (N, 2)` to `b (N, 2)` has the angle `target`, radians."""
    d = b - a
    return np.asarray((target - np.arctan2(-d[:, 1], d[:, 0]) + np.pi) % (2 * np.pi) - np.pi)


def image_from_crop_rotation(angles: ArrayLike) -> FloatArray:
    """Rotation matrices `(N, 2, 2)` from the axes of crops to those of the image."""
    rotations = np.empty((*np.shape(angles), 2, 2))
    rotations[..., 0, 0] = rotations[..., 1, 1] = np.cos(angles)
    rotations[..., 1, 0] = np.sin(angles)
    rotations[..., 0, 1] = -rotations[..., 1, 0]
    return rotations


def image_from_crop(regions: FloatArray, size: int) -> FloatArray:
    """Affine maps `(N, 2, 3)` from crop pixels (0..size) to image pixels."""
    maps = np.empty((len(regions), 2, 3))
    maps[:, :, :2] = image_from_crop_rotation(regions[:, 3]) * (regions[:, 2] / size)[:, None, None]
    maps[:, :, 2] = regions[:, :2] - maps[:, :, :2].sum(axis=2) * (size / 2)
    return maps


def crop(images: Sequence[NDArray[np.uint8]], regions: FloatArray, size: int) -> NDArray[np.float32]:
    """Crop each image to its region: `(N, size, size, 3)`, RGB 0..1; borders of the images are replicated."""
    crops = np.empty((len(regions), size, size, 3), np.uint8)
    for image, matrix, out in zip(images, image_from_crop(regions, size), crops, strict=True):
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(image, matrix, (size, size), dst=out, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.divide(crops, np.float32(255))


def points_to_image(points: FloatArray, regions: FloatArray, size: int, z_divisor: float = 1.0) -> FloatArray:
    """Convert crop pixels `(N, k, 2 or 3)` to image pixels; z is scaled as x."""
    maps = image_from_crop(regions, size)
    xy = points[:, :, :2] @ maps[:, :, :2].transpose(0, 2, 1) + maps[:, None, :, 2]
    z = points[:, :, 2:] * (regions[:, 2] / (size * z_divisor))[:, None, None]
    return np.concatenate([xy, z], axis=2)


def world_to_image_axes(world: FloatArray, regions: FloatArray) -> FloatArray:
    """Rotate points `(N, k, 3)`, metres, from the axes of crops to those of the image (x right, y down, z forward)."""
    xy = world[:, :, :2] @ image_from_crop_rotation(regions[:, 3]).transpose(0, 2, 1)
    return np.concatenate([xy, world[:, :, 2:]], axis=2)


def body_regions(points: FloatArray) -> FloatArray:
    """Body regions from body points `(N, 39, >=2)`: the hips' centre (33) and a point on the enclosing circle (34)."""
    centre, circle = points[:, 33, :2], points[:, 34, :2]
    radius = np.linalg.norm(circle - centre, axis=1)
    return _regions(centre, 2 * BODY_SCALE * radius, heading(centre, circle, UP))


def start_regions(box: Box, image_width: int, image_height: int) -> FloatArray:
    """Candidate body regions `(1..5, 4)` for a person of whom only a box is known.

    MediaPipe's detector locates the hips; here they are unknown: the whole person is in the box, or the box is
    truncated at its lower edge (the hips are at that edge or below), or the person lies on one side. The rule was
    chosen on 172 boxes of complete, truncated and rotated people.
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
    """Further candidates `(2, 4)` for a complete person who leans to either side."""
    cx, cy, side = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, 1.25 * max(box.width, box.height)
    return np.array([(cx, cy, side, LEAN), (cx, cy, side, -LEAN)])


def palm_regions(wrist: FloatArray, pinky: FloatArray, index: FloatArray) -> FloatArray:
    """Rough hand regions from three body points `(N, 2)` each, in which the recrop network finds the hand."""
    knuckles = (2 * index + pinky) / 3
    side = 2 * np.linalg.norm(knuckles - wrist, axis=1)
    angle = heading(wrist, knuckles, UP)
    return _regions(_shifted(knuckles, angle, -PALM_SHIFT * side), PALM_SCALE * side, angle)


def recrop_regions(points: FloatArray) -> FloatArray:
    """Hand regions from the recrop network's two image points `(N, 2, 2)`: the centre, and one towards the wrist."""
    centre, below = points[:, 0], points[:, 1]
    side = 2 * np.linalg.norm(below - centre, axis=1)
    angle = heading(centre, below, DOWN)
    return _regions(_shifted(centre, angle, -HAND_SHIFT * side), side, angle)


def hand_regions(points: FloatArray) -> FloatArray:
    """Hand regions from hand points `(N, 21, >=2)`, for tracking."""
    xy = points[:, :, :2]
    angle = heading(xy[:, 0], ((xy[:, 5] + xy[:, 13]) / 2 + xy[:, 9]) / 2, UP)
    axes = image_from_crop_rotation(angle)
    in_hand_axes = xy[:, PALM_POINTS] @ axes
    low, high = in_hand_axes.min(axis=1), in_hand_axes.max(axis=1)
    extent = high - low
    centre = (low + high) / 2
    centre[:, 1] -= HAND_SHIFT * extent[:, 1]
    return _regions((axes @ centre[:, :, None])[:, :, 0], HAND_SCALE * extent.max(axis=1), angle)


def propagated(regions: FloatArray, before: FloatArray, now: FloatArray) -> FloatArray:
    """Move and rotate regions `(N, 4)` as others `(N, 4)` from `before` to `now`, without scaling them."""
    angle = now[:, 3] - before[:, 3]
    offset = image_from_crop_rotation(angle) @ (regions[:, :2] - before[:, :2])[:, :, None]
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
    """Whether N candidate regions are close to their references.

    Args:
        candidate: `(N, 4)` regions.
        reference: `(N, 4)` regions.
        angle: Maximum difference of angles, radians.
        shift: Maximum shift along either axis of the image, relative to the reference's side.
        scale: Maximum difference of sides, relative to the reference's side.
    """
    side = reference[:, 2]
    rotated = np.abs((candidate[:, 3] - reference[:, 3] + np.pi) % (2 * np.pi) - np.pi)
    moved = np.abs(candidate[:, :2] - reference[:, :2]).max(axis=1)
    return np.asarray((rotated <= angle) & (moved <= shift * side) & (np.abs(candidate[:, 2] - side) <= scale * side))


def _regions(centre: FloatArray, side: FloatArray, angle: FloatArray) -> FloatArray:
    return np.column_stack([centre, side, angle])


def _shifted(centre: FloatArray, angle: FloatArray, distance: FloatArray) -> FloatArray:
    """Shift `centre` by `distance (N,)` along the y axis of its region."""
    return centre + image_from_crop_rotation(angle)[:, :, 1] * distance[:, None]


def _bounding(points: FloatArray, scale: float, angle: FloatArray) -> FloatArray:
    low, high = points.min(axis=1), points.max(axis=1)
    return _regions((low + high) / 2, scale * (high - low).max(axis=1), angle)
