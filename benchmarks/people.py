#!/usr/bin/env python3
"""Cost per person on the CPU, for 1 to 16 people per call.

    python benchmarks/people.py [--backbone lite s32] [--out benchmarks/results]

Measures the estimation of bodies and their localization in one call, as for several cameras that see the demo clip at
different times. Detection, tracking and smoothing are not included. Networks have synthetic weights, which do not
affect speed; they are converted once into the cache, which requires torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from backbones_in_node import synthetic_bundle
from tqdm import tqdm

from smplerx_ros.backbones.backbone import Backbone
from smplerx_ros.body import BodyModel, load_body
from smplerx_ros.config.options import Options
from smplerx_ros.detection.builtin import BuiltinDetector
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.io.report import command_line, machine, write_report
from smplerx_ros.io.video import VideoReader
from smplerx_ros.pipeline.loading import load_backbones
from smplerx_ros.pipeline.localization.persons import build_persons
from smplerx_ros.types import Frame, Observation

PEOPLE = (1, 2, 4, 8, 16)
CLIP = "demo_walk.mp4"
FRAME_OFFSET = 3  # frames of the clip between two people
WARM_UP = 3  # calls

View = tuple[Frame, Box]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", nargs="+", default=["lite", "s32"])
    parser.add_argument("--people", nargs="+", type=int, default=list(PEOPLE))
    parser.add_argument("--calls", type=int, default=20, help="per measurement [%(default)s]")
    parser.add_argument("--threads", type=int, default=0, help="0: default of the runtime")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    views, body, rows = clip_views(), load_body(), []
    for name in arguments.backbone:
        weights = "" if name == "lite" else str(synthetic_bundle(name))
        options = Options(backbone=name, weights=weights, device="cpu", threads=arguments.threads)
        (backbone,) = load_backbones(options, body, bundles_only=True)
        for count in tqdm(arguments.people, desc=name, disable=not sys.stderr.isatty()):
            ms, cpu_ms = cost(backbone, body, views, count, arguments.calls)
            rows.append({"backbone": name, "people": count, "ms": ms, "cpu_ms": cpu_ms})
    text = table(rows)
    print(text)
    if arguments.out:
        write_report(arguments.out, "people", {"rows": rows}, text, command_line(), machine())


def clip_views() -> list[View]:
    """Return every frame of the clip in which the detector finds a person, with the first box."""
    detector, views = BuiltinDetector(), []
    with as_file(files("smplerx_ros") / "assets" / CLIP) as path, VideoReader(path) as reader:
        for seen in reader:
            height, width = seen.image.shape[:2]
            (boxes,) = detector.detect([seen.image])
            if boxes:
                frame = Frame(seen.image, Camera.from_fov(width, height), 1 + round(seen.seconds * 1e9))
                views.append((frame, boxes[0]))
    return views


def cost(backbone: Backbone, body: BodyModel, views: Sequence[View], people: int, calls: int) -> tuple[float, float]:
    """Return the median wall time and CPU time (of all threads) of a call with `people` people, ms."""
    backbone.reset()
    times, cpu_times = [], []
    for call in range(WARM_UP + calls):
        chosen = [(f"p{k}", views[(call + FRAME_OFFSET * k) % len(views)]) for k in range(people)]
        observations = [Observation(frame, name, box) for name, (frame, box) in chosen]
        start, cpu_start = perf_counter(), process_time()
        build_persons(body, observations, backbone.estimate(observations), None)
        times.append(1e3 * (perf_counter() - start))
        cpu_times.append(1e3 * (process_time() - cpu_start))
    return median(times[WARM_UP:]), median(cpu_times[WARM_UP:])


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Format the results in Markdown."""
    head = "| backbone | people | ms per call | ms per person | CPU ms per person |\n|---|--:|--:|--:|--:|\n"
    return head + "\n".join(
        f"| {row['backbone']} | {row['people']} | {row['ms']:.1f} | {row['ms'] / row['people']:.1f} "
        f"| {row['cpu_ms'] / row['people']:.1f} |"
        for row in rows
    )


if __name__ == "__main__":
    main()
