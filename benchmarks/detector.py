#!/usr/bin/env python3
"""People found, false boxes and time of the embedded detector, on frames whose people were boxed by eye.

    python benchmarks/detector.py FRAMES benchmarks/detector_boxes.csv [--ssdlite ssdlite.onnx]

FRAMES holds the images that the table names (detector.md says where they come from). The table's rows are boxes of
kind `person`, of kind `ignore` (people too hidden to be counted: found or not, it does not matter) and of kind `none`
(an image without people). Close-ups are cut from the same frames: every person at least 250 px high, once the whole
body and once the upper half filling the height of a 4:3 image.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from smplerx_ros.detection.builtin import MAX_OVERLAP, BuiltinDetector
from smplerx_ros.tracking.tracker import overlaps
from smplerx_ros.types import Box

Image = NDArray[np.uint8]
Detector = Callable[[Image], list[Box]]
SIZES = ((192,), (256,), (320,), (384,), (416,), (448,), (512,), (384, 192), (448, 192), (512, 192))
THRESHOLDS = (0.15, 0.2, 0.25, 0.3)
SSD_THRESHOLDS = (0.3, 0.5)
LOWEST = 0.1
FOUND = 0.5  # intersection over union
MIN_CLOSE_UP = 250  # pixels of a person's height


@dataclass
class Case:
    """One image with its boxes."""

    image: Image
    people: list[Box] = field(default_factory=list)
    ignored: list[Box] = field(default_factory=list)


def load(frames: Path, table: Path) -> dict[str, Case]:
    """Cases by file name."""
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


def close_ups(cases: Sequence[Case], share: float) -> list[Case]:
    """Every large person alone, the upper `share` of the box filling most of the height."""
    cut = []
    for case in cases:
        height, width = case.image.shape[:2]
        for box in case.people:
            if box.height < MIN_CLOSE_UP:
                continue
            side = 1.1 * share * box.height
            top = box.y0 - 0.05 * side
            middle = (box.x0 + box.x1) / 2
            x0, y0 = max(0, int(middle - side * 2 / 3)), max(0, int(top))
            x1, y1 = min(width, int(middle + side * 2 / 3)), min(height, int(top + side))
            seen = Box(max(0, box.x0 - x0), max(0, box.y0 - y0), min(x1, box.x1) - x0, min(y1, box.y1) - y0)
            cut.append(Case(np.ascontiguousarray(case.image[y0:y1, x0:x1]), [seen]))
    return cut


def score(found: Sequence[Box], case: Case) -> tuple[int, int]:
    """People found, one box each, and boxes on nobody."""
    table = overlaps(found, case.people) if found and case.people else np.zeros((len(found), len(case.people)))
    taken_boxes: set[int] = set()
    taken_people: set[int] = set()
    for i, j in sorted(np.ndindex(table.shape), key=lambda pair: -table[pair]):
        if table[i, j] >= FOUND and i not in taken_boxes and j not in taken_people:
            taken_boxes.add(i)
            taken_people.add(j)
    rest = [box for i, box in enumerate(found) if i not in taken_boxes and not _ignored(box, case)]
    return len(taken_people), len(rest)


def _ignored(box: Box, case: Case) -> bool:
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    return any(other.x0 <= x <= other.x1 and other.y0 <= y <= other.y1 for other in case.ignored)


def group(name: str) -> str:
    """The part of the table that an image counts for."""
    if name.startswith("vtest"):
        return "far"
    return "portrait" if name.startswith(("single", "multi", "calib")) else "other"


def ssdlite(path: Path, threads: int, tiled: bool) -> Detector:
    """The other candidate: SSDLite, the image stretched to 300 x 300, alone or beside half-overlapping square tiles."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(image: Image, x: int, y: int) -> list[list[float]]:
        height, width = image.shape[:2]
        names = ["detection_boxes:0", "detection_scores:0"]
        boxes, scores = session.run(names, {"image_tensor:0": cv2.resize(image, (300, 300))[None]})
        corners = boxes[0][:, [1, 0, 3, 2]] * [width, height, width, height] + [x, y, x, y]
        return np.column_stack([corners, scores[0]])[scores[0] > LOWEST].tolist()

    def detect(image: Image) -> list[Box]:
        rows = run(image, 0, 0)
        if tiled:
            height, width = image.shape[:2]
            side, longer = min(height, width), max(height, width)
            for start in np.linspace(0, longer - side, int(np.ceil((longer - side) / (side / 2))) + 1).astype(int):
                x, y = (start, 0) if width >= height else (0, start)
                rows += run(np.ascontiguousarray(image[y : y + side, x : x + side]), x, y)
        xywh = [[a, b, c - a, d - b] for a, b, c, d, _ in rows]
        kept = cv2.dnn.NMSBoxes(xywh, [row[4] for row in rows], LOWEST, MAX_OVERLAP)
        return [Box(*rows[i]) for i in np.ravel(kept).astype(int)]

    return detect


def seconds(detect: Detector, images: Sequence[Image], repeats: int = 5) -> float:
    """Time of one image: the best of some runs, since other work may slow the machine; median over the images."""
    best = []
    for image in images:
        runs = []
        for _ in range(repeats):
            start = time.perf_counter()
            detect(image)
            runs.append(time.perf_counter() - start)
        best.append(min(runs))
    return statistics.median(best)


def measure(label: str, detect: Detector, thresholds: Sequence[float], cases: dict[str, Case]) -> None:
    """Print one row of the table per threshold."""
    parts: dict[str, list[Case]] = defaultdict(list)
    for name, case in cases.items():
        parts[group(name)].append(case)
    parts["close, whole"] = close_ups(list(cases.values()), 1.0)
    parts["close, upper half"] = close_ups(list(cases.values()), 0.5)
    found: dict[str, list[list[Box]]] = {}
    for part, members in parts.items():
        found[part] = [detect(case.image) for case in members]
    milliseconds = 1e3 * seconds(detect, [case.image for case in cases.values()][::8])
    for threshold in thresholds:
        cells, false = [], 0
        for part, members in parts.items():
            kept = [[box for box in boxes if box.score > threshold] for boxes in found[part]]
            results = [score(boxes, case) for boxes, case in zip(kept, members, strict=True)]
            cells.append(f"{sum(hits for hits, _ in results)}/{sum(len(case.people) for case in members)}")
            false += 0 if part.startswith("close") else sum(wrong for _, wrong in results)
        print(f"| {label} | {threshold} | {' | '.join(cells)} | {false} | {milliseconds:.0f} |")


def main() -> None:
    """Measure all options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frames", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--ssdlite", type=Path, help="the other candidate's ONNX file")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    cases = load(args.frames, args.table)
    heads = ["far", "other", "portrait"]
    order = sorted(cases, key=lambda name: (heads.index(group(name)), name))
    cases = {name: cases[name] for name in order}
    print(f"| network, sizes | threshold | {' | '.join(heads)} | close, whole | close, upper half | false | ms |")
    print("|---" * 8 + "|")
    if args.ssdlite:
        measure("SSDLite stretched", ssdlite(args.ssdlite, args.threads, False), SSD_THRESHOLDS, cases)
        measure("SSDLite stretched + tiles", ssdlite(args.ssdlite, args.threads, True), SSD_THRESHOLDS, cases)
    for sizes in SIZES:
        detector = BuiltinDetector(threads=args.threads, threshold=LOWEST, sizes=sizes)
        label = "MoveNet " + " + ".join(map(str, sizes))
        measure(label, lambda image, d=detector: d.detect([image])[0], THRESHOLDS, cases)  # type: ignore[misc]


if __name__ == "__main__":
    main()
