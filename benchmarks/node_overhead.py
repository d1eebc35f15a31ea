#!/usr/bin/env python3
"""What the node adds to the time inside its networks: from the entry of an image's callback to the last publication.

python benchmarks/node_overhead.py [--backbone lite s32] [--size 640x480 1280x720 1920x1080] [--out benchmarks/results]

The node runs in this process, slowly enough that no image waits; a camera plays the demo clip from another one. One
person; people, TF, REP-155 and detections are published, markers and overlay are not asked for. Needs ROS 2, and torch
for backbones with (synthetic) weights.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import rclpy
from backbones_in_node import synthetic_bundle
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter

from smplerx_ros.evaluation.report import command_line, machine, write_report
from smplerx_ros.lite.fit import BodyFitter
from smplerx_ros.ros.children import Children
from smplerx_ros.ros.demo import image_transport, private_graph
from smplerx_ros.ros.node import SmplerxNode
from smplerx_ros.ros.output import Output
from smplerx_ros.ros.stream import CameraStream
from smplerx_ros.runtime.onnx import OnnxNetwork

WARM_UP = 10
COLUMNS = ("backbone", "image", "total", "networks", "fit", "the node adds: median", "p95")


@dataclass
class Clock:
    """Milliseconds of each image."""

    began: float = 0.0
    handling: bool = False
    waited: bool = False  # an image came while another was handled: its figures mean something else
    networks: float = 0.0
    fit: float = 0.0
    rows: list[tuple[float, float, float]] = field(default_factory=list)  # total, networks, fit


@contextmanager
def observed(clock: Clock) -> Iterator[None]:
    """Times the methods that matter, wherever they are called."""
    on_image, publish = CameraStream._on_image, Output.publish

    def arrived(self: CameraStream, message: Any) -> None:
        if clock.handling:
            clock.waited = True
        else:
            clock.began, clock.networks, clock.fit = time.perf_counter(), 0.0, 0.0
            clock.handling, clock.waited = True, False
        on_image(self, message)

    def published(self: Output, *arguments: Any) -> None:
        publish(self, *arguments)
        total = time.perf_counter() - clock.began
        clock.handling = clock.waited
        if not clock.waited:
            clock.rows.append((1e3 * total, 1e3 * clock.networks, 1e3 * clock.fit))
        clock.waited = False

    def timed(function: Any, name: str) -> Any:
        def run(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            answer = function(*arguments, **options)
            setattr(clock, name, getattr(clock, name) + time.perf_counter() - start)
            return answer

        return run

    with (
        patch.object(CameraStream, "_on_image", arrived),
        patch.object(Output, "publish", published),
        patch.object(OnnxNetwork, "run", timed(OnnxNetwork.run, "networks")),
        patch.object(BodyFitter, "fit", timed(BodyFitter.fit, "fit")),
    ):
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
    with observed(clock), Children(environment) as children:
        node = SmplerxNode(parameter_overrides=[Parameter(name, value=value) for name, value in values.items()])
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        camera = ["--size", size, "--rate", str(rate)]
        children.start("camera", "smplerx_ros.ros.bench_camera", *camera, environment=image_transport())
        while len(clock.rows) < WARM_UP + images:
            children.check(["camera"])
            executor.spin_once(timeout_sec=0.1)
        node.stop()
        executor.shutdown()
        node.destroy_node()
    rclpy.shutdown()
    total, networks, fit = np.array(clock.rows[WARM_UP:]).T
    added = total - networks - fit
    return {
        **{"backbone": backbone, "size": size, "images": len(added)},
        **{"total": float(np.median(total)), "networks": float(np.median(networks)), "fit": float(np.median(fit))},
        **{"added": float(np.median(added)), "added_p95": float(np.percentile(added, 95))},
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown; milliseconds."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|---|" + "--:|" * (len(COLUMNS) - 2)]
    for row in rows:
        figures = [f"{row[key]:.1f}" for key in ("total", "networks", "fit", "added", "added_p95")]
        lines.append(f"| {' | '.join([row['backbone'], row['size'], *figures])} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", nargs="+", default=["lite", "s32"])
    parser.add_argument("--size", nargs="+", default=["640x480", "1280x720", "1920x1080"])
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rates = {"lite": 5.0}
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
