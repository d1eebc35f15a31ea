"""Crops of bodies and faces from an image."""

from __future__ import annotations

import cv2
import numpy as np

from smplerx_ros.arrays import RgbImage
from smplerx_ros.geometry.boxes import Box


def normalized_box(box: Box, width: int, height: int) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of the box, clipped to a `width` x `height` image and normalized to 0..1."""
    x0, x1 = (float(min(max(edge, 0.0), width) / width) for edge in (box.x0, box.x1))
    y0, y1 = (float(min(max(edge, 0.0), height) / height) for edge in (box.y0, box.y1))
    return x0, y0, x1, y1


def crop(image: RgbImage, box: Box) -> RgbImage:
    """The pixels that the box touches, `(h, w, 3)`; at least one, because empty images are invalid."""
    height, width = image.shape[:2]
    x0, y0 = int(np.clip(np.floor(box.x0), 0, width - 1)), int(np.clip(np.floor(box.y0), 0, height - 1))
    x1, y1 = int(np.clip(np.ceil(box.x1), x0 + 1, width)), int(np.clip(np.ceil(box.y1), y0 + 1, height))
    return image[y0:y1, x0:x1]


def fitted_crop(image: RgbImage, box: Box, width: int, height: int) -> RgbImage:
    """The box scaled to fit into `(height, width, 3)`, centred, with black borders."""
    scale = min(width / box.width, height / box.height)
    centre = np.array([box.x0 + box.x1, box.y0 + box.y1]) / 2
    to_crop = np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]])
    to_crop[:, 2] = np.array([width, height]) / 2 - scale * centre
    warped = cv2.warpAffine(image, to_crop, (width, height), flags=cv2.INTER_LINEAR, borderValue=(0, 0, 0))
    scaled = np.asarray(warped, np.uint8)
    left, top = round((width - scale * box.width) / 2), round((height - scale * box.height) / 2)
    padded = np.zeros_like(scaled)
    inner = (slice(top, height - top), slice(left, width - left))
    padded[inner] = scaled[inner]
    return padded
