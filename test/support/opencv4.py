"""Crops with the arithmetic of OpenCV 4, independent of the installed version.

The networks of `lite` are sensitive to single grey levels: noise of one level changes a depth by tens of pixels
(measured on the golden images). OpenCV 4 samples at 1/32 pixel in fixed point, OpenCV 5 exactly; the golden values were
computed with the former.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.backbones.lite.regions import image_from_crop

COORDINATE = 1024  # fixed-point units in a pixel, of the map
STEPS = 32  # sampling positions per pixel


def crop(images: Sequence[NDArray[np.uint8]], regions: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    """Crop as `smplerx_ros.backbones.lite.regions.crop`."""
    maps = image_from_crop(regions, size)
    crops = [warp(image, matrix, size) for image, matrix in zip(images, maps, strict=True)]
    return np.divide(np.reshape(crops, (-1, size, size, 3)), np.float32(255), dtype=np.float32)


def warp(image: NDArray[np.uint8], image_from_crop: NDArray[np.floating], size: int) -> NDArray[np.uint8]:
    """Reproduce `cv2.warpAffine(..., INTER_LINEAR | WARP_INVERSE_MAP, borderMode=BORDER_REPLICATE)` of OpenCV 4."""
    x, y = (_positions(row, size) for row in image_from_crop)
    height, width = image.shape[:2]
    total = np.zeros((size, size, image.shape[2]), int)
    for below in (0, 1):
        for right in (0, 1):
            weights = _weights(x, right) * _weights(y, below)
            total += (
                weights[..., None]
                * image[np.clip(y // STEPS + below, 0, height - 1), np.clip(x // STEPS + right, 0, width - 1)]
            )
    return ((total + STEPS**2 // 2) // STEPS**2).astype(np.uint8)


def _positions(row: NDArray[np.floating], size: int) -> NDArray[np.int64]:
    """Return one coordinate `(size, size)` of the sampled points, in 1/32 pixel."""
    pixels = np.arange(size)
    across = np.rint(row[0] * pixels * COORDINATE).astype(np.int64)
    down = np.rint((row[1] * pixels + row[2]) * COORDINATE).astype(np.int64)
    unit = COORDINATE // STEPS
    return np.asarray((down[:, None] + across + unit // 2) // unit)


def _weights(positions: NDArray[np.int64], second: int) -> NDArray[np.int64]:
    fraction = positions % STEPS
    return fraction if second else STEPS - fraction
