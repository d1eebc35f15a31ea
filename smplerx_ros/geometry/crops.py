"""The input crop of SMPLer-X and SMPLest-X: its region in the image, its sampling, and its virtual camera.

Boxes are `(x, y, width, height)` in pixels, x right, y down, pixel centres at integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray

from .boxes import Box
from .camera import Camera
from .constants import CROP_HEIGHT, CROP_WIDTH
from .rotations import rotation_between

# The networks were trained on every second row and column of a warp twice as large.
WARP_WIDTH, WARP_HEIGHT = 2 * CROP_WIDTH, 2 * CROP_HEIGHT
ASPECT = WARP_WIDTH / WARP_HEIGHT
_MIN_JOINTS = 8  # in the image; fewer may be too close together to determine a distance
CROP_FOCAL = 5000.0  # pixels of the crop: focal length of its virtual camera


def crop_box(box: Box, image_width: int, image_height: int, ratio: float) -> FloatArray | None:
    """Region to crop `(4,) float32` around a detection; None if too little of it is inside the image.

    The centre is kept, the smaller side grows to the crop's aspect, and both grow by `ratio`. As in the reference, a
    box that begins left of or above the image is moved into it, not cut, and loses a pixel of width and height.
    """
    x0, y0 = max(0.0, box.x0), max(0.0, box.y0)
    x1 = min(image_width - 1.0, x0 + max(0.0, box.width - 1))
    y1 = min(image_height - 1.0, y0 + max(0.0, box.height - 1))
    if x1 <= x0 or y1 <= y0:
        return None
    width, height = x1 - x0, y1 - y0
    center_x, center_y = x0 + width / 2, y0 + height / 2
    width, height = max(width, height * ASPECT) * ratio, max(height, width / ASPECT) * ratio
    return np.array([center_x - width / 2, center_y - height / 2, width, height], np.float32)


def warp_from_image(region: FloatArray) -> FloatArray:
    """Affine map `(2, 3) float32`: pixels of the image to pixels of the 512x384 warp of `region (4,)`."""
    return cv2.getAffineTransform(_anchors(region), _anchors(_WARP)).astype(np.float32)


def crop(image: NDArray[Any], region: FloatArray) -> FloatArray:
    """`(256, 192, 3) float32`, 0..255, of `image (H, W, 3)` RGB and `region (4,)`; black beyond the image.

    Bilinear in float32. Equals every second row and column of the 512x384 warp: small pixel (i, j) samples the image
    where large pixel (2i, 2j) does.
    """
    return np.asarray(crop_batch([image], [region])[0])


def crop_batch(images: Sequence[NDArray[Any]], regions: Sequence[FloatArray]) -> FloatArray:
    """`(N, 256, 192, 3) float32`: the `crop` of each image and region."""
    crops = np.empty((len(images), CROP_HEIGHT, CROP_WIDTH, 3), np.float32)
    for out, image, region in zip(crops, images, regions, strict=True):
        part, x0, y0 = visible_part(image, region)
        crop_from_part = warp_from_image(region).astype(np.float64) / 2
        crop_from_part[:, 2] += crop_from_part[:, :2] @ (x0, y0)
        # Only that part is converted, directly into the batch.
        cv2.warpAffine(part.astype(np.float32), crop_from_part, (CROP_WIDTH, CROP_HEIGHT), dst=out)
    return crops


def visible_part(image: NDArray[Any], regions: FloatArray) -> tuple[NDArray[Any], int, int]:
    """The part of `image (H, W, 3)` covered by `regions (..., 4)`, as a view, and its first column and row."""
    height, width = image.shape[:2]
    x, y, w, h = np.moveaxis(np.asarray(regions, np.float64), -1, 0)
    x0, y0 = (int(np.clip(np.floor(v.min()) - 2, 0, limit - 1)) for v, limit in ((x, width), (y, height)))
    x1, y1 = (int(np.clip(np.ceil(v.max()) + 3, 1, limit)) for v, limit in ((x + w, width), (y + h, height)))
    return image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)], x0, y0


def virtual_camera(region: FloatArray) -> FloatArray:
    """Intrinsics `(3, 3) float64`, in pixels of the image, of the camera to which a crop's `cam_transl` refers."""
    x, y, width, height = np.asarray(region, np.float64)
    fx, fy = CROP_FOCAL / CROP_WIDTH * width, CROP_FOCAL / CROP_HEIGHT * height
    return np.array([[fx, 0, x + width / 2], [0, fy, y + height / 2], [0, 0, 1]])


def solve_translation(joints_crop: FloatArray, joints: FloatArray, region: FloatArray, camera: Camera) -> FloatArray:
    """Translation of a body in the real camera, such that its joints project to the same pixels as in the crop.

    Linear least squares over the joints inside the image and the lens' limit. All joints count, since the virtual
    camera is nearly orthographic: the scale at the pelvis alone would give wrong distances of people with a hand or
    foot stretched towards the camera.

    Args:
        joints_crop: `(J, 3)` metres in the crop's virtual camera.
        joints: `(J, 3)` metres, the same joints rotated to the real camera's axes, up to the translation.
        region: `(4,)` region of the crop.
        camera: The real camera.

    Returns:
        `(3,)` metres to add to `joints`, optical frame; NaN if too few joints are in the image and the lens does not
        see the middle of the body.
    """
    virtual = virtual_camera(region)
    pixels = joints_crop[:, :2] / joints_crop[:, 2:] * virtual[[0, 1], [0, 1]] + virtual[:2, 2]
    rays = camera.normalize(pixels)
    inside = ((pixels >= -0.5) & (pixels <= [camera.width - 0.5, camera.height - 0.5]) & np.isfinite(rays)).all(axis=1)
    if inside.sum() < _MIN_JOINTS:
        middle = _translation_by_focal_length(joints_crop.mean(axis=0), virtual, camera)
        return np.asarray(middle - joints.mean(axis=0))
    rays, joints = rays[inside], joints[inside]
    # x + t_x = u (z + t_z) and y + t_y = v (z + t_z) for each joint.
    rows = np.concatenate([np.broadcast_to(np.eye(2), (len(rays), 2, 2)), -rays[..., None]], axis=2)
    right = rays * joints[:, 2:] - joints[:, :2]
    return np.asarray(np.linalg.lstsq(rows.reshape(-1, 3), right.ravel(), rcond=None)[0])


def optical_from_crop(region: FloatArray, camera: Camera) -> FloatArray:
    """Rotation `(3, 3)` from a camera that looks straight at the middle of the crop, as the network assumes."""
    x, y, width, height = np.asarray(region, np.float64)
    return rotation_between([0.0, 0.0, 1.0], camera.directions([x + width / 2, y + height / 2]))


def _translation_by_focal_length(point: FloatArray, virtual: FloatArray, camera: Camera) -> FloatArray:
    """Position in the real camera of a point `(3,)` of the virtual one, with the same pixel and local scale."""
    pixel = point[:2] / point[2] * virtual[[0, 1], [0, 1]] + virtual[:2, 2]
    depth = point[2] * _local_focal(camera, pixel) / virtual[0, 0]
    return np.append(camera.normalize(pixel) * depth, depth)


_WARP = np.array([0, 0, WARP_WIDTH, WARP_HEIGHT], np.float32)


def _anchors(region: FloatArray) -> FloatArray:
    """Centre, and the points half a side below and right of it, `(3, 2) float32`."""
    x, y, width, height = np.asarray(region, np.float32)
    center = np.array([x + width / 2, y + height / 2], np.float32)
    steps = np.array([[0, 0], [0, height / 2], [width / 2, 0]], np.float32)
    return center + steps


def _local_focal(camera: Camera, pixels: FloatArray) -> FloatArray:
    """Focal length `(...)` at `pixels (..., 2)`: pixels per ray coordinate, from the area that a pixel covers."""
    right_step = np.array([0.5, 0.0])
    right, left = camera.normalize(pixels + right_step), camera.normalize(pixels - right_step)
    below, above = camera.normalize(pixels + right_step[::-1]), camera.normalize(pixels - right_step[::-1])
    along_x, along_y = right - left, below - above
    return np.asarray(np.abs(along_x[..., 0] * along_y[..., 1] - along_x[..., 1] * along_y[..., 0]) ** -0.5)
