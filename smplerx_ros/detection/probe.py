"""What an exported detector answers before its first frame: to nothing, and to a picture of two people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from .feed import Feed
from .formats import GREY, Outputs
from .resize import Fit, place


def answers(run: Callable[[Mapping[str, NDArray[Any]]], Outputs], feed: Feed) -> tuple[Outputs, ...]:
    """To an empty image, then to the picture with values of 0..1 and of 0..255.

    Which values a network wants is not known yet; many find nothing in the others, and suppression in the graph then
    leaves no rows that could tell what their columns are.
    """
    size = feed.size
    canvas = place(picture(), size.width, size.height, Fit.CENTRE, GREY).canvas
    scales = (True,) if feed.of_bytes else (True, False)
    images = [(np.zeros_like(canvas), True), *((canvas, unit) for unit in scales)]
    return tuple(
        run(feed.of_images([feed.values(image, bgr=False, unit=unit, imagenet=False)])) for image, unit in images
    )


def picture() -> NDArray[np.uint8]:
    """The first frame of the package's own clip `(720, 1280, 3)` RGB: a man on a roof, a woman on the lawn."""
    clip = resources.files("smplerx_ros") / "assets" / "demo_walk.mp4"
    with clip.open("rb") as file, av.open(file) as reader:
        frame: NDArray[np.uint8] = next(reader.decode(video=0)).to_ndarray(format="rgb24")
    return frame
