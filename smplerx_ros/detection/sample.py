"""Run an exported detector on sample images: an empty one, and one of two people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from .formats import GREY, Outputs
from .inputs import DetectorInputs
from .resize import Fit, fit_image


def sample_outputs(run: Callable[[Mapping[str, NDArray[Any]]], Outputs], feed: DetectorInputs) -> tuple[Outputs, ...]:
    """Outputs for an empty image, then for the sample image with values of 0..1 and of 0..255.

    Which range a network expects is not known yet; with the other one it may detect nothing, and then non-maximum
    suppression in the graph may leave no rows from which to identify the columns.
    """
    size = feed.size
    canvas = fit_image(sample_image(), size.width, size.height, Fit.CENTRE, GREY).canvas
    scales = (True,) if feed.takes_bytes else (True, False)
    images = [(np.zeros_like(canvas), True), *((canvas, unit) for unit in scales)]
    return tuple(run(feed.feed([feed.values(image, bgr=False, unit=unit, imagenet=False)])) for image, unit in images)


def sample_image() -> NDArray[np.uint8]:
    """First frame of the demo clip, `(720, 1280, 3)` RGB, with two people."""
    clip = resources.files("smplerx_ros") / "assets" / "demo_walk.mp4"
    with clip.open("rb") as file, av.open(file) as reader:
        frame: NDArray[np.uint8] = next(reader.decode(video=0)).to_ndarray(format="rgb24")
    return frame
