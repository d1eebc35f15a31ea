"""Inputs of an exported detector: the image in its layout and type, and auxiliary inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.runtime.onnx import Input

from .formats import IMAGENET_MEAN, IMAGENET_STD, Size

FREE_SIDE = 640  # pixels, of an input of variable size: the usual training resolution
_IMAGE_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float)": np.float32, "tensor(bool)": np.bool_}
_MASK_SIDE = 64  # of a DETR mask of variable size; the graph resizes it


@dataclass(frozen=True)
class DetectorInputs:
    """Inputs of a network: the image and, in `others`, its size or a mask of its valid pixels."""

    image: Input
    others: tuple[Input, ...] = ()

    @classmethod
    def of(cls, inputs: Sequence[Input]) -> DetectorInputs | None:
        """Identify the inputs; None unless they are an image (N, 3, H, W) or (N, H, W, 3) and optional size or mask."""
        images = [i for i in inputs if len(i.shape) == 4 and 3 in (i.shape[1], i.shape[3]) and i.type in _IMAGE_TYPES]
        others = [i for i in inputs if i.type in _TYPES and (_is_size(i) or _is_mask(i))]
        if len(images) != 1 or len(images) + len(others) != len(inputs):
            return None
        return cls(images[0], tuple(others))

    @property
    def batch(self) -> int | None:
        """Batch size; None if variable."""
        batch = self.image.shape[0]
        return batch if isinstance(batch, int) else None

    @property
    def size(self) -> Size:
        """Size of the image."""
        height, width = self.image.shape[2:] if self._channels_first else self.image.shape[1:3]
        return Size(*(side if isinstance(side, int) else FREE_SIDE for side in (width, height)))

    @property
    def takes_bytes(self) -> bool:
        """Whether pixels are bytes; otherwise the format determines their range."""
        return self.image.type == "tensor(uint8)"

    def values(self, canvas: NDArray[np.uint8], *, bgr: bool, unit: bool, imagenet: bool) -> NDArray[Any]:
        """Convert a canvas `(height, width, 3)` RGB to the network's layout and range; bytes are not scaled."""
        values: NDArray[Any] = canvas
        if not self.takes_bytes:
            values = canvas.astype(np.float32) / (255 if unit else 1)
            if imagenet:
                values = (values - IMAGENET_MEAN) / IMAGENET_STD
        if bgr:
            values = values[..., ::-1]
        return (values.transpose(2, 0, 1) if self._channels_first else values).astype(_IMAGE_TYPES[self.image.type])

    def feed(self, images: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Make the inputs for `values` of one or more images; a fixed batch is filled with copies of the last image."""
        batch = np.stack([*images, *[images[-1]] * ((self.batch or len(images)) - len(images))])
        feed = {self.image.name: batch}
        for other in self.others:
            shape = (len(batch), *(side if isinstance(side, int) else _MASK_SIDE for side in other.shape[1:]))
            # boxes in pixels of the input, as in other formats; all pixels are valid
            value = [self.size.width, self.size.height] if _is_size(other) else 1
            feed[other.name] = np.broadcast_to(np.array(value, _TYPES[other.type]), shape)
        return feed

    @property
    def _channels_first(self) -> bool:
        return self.image.shape[1] == 3


def _is_size(other: Input) -> bool:
    return len(other.shape) == 2 and other.shape[1] == 2


def _is_mask(other: Input) -> bool:
    return len(other.shape) == 3 and "mask" in other.name
