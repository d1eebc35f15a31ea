"""Make docs/images/demo.webp, the moving picture of README.md, from the overlay that the demo records.

    python -m smplerx_ros.tools.demo --rate 6 --out out/demo_slow
    python scripts/make_demo_image.py out/demo_slow/overlay.mp4 --rate 6

The clip is played slowly so that the node estimates (almost) every image on any machine, and shown at its own speed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from smplerx_ros.io.video import VideoReader

CLIP_RATE = 30.0  # Hz, of smplerx_ros/assets/demo_walk.mp4
SHOWN_RATE = 10.0  # Hz
WIDTH = 640  # pixels
QUALITY = 75  # of WebP, 0 to 100
TARGET = Path(__file__).resolve().parent.parent / "docs" / "images" / "demo.webp"


def main() -> None:
    """Read the overlay, write the picture and print its size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overlay", type=Path)
    parser.add_argument("--rate", type=float, default=CLIP_RATE, help="frames per second at which it was played")
    parser.add_argument("--start", type=float, default=0.0, help="first second of the clip to show [%(default)s]")
    parser.add_argument("--end", type=float, default=3.5, help="last second of the clip to show [%(default)s]")
    parser.add_argument("--out", type=Path, default=TARGET)
    arguments = parser.parse_args()
    images = list(pick(arguments.overlay, arguments.rate / CLIP_RATE, arguments.start, arguments.end))
    images[0].save(
        arguments.out,
        save_all=True,
        append_images=images[1:],
        duration=round(1000 / SHOWN_RATE),
        loop=0,
        quality=QUALITY,
        method=6,
    )
    print(f"{arguments.out}: {len(images)} images, {arguments.out.stat().st_size} bytes")


def pick(overlay: Path, speed: float, start: float, end: float) -> Iterator[Image.Image]:
    """Yield the image that is shown at each tick of `SHOWN_RATE` from `start` to `end`, in seconds of the clip."""
    due = start
    shown: NDArray[np.uint8] | None = None
    with VideoReader(overlay) as reader:
        for frame in reader:
            while shown is not None and due < min(end, frame.seconds * speed):
                yield scaled(shown)
                due += 1 / SHOWN_RATE
            shown = frame.image


def scaled(image: NDArray[np.uint8]) -> Image.Image:
    """Return the image (H, W, 3) at `WIDTH` pixels."""
    height = round(image.shape[0] * WIDTH / image.shape[1])
    return Image.fromarray(cv2.resize(image, (WIDTH, height), interpolation=cv2.INTER_AREA))


if __name__ == "__main__":
    main()
