"""The crop that SMPLer-X and SMPLest-X look at: which part of the image, sampled how, seen by which virtual camera.

Boxes are `(x, y, width, height)` in pixels, x right, y down, pixel centres at integers.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..types import Box
from .camera import Camera
from .rotations import rotation_between

FloatArray = NDArray[np.floating[Any]]

CROP_WIDTH, CROP_HEIGHT = 192, 256  # what the networks take
# The networks were trained on every second row and column of a warp twice as large.
WARP_WIDTH, WARP_HEIGHT = 2 * CROP_WIDTH, 2 * CROP_HEIGHT
ASPECT = WARP_WIDTH / WARP_HEIGHT
CROP_FOCAL = 5000.0  # pixels of the crop: focal length of its virtual camera


def crop_box(box: Box, image_width: int, image_height: int, ratio: float) -> FloatArray | None:
    """Region to crop `(4,) float32` around a detection, or None where too little of it lies in the image.

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

    Equals every second row and column of the 512x384 warp: small pixel (i, j) samples the image where large pixel
    (2i, 2j) does.
    """
    crop_from_image = warp_from_image(region).astype(np.float64)
    crop_from_image /= 2
    return _warp(image, crop_from_image, region, (CROP_WIDTH, CROP_HEIGHT))


def virtual_camera(region: FloatArray) -> FloatArray:
    """Intrinsics `(3, 3) float64` in pixels of the image, of the camera in which a crop's `cam_transl` is meant."""
    x, y, width, height = np.asarray(region, np.float64)
    fx, fy = CROP_FOCAL / CROP_WIDTH * width, CROP_FOCAL / CROP_HEIGHT * height
    return np.array([[fx, 0, x + width / 2], [0, fy, y + height / 2], [0, 0, 1]])


def place_in_camera(points: FloatArray, region: FloatArray, camera: Camera) -> FloatArray:
    """Points `(..., 3)` in metres seen by the virtual camera of a crop, as seen by the real one (optical frame).

    They keep their pixel; the distance shrinks with the focal length, which is taken where the point is seen, for
    lenses that bend. Apply it to the pelvis: a body moves as a whole.
    """
    virtual = virtual_camera(region)
    points = np.asarray(points, np.float64)
    pixels = points[..., :2] / points[..., 2:] * virtual[[0, 1], [0, 1]] + virtual[:2, 2]
    depth = points[..., 2:] * _local_focal(camera, pixels)[..., None] / virtual[0, 0]
    return np.concatenate([camera.normalize(pixels) * depth, depth], axis=-1)


def optical_from_crop(region: FloatArray, camera: Camera) -> FloatArray:
    """Rotation `(3, 3)`: a network sees a crop as if the camera looked straight at its middle."""
    x, y, width, height = np.asarray(region, np.float64)
    ray = camera.normalize([x + width / 2, y + height / 2])
    return rotation_between([0.0, 0.0, 1.0], np.append(ray, 1.0))


_WARP = np.array([0, 0, WARP_WIDTH, WARP_HEIGHT], np.float32)


def _anchors(region: FloatArray) -> FloatArray:
    """Centre, and the points half a side below and half a side right of it: `(3, 2) float32`."""
    x, y, width, height = np.asarray(region, np.float32)
    center = np.array([x + width / 2, y + height / 2], np.float32)
    steps = np.array([[0, 0], [0, height / 2], [width / 2, 0]], np.float32)
    return center + steps


def _warp(image: NDArray[Any], out_from_image: FloatArray, region: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Bilinear warp in float32; only the part of the image under the region is converted."""
    height, width = image.shape[:2]
    x, y, w, h = (float(value) for value in region)
    x0, y0 = (int(np.clip(np.floor(v) - 2, 0, limit - 1)) for v, limit in ((x, width), (y, height)))
    x1, y1 = (int(np.clip(np.ceil(v) + 3, 1, limit)) for v, limit in ((x + w, width), (y + h, height)))
    part = image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)].astype(np.float32)
    shifted = out_from_image.copy()
    shifted[:, 2] += out_from_image[:, :2] @ (x0, y0)
    return np.asarray(
        cv2.warpAffine(part, shifted, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.float32
    )


def _local_focal(camera: Camera, pixels: FloatArray) -> FloatArray:
    """Pixels per unit of ray coordinate `(...)` at `pixels (..., 2)`: the root of the area that one pixel spans."""
    right_step = np.array([0.5, 0.0])
    right, left = camera.normalize(pixels + right_step), camera.normalize(pixels - right_step)
    below, above = camera.normalize(pixels + right_step[::-1]), camera.normalize(pixels - right_step[::-1])
    along_x, along_y = right - left, below - above
    return np.asarray(np.abs(along_x[..., 0] * along_y[..., 1] - along_x[..., 1] * along_y[..., 0]) ** -0.5)
