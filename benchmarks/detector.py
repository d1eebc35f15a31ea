#!/usr/bin/env python3
"""Recall, false positives and CPU time of the embedded detector, on manually annotated images.

    python benchmarks/detector.py FRAMES benchmarks/detector_boxes.csv [--sizes] [--ssdlite ssdlite.onnx] [--onnx FILE]

FRAMES is the folder of the annotated images (detector.md says where to get them). Annotations have the kind `person`,
`ignore` (heavily occluded people, neither required nor counted as false positives) or `none` (an image without people).
Further images are derived from them (detector_views.py). `--sizes` compares input sizes of the network on whole images
and close-ups: each person of at least 250 px, whose whole body or upper half fills the height of a 4:3 image.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from detector_views import Case, Image, close_ups, group, load, views

from smplerx_ros.detection.builtin import BuiltinDetector
from smplerx_ros.detection.merge import MAX_OVERLAP
from smplerx_ros.detection.onnx import OnnxDetector
from smplerx_ros.geometry.boxes import Box, pairwise_iou

Detector = Callable[[Image], list[Box]]
SIZES = ((192,), (256,), (320,), (384,), (416,), (448,), (512,), (384, 192), (448, 192), (512, 192))
THRESHOLDS = (0.15, 0.2, 0.25, 0.3)
SSD_THRESHOLDS = (0.3, 0.5)
LOWEST_THRESHOLD = 0.1
MIN_IOU = 0.5  # of a true positive


def score(found: Sequence[Box], case: Case) -> tuple[int, int]:
    """Count true and false positives, with greedy one-to-one matching by IoU."""
    table = pairwise_iou(found, case.people) if found and case.people else np.zeros((len(found), len(case.people)))
    taken_boxes: set[int] = set()
    taken_people: set[int] = set()
    for i, j in sorted(np.ndindex(table.shape), key=lambda pair: -table[pair]):
        if table[i, j] >= MIN_IOU and i not in taken_boxes and j not in taken_people:
            taken_boxes.add(i)
            taken_people.add(j)
    rest = [box for i, box in enumerate(found) if i not in taken_boxes and not _ignored(box, case)]
    return len(taken_people), len(rest)


def _ignored(box: Box, case: Case) -> bool:
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    return any(other.x0 <= x <= other.x1 and other.y0 <= y <= other.y1 for other in case.ignored)


def ssdlite(path: Path, threads: int, tiled: bool) -> Detector:
    """Load SSDLite: runs on the image stretched to 300 x 300 and, if `tiled`, on square tiles that overlap by half."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(image: Image, x: int, y: int) -> list[list[float]]:
        height, width = image.shape[:2]
        names = ["detection_boxes:0", "detection_scores:0"]
        boxes, scores = session.run(names, {"image_tensor:0": cv2.resize(image, (300, 300))[None]})
        corners = boxes[0][:, [1, 0, 3, 2]] * [width, height, width, height] + [x, y, x, y]
        return np.column_stack([corners, scores[0]])[scores[0] > LOWEST_THRESHOLD].tolist()

    def detect(image: Image) -> list[Box]:
        rows = run(image, 0, 0)
        if tiled:
            height, width = image.shape[:2]
            side, longer = min(height, width), max(height, width)
            for start in np.linspace(0, longer - side, int(np.ceil((longer - side) / (side / 2))) + 1).astype(int):
                x, y = (start, 0) if width >= height else (0, start)
                rows += run(np.ascontiguousarray(image[y : y + side, x : x + side]), x, y)
        xywh = [[a, b, c - a, d - b] for a, b, c, d, _ in rows]
        kept = cv2.dnn.NMSBoxes(xywh, [row[4] for row in rows], LOWEST_THRESHOLD, MAX_OVERLAP)
        return [Box(*rows[i]) for i in np.ravel(kept).astype(int)]

    return detect


def seconds(detect: Detector, images: Sequence[Image], repeats: int = 5) -> float:
    """Return the wall time per image: the best of several runs, against load of the machine; median over images."""
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
    """Print a row of the table per threshold."""
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
            false += 0 if part.startswith("close") else sum(errors for _, errors in results)
        print(f"| {label} | {threshold} | {' | '.join(cells)} | {false} | {milliseconds:.0f} |")


def compare_views(detectors: dict[str, Detector], cases: dict[str, Case]) -> None:
    """Print true positives, false positives and mean CPU time per image, for each kind of image."""
    print(f"| images | people | {' | '.join(f'{name}: found, false, ms' for name in detectors)} |")
    print("|---" * (2 + len(detectors)) + "|")
    for kind, members in views(cases).items():
        cells = []
        for detect in detectors.values():
            start = time.process_time()
            found = [detect(case.image) for case in members]
            milliseconds = 1e3 * (time.process_time() - start) / len(members)
            hits, false = zip(*map(score, found, members), strict=True)
            cells.append(f"{sum(hits)}, {sum(false)}, {milliseconds:.0f}")
        print(f"| {kind} ({len(members)}) | {sum(len(case.people) for case in members)} | {' | '.join(cells)} |")


def compare_sizes(args: argparse.Namespace, cases: dict[str, Case]) -> None:
    """Print true positives by input size and threshold."""
    heads = ["far", "other", "portrait"]
    order = sorted(cases, key=lambda name: (heads.index(group(name)), name))
    cases = {name: cases[name] for name in order}
    print(f"| network, sizes | threshold | {' | '.join(heads)} | close, whole | close, upper half | false | ms |")
    print("|---" * 8 + "|")
    if args.ssdlite:
        measure("SSDLite stretched", ssdlite(args.ssdlite, args.threads, False), SSD_THRESHOLDS, cases)
        measure("SSDLite stretched + tiles", ssdlite(args.ssdlite, args.threads, True), SSD_THRESHOLDS, cases)
    for sizes in SIZES:
        detector = BuiltinDetector(threads=args.threads, threshold=LOWEST_THRESHOLD, sizes=sizes, tiled=False)
        label = "MoveNet " + " + ".join(map(str, sizes))
        measure(label, lambda image, d=detector: d.detect([image])[0], THRESHOLDS, cases)  # type: ignore[misc]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frames", type=Path, help="folder of the annotated images")
    parser.add_argument("table", type=Path, help="annotations, a CSV file")
    parser.add_argument("--sizes", action="store_true", help="compare input sizes instead")
    parser.add_argument("--ssdlite", type=Path, help="with --sizes: ONNX file of SSDLite, to compare with")
    parser.add_argument("--onnx", type=Path, help="detector (as for `detector: onnx`) to compare with the embedded one")
    parser.add_argument("--onnx-threshold", type=float, default=0.3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    cases = load(args.frames, args.table)
    if args.sizes:
        compare_sizes(args, cases)
        return
    whole = BuiltinDetector(threads=args.threads, tiled=False)
    tiled = BuiltinDetector(threads=args.threads)
    detectors: dict[str, Detector] = {
        "whole image": lambda image: whole.detect([image])[0],
        "with tiles": lambda image: tiled.detect([image])[0],
    }
    if args.onnx:
        other = OnnxDetector(args.onnx, threads=args.threads, threshold=args.onnx_threshold)
        detectors[args.onnx.stem] = lambda image: other.detect([image])[0]
    compare_views(detectors, cases)


if __name__ == "__main__":
    main()
