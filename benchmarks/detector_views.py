"""Annotated images for detector.py, and images derived from them: rotated, cropped, tiled, and close-ups."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from smplerx_ros.geometry.boxes import Box

Image = NDArray[np.uint8]
MIN_CLOSE_UP = 250  # pixels of a person's height
TILTS = (-30, -15, 15, 30)  # degrees
NARROW_STRIP = 266  # pixels wide, of frames 576 high: aspect ratio of a phone in portrait
NARROW_CUT = 800  # the same of frames 1920 high
MIN_INSIDE = 0.6  # fraction of a box that must be inside the image for the person to count


@dataclass
class Case:
    """One image with its annotated boxes."""

    image: Image
    people: list[Box] = field(default_factory=list)
    ignored: list[Box] = field(default_factory=list)


def load(frames: Path, table: Path) -> dict[str, Case]:
    """Load the annotated images by file name."""
    cases: dict[str, Case] = {}
    for row in csv.DictReader(table.open()):
        name = row["image"]
        if name not in cases:
            picture = cv2.imread(str(frames / name))
            if picture is None:
                raise SystemExit(f"{frames / name}: no image; detector.md says where the frames come from")
            cases[name] = Case(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        if row["kind"] != "none":
            box = Box(*(float(row[key]) for key in ("x0", "y0", "x1", "y1")))
            (cases[name].people if row["kind"] == "person" else cases[name].ignored).append(box)
    return cases


def group(name: str) -> str:
    """Return the row of the table to which an image belongs."""
    if name.startswith("vtest"):
        return "far"
    return "portrait" if name.startswith(("single", "multi", "calib")) else "other"


def views(cases: dict[str, Case]) -> dict[str, list[Case]]:
    """Return the annotated and derived images by kind."""
    found: dict[str, list[Case]] = {}
    for name in ("far", "other", "portrait"):
        found[name] = [case for key, case in cases.items() if group(key) == name]
    for angle in TILTS:
        found[f"tilted {angle}"] = [tilted(case, angle) for case in cases.values() if case.people]
    far = found["far"]
    pairs = list(zip(far[::2], far[1::2], strict=True))
    found["two side by side"] = [together(pair, 2) for pair in pairs]
    found["two above each other"] = [together(pair, 1) for pair in pairs]
    found["four"] = [together(far[i : i + 4], 2) for i in (0, 2)]
    found["strips of far"] = [cut(case, x, NARROW_STRIP) for case in far for x in (0, 250, 502)]
    found["strips of portrait"] = [
        cut(case, round((box.x0 + box.x1 - NARROW_CUT) / 2), NARROW_CUT)
        for case in found["portrait"]
        for box in case.people
    ]
    return found


def tilted(case: Case, degrees: float) -> Case:
    """Rotate the image about its centre; a box becomes the bounding box of its rotated inscribed ellipse."""
    height, width = case.image.shape[:2]
    rotation = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    sine, cosine = np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))

    def rotated(box: Box) -> Box:
        x, y = rotation @ [(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, 1]
        half_x = np.hypot(box.width * cosine, box.height * sine) / 2
        half_y = np.hypot(box.height * cosine, box.width * sine) / 2
        return Box(x - half_x, y - half_y, x + half_x, y + half_y)

    image = cv2.warpAffine(case.image, rotation, (width, height))
    return _clipped(image, [rotated(box) for box in case.people], [rotated(box) for box in case.ignored])


def cut(case: Case, x: int, width: int) -> Case:
    """Crop `width` columns from `x` on (clamped to the image)."""
    x = min(max(0, x), case.image.shape[1] - width)
    image = np.ascontiguousarray(case.image[:, x : x + width])
    return _clipped(image, [_moved(box, -x, 0) for box in case.people], [_moved(box, -x, 0) for box in case.ignored])


def together(cases: Sequence[Case], columns: int) -> Case:
    """Tile images of equal size in rows of `columns`."""
    height, width = cases[0].image.shape[:2]
    whole = Case(np.zeros((height * len(cases) // columns, width * columns, 3), np.uint8))
    for i, case in enumerate(cases):
        x, y = i % columns * width, i // columns * height
        whole.image[y : y + height, x : x + width] = case.image
        whole.people += [_moved(box, x, y) for box in case.people]
        whole.ignored += [_moved(box, x, y) for box in case.ignored]
    return whole


def close_ups(cases: Sequence[Case], fraction: float) -> list[Case]:
    """Crop every large person so that the upper `fraction` of the box fills most of the height of a 4:3 image."""
    found = []
    for case in cases:
        height, width = case.image.shape[:2]
        for box in case.people:
            if box.height < MIN_CLOSE_UP:
                continue
            side = 1.1 * fraction * box.height
            top = box.y0 - 0.05 * side
            middle = (box.x0 + box.x1) / 2
            x0, y0 = max(0, int(middle - side * 2 / 3)), max(0, int(top))
            x1, y1 = min(width, int(middle + side * 2 / 3)), min(height, int(top + side))
            seen = Box(max(0, box.x0 - x0), max(0, box.y0 - y0), min(x1, box.x1) - x0, min(y1, box.y1) - y0)
            found.append(Case(np.ascontiguousarray(case.image[y0:y1, x0:x1]), [seen]))
    return found


def _moved(box: Box, x: float, y: float) -> Box:
    return Box(box.x0 + x, box.y0 + y, box.x1 + x, box.y1 + y)


def _clipped(image: Image, people: Sequence[Box], ignored: Sequence[Box]) -> Case:
    """Clip boxes to the image; people mostly outside become ignored, those entirely outside are dropped."""
    height, width = image.shape[:2]
    case = Case(image)
    for box, counts in [(box, True) for box in people] + [(box, False) for box in ignored]:
        x0, y0, x1, y1 = max(0.0, box.x0), max(0.0, box.y0), min(float(width), box.x1), min(float(height), box.y1)
        if x1 - x0 < 2 or y1 - y0 < 2:
            continue
        whole = (x1 - x0) * (y1 - y0) > MIN_INSIDE * box.width * box.height
        (case.people if counts and whole else case.ignored).append(Box(x0, y0, x1, y1))
    return case
