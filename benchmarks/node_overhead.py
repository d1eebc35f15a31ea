#!/usr/bin/env python3
"""What the node adds to the time inside its networks: from the entry of an image's callback to the last publication.

python benchmarks/node_overhead.py [--backbone lite s32] [--size 640x480 1280x720 1920x1080] [--out benchmarks/results]

The node runs in this process, slowly enough that no image waits; a camera plays the demo clip from another one. One
person; people, TF, REP-155 and detections are published, markers and overlay are not asked for. The fit of `lite` is
counted apart. The second table says where the rest goes, each part without those that it calls. Weights of other
backbones than `lite` are synthetic: the networks run, but their answers are replaced by somebody who stands in the
middle of the crop, because bodies of random weights are thrown out and begun anew. Needs ROS 2, and torch for them.
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
BESIDE = "smplerx_detector"  # the thread of detections beside the estimation: only waiting for it counts
COLUMNS = ("backbone", "image", "total", "networks", "fit", "the node adds: median", "p95")
NETWORKS, FIT = "networks", "fit"
# What a network of the SMPLer-X family answers of somebody who stands with hanging arms, in 6-D: the root is turned by
# pi about x, shoulders by a right angle about z.
UNTURNED, UPRIGHT = (1, 0, 0, 1, 0, 0), (1, 0, 0, -1, 0, 0)
SHOULDERS = {16: (0, 1, -1, 0, 0, 0), 17: (0, -1, 1, 0, 0, 0)}  # left and right
FILLS_THE_BOX = (0, 0, 1)  # its raw camera: four fifths of the crop's height, as the person of a box does
# In the order in which they run; "wait" is from the callback's entry until the worker has the image.
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
    """Seconds of each image by part: each without the parts that it calls."""

    began: float | None = None  # None: the image waited for another one, and its figures would mean something else
    handling: bool = False  # an image, from its arrival on
    waiting: bool = False  # another one has come meanwhile
    parts: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    called: list[float] = field(default_factory=list)  # what the calls that run have spent in parts below them
    rows: list[dict[str, float]] = field(default_factory=list)

    def begin(self) -> None:
        """An image has come."""
        if self.handling:
            self.waiting = True
        else:
            self.began, self.handling = time.perf_counter(), True
            self.parts.clear()

    def taken(self) -> None:
        """The worker has it."""
        if self.began is not None:
            self.parts["wait"] = time.perf_counter() - self.began

    def published(self) -> None:
        """Everything about it is sent."""
        if self.began is not None and not self.waiting:
            total = time.perf_counter() - self.began
            self.rows.append({"total": total, **self.parts, "others": total - sum(self.parts.values())})

    def done(self) -> None:
        """The worker is free for the one that waits."""
        self.began, self.handling, self.waiting = None, self.waiting, False

    def timed(self, function: Any, part: str) -> Any:
        """`function`, whose time counts for `part`."""

        def run(*arguments: Any, **options: Any) -> Any:
            if current_thread().name.startswith(BESIDE):
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
    """`OnnxNetwork.run`, but a body that it answers stands upright."""

    def replaced(self: OnnxNetwork, inputs: Any) -> dict[str, Any]:
        outputs = run(self, inputs)
        if "pose_6d" in outputs:
            outputs["pose_6d"][:] = UNTURNED
            for joint, turned in ({0: UPRIGHT} | SHOULDERS).items():
                outputs["pose_6d"][:, joint] = turned
            outputs["betas"][:], outputs["expression"][:], outputs["camera"][:] = 0, 0, FILLS_THE_BOX
        return outputs

    return replaced


@contextmanager
def observed(clock: Clock) -> Iterator[None]:
    """Times the methods that matter, wherever they are called."""
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
    """Medians of one backbone at one size."""
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
    """Markdown; milliseconds."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|---|" + "--:|" * (len(COLUMNS) - 2)]
    for row in rows:
        figures = [f"{row[key]:.1f}" for key in ("total", NETWORKS, FIT, "added", "added_p95")]
        lines.append(f"| {' | '.join([row['backbone'], row['size'], *figures])} |")
    heads = [f"{row['backbone']} {row['size']}" for row in rows]
    lines += ["", "Parts of what the node adds (medians):", ""]
    lines += [f"| | {' | '.join(heads)} |", "|---|" + "--:|" * len(heads)]
    for part in ADDED:
        figures = [f"{row['parts'][part]:.2f}" for row in rows]
        lines.append(f"| {part} | {' | '.join(figures)} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", nargs="+", default=["lite", "s32"])
    parser.add_argument("--size", nargs="+", default=["640x480", "1280x720", "1920x1080"])
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    keep_freed_memory()  # as the executable
    share_arena()
    rates = {"lite": 5.0, "s32": 5.0}  # images a second: none waits, and detections run beside the estimation
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
