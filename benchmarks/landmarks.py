#!/usr/bin/env python3
"""Wall time of each landmark network and of landmark tracking, on the demo clip at 1280 x 720.

python benchmarks/landmarks.py [--threads 1 2]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import resources

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from smplerx_ros.backbones.lite import regions as roi
from smplerx_ros.backbones.lite.landmark_estimator import LandmarkEstimator
from smplerx_ros.backbones.lite.landmarks import LandmarkQuery, PersonLandmarks
from smplerx_ros.backbones.lite.networks import LandmarkNetworks
from smplerx_ros.detection.builtin import BuiltinDetector
from smplerx_ros.geometry.boxes import Box

REPEATS = 40


def frames() -> list[NDArray[np.uint8]]:
    """Read the demo clip."""
    with resources.as_file(resources.files("smplerx_ros") / "assets" / "demo_walk.mp4") as path, av.open(path) as clip:
        return [cv2.resize(frame.to_ndarray(format="rgb24"), (1280, 720)) for frame in clip.decode(video=0)]


def timed(function: Callable[[], object], repeats: int = REPEATS) -> str:
    """Return median and minimum time of a call, as cells of a table."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(1e3 * (time.perf_counter() - start))
    return f"{statistics.median(times):.1f} | {min(times):.1f}"


def measure(images: Sequence[NDArray[np.uint8]], threads: int) -> None:
    """Run the benchmark with a number of threads."""
    detector, estimator = BuiltinDetector(threads=threads), LandmarkEstimator(threads=threads)
    networks = LandmarkNetworks(threads=threads)
    start = LandmarkQuery(images[0], max(detector.detect(images[:1])[0], key=lambda box: box.y1))
    people = track(estimator, start, images)
    person, image, last = people[-2], images[-1:], LandmarkQuery(images[-1], start.box, people[-2])
    points = person.body.points[None]
    body, face = roi.body_regions(points), roi.face_regions_from_body(points)
    palms = roi.palm_regions(*(points[:, [left, left + 1], :2][0] for left in (15, 17, 19)))
    hands = networks.hand_regions([*image, *image], palms)
    mesh = networks.faces(image, face).points
    print(f"\n{threads} thread(s)\n\n| ms for one person | median | best |\n|---|---|---|")
    print(f"| body | {timed(lambda: networks.bodies(image, body))} |")
    print(f"| hand regions (two) | {timed(lambda: networks.hand_regions([*image, *image], palms))} |")
    print(f"| hands (two) | {timed(lambda: networks.hands([*image, *image], hands))} |")
    print(f"| face, one pass | {timed(lambda: networks.faces(image, face))} |")
    print(f"| blend shapes | {timed(lambda: networks.blendshapes(mesh))} |")
    print(f"| all in tracking, face too small | {timed(lambda: estimator.estimate([last]))} |")
    print(f"| detector | {timed(lambda: detector.detect(image))} |")


def track(
    estimator: LandmarkEstimator, query: LandmarkQuery, images: Sequence[NDArray[np.uint8]]
) -> list[PersonLandmarks]:
    """Track the person through the clip."""
    people: list[PersonLandmarks] = []
    for i, image in enumerate(images):
        previous = people[-1] if people else None
        person = estimator.estimate([replace(query, image=image, previous=previous)])[0]
        if person is None:
            raise SystemExit(f"the person was lost in frame {i}")
        people.append(person)
        query = replace(
            query, box=Box(*person.body.points[:33, :2].min(axis=0), *person.body.points[:33, :2].max(axis=0))
        )
    return people


def main() -> None:
    """Run the benchmark with each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    images = frames()
    for threads in parser.parse_args().threads:
        measure(images, threads)


if __name__ == "__main__":
    main()
