#!/usr/bin/env python3
"""Overhead of the node over its networks, from the start of an image's callback to the last publication.

    python benchmarks/node_overhead.py [--backbone lite s32] [--size 640x480 1280x720] [--out benchmarks/results]

The node runs in this process, at a rate at which no image waits; a camera plays the demo clip in another process. One
person; people, TF, REP-155 and detections are published, markers and overlay are not subscribed. The fit of `lite` is
counted separately. The second table breaks the overhead down; each part excludes the parts that it calls. Other
backbones than `lite` have synthetic weights: the networks run, but their outputs are replaced by a person standing in
the middle of the crop, because the tracker rejects bodies of random weights. Requires ROS 2, and torch for networks.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import current_thread
from typing import Any
from unittest.mock import patch

import numpy as np
import rclpy
from backbones_in_node import synthetic_bundle
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher

from smplerx_ros.backbones.lite.backbone import LiteBackbone
from smplerx_ros.backbones.lite.fit import BodyFitter
from smplerx_ros.backbones.smpler_x.estimation import NetworkBackbone
from smplerx_ros.io.report import command_line, machine, write_report
from smplerx_ros.pipeline import finishing
from smplerx_ros.pipeline.scheduling.camera_state import CameraState
from smplerx_ros.pipeline.scheduling.detection_runner import DetectionRunner
from smplerx_ros.pipeline.smoothing.motion import Motion
from smplerx_ros.pipeline.tracking.tracker import Tracker
from smplerx_ros.ros.humans import HumansOutput
from smplerx_ros.ros.node.frame_processor import FrameProcessor
from smplerx_ros.ros.node.node import SmplerxNode
from smplerx_ros.ros.node.stream import CameraStream
from smplerx_ros.ros.output import output
from smplerx_ros.ros.output.output import Output
from smplerx_ros.runtime.heap import keep_freed_memory
from smplerx_ros.runtime.onnx import OnnxNetwork, share_arena
from smplerx_ros.tools.demo import image_transport, private_graph
from smplerx_ros.tools.processes import Children

WARM_UP = 10
DETECTOR_THREAD = "smplerx_detector"  # runs concurrently with the estimation: only the time waited for it counts
COLUMNS = ("backbone", "image", "total", "networks", "fit", "overhead: median", "p95")
NETWORKS, FIT = "networks", "fit"
# Output of an SMPLer-X network for a person standing with hanging arms, 6-D rotations: the root is rotated by pi about
# x, the shoulders by pi / 2 about z.
IDENTITY, UPRIGHT = (1, 0, 0, 1, 0, 0), (1, 0, 0, -1, 0, 0)
SHOULDERS = {16: (0, 1, -1, 0, 0, 0), 17: (0, -1, 1, 0, 0, 0)}  # left and right
CAMERA = (0, 0, 1)  # raw camera output: the person fills four fifths of the crop's height, as in a typical box
# In execution order; "wait" is from the start of the callback until the worker takes the image.
PARTS: dict[str, tuple[tuple[Any, str], ...]] = {
    "convert": ((CameraStream, "frame"),),
    "detection": ((DetectionRunner, "run"),),
    "crops, landmarks": ((LiteBackbone, "estimate"), (NetworkBackbone, "estimate")),
    "body, persons": ((finishing, "build_persons"),),
    "smoothing": ((Motion, "smooth"), (Motion, "velocities")),
    "tracking": ((Tracker, "update"),),
    "people": ((output, "person_array"), (output, "info_from_camera"), (Output, "_placed")),
    "TF": ((Output, "_publish_transforms"),),
    "REP-155": ((HumansOutput, "publish"),),
    "rclpy, DDS": ((Publisher, "publish"),),
    NETWORKS: ((OnnxNetwork, "run"), (CameraState, "take_background_detection")),
    FIT: ((BodyFitter, "fit"),),
}
ADDED = ("wait", *(name for name in PARTS if name not in (NETWORKS, FIT)), "others")


@dataclass
class Clock:
    """Time of each part per image, seconds, excluding the parts that it calls."""

    began: float | None = None  # None: the image had to wait for another one and is not measured
    handling: bool = False  # an image is being handled, from its arrival on
    waiting: bool = False  # another image has arrived meanwhile
    parts: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    called: list[float] = field(default_factory=list)  # call stack: time spent in parts called by each active part
    rows: list[dict[str, float]] = field(default_factory=list)

    def begin(self) -> None:
        """Handle the arrival of an image."""
        if self.handling:
            self.waiting = True
        else:
            self.began, self.handling = time.perf_counter(), True
            self.parts.clear()

    def taken(self) -> None:
        """Handle the start of the worker on the image."""
        if self.began is not None:
            self.parts["wait"] = time.perf_counter() - self.began

    def published(self) -> None:
        """Handle the last publication."""
        if self.began is not None and not self.waiting:
            total = time.perf_counter() - self.began
            self.rows.append({"total": total, **self.parts, "others": total - sum(self.parts.values())})

    def done(self) -> None:
        """Handle the end of the worker on the image."""
        self.began, self.handling, self.waiting = None, self.waiting, False

    def timed(self, function: Any, part: str) -> Any:
        """Wrap `function` so that its time counts for `part`."""

        def run(*arguments: Any, **options: Any) -> Any:
            if current_thread().name.startswith(DETECTOR_THREAD):
                return function(*arguments, **options)
            start = time.perf_counter()
            self.called.append(0.0)
            try:
                return function(*arguments, **options)
            finally:
                spent = time.perf_counter() - start
                self.parts[part] += spent - self.called.pop()
                if self.called:
                    self.called[-1] += spent

        return run


def standing(run: Any) -> Any:
    """Wrap `OnnxNetwork.run` so that a body in its outputs stands upright."""

    def replaced(self: OnnxNetwork, inputs: Any) -> dict[str, Any]:
        outputs = run(self, inputs)
        if "pose_6d" in outputs:
            outputs["pose_6d"][:] = IDENTITY
            for joint, rotation in ({0: UPRIGHT} | SHOULDERS).items():
                outputs["pose_6d"][:, joint] = rotation
            outputs["betas"][:], outputs["expression"][:], outputs["camera"][:] = 0, 0, CAMERA
        return outputs

    return replaced


@contextmanager
def observed(clock: Clock) -> Iterator[None]:
    """Patch the measured methods, wherever they are called."""
    on_image, handle, publish = CameraStream._on_image, FrameProcessor.handle, Output.publish

    def arrived(self: CameraStream, message: Any) -> None:
        clock.begin()
        on_image(self, message)

    def taken(self: FrameProcessor, arrivals: Any) -> None:
        clock.taken()
        handle(self, arrivals)
        clock.done()

    def published(self: Output, *arguments: Any) -> None:
        publish(self, *arguments)
        clock.published()

    with ExitStack() as patches:
        for owner, name, function in (
            (CameraStream, "_on_image", arrived),
            (FrameProcessor, "handle", taken),
            (Output, "publish", published),
            *((owner, name, clock.timed(getattr(owner, name), p)) for p in PARTS for owner, name in PARTS[p]),
        ):
            patches.enter_context(patch.object(owner, name, function))
        yield


def measure(backbone: str, size: str, rate: float, images: int) -> dict[str, Any]:
    """Measure one backbone at one image size."""
    values: dict[str, Any] = {"backbone": backbone, "max_people": 1}
    if backbone != "lite":
        values["weights"] = str(synthetic_bundle(backbone))
    environment = private_graph()
    os.environ.update({name: environment[name] for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE")})
    clock = Clock()
    rclpy.init()
    with (
        patch.object(OnnxNetwork, "run", standing(OnnxNetwork.run)),
        observed(clock),
        Children(environment) as children,
    ):
        node = SmplerxNode(parameter_overrides=[Parameter(name, value=value) for name, value in values.items()])
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        camera = ["--size", size, "--rate", str(rate)]
        children.start("camera", "smplerx_ros.tools.bench.node_camera", *camera, environment=image_transport())
        while len(clock.rows) < WARM_UP + images:
            children.check(["camera"])
            executor.spin_once(timeout_sec=0.1)
        node.stop()
        executor.shutdown()
        node.destroy_node()
    rclpy.shutdown()
    milliseconds = {part: np.array([1e3 * row.get(part, 0.0) for row in clock.rows[WARM_UP:]]) for part in ALL}
    added = milliseconds["total"] - milliseconds[NETWORKS] - milliseconds[FIT]
    return {
        **{"backbone": backbone, "size": size, "images": len(added)},
        **{name: float(np.median(milliseconds[name])) for name in ("total", NETWORKS, FIT)},
        **{"added": float(np.median(added)), "added_p95": float(np.percentile(added, 95))},
        "parts": {part: float(np.median(milliseconds[part])) for part in ADDED},
    }


ALL = ("total", NETWORKS, FIT, *ADDED)


def table(rows: list[dict[str, Any]]) -> str:
    """Format the results in Markdown; milliseconds."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|---|" + "--:|" * (len(COLUMNS) - 2)]
    for row in rows:
        figures = [f"{row[key]:.1f}" for key in ("total", NETWORKS, FIT, "added", "added_p95")]
        lines.append(f"| {' | '.join([row['backbone'], row['size'], *figures])} |")
    heads = [f"{row['backbone']} {row['size']}" for row in rows]
    lines += ["", "Parts of the overhead (medians):", ""]
    lines += [f"| | {' | '.join(heads)} |", "|---|" + "--:|" * len(heads)]
    for part in ADDED:
        figures = [f"{row['parts'][part]:.2f}" for row in rows]
        lines.append(f"| {part} | {' | '.join(figures)} |")
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", nargs="+", default=["lite", "s32"])
    parser.add_argument("--size", nargs="+", default=["640x480", "1280x720", "1920x1080"])
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    keep_freed_memory()  # as the node's executable does
    share_arena()
    rates = {"lite": 5.0, "s32": 5.0}  # Hz; no image waits, and detections run concurrently with the estimation
    rows = [
        measure(backbone, size, rates.get(backbone, 1.5), arguments.images)
        for backbone in arguments.backbone
        for size in arguments.size
    ]
    text = table(rows)
    print(text)
    if arguments.out:
        write_report(arguments.out, "node_overhead", {"rows": rows}, text, command_line(), machine())


if __name__ == "__main__":
    main()
