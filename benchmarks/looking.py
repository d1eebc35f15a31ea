#!/usr/bin/env python3
"""What it costs the estimation that somebody looks: results a second while markers, meshes and overlay are subscribed.

    python benchmarks/looking.py [--seconds 8] [--rounds 5] [--out benchmarks/results] [parameter:=value ...]

The node is a process, and so are a camera that plays the demo clip (two people) and a stand-in for RViz that takes its
messages without drawing them. One node runs through all ways to look, again and again; each round's rates are compared
with those of nobody looking just before and just after. Needs ROS 2.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections import Counter
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from smplerx_ros.msg import PersonArray
from visualization_msgs.msg import MarkerArray

from smplerx_ros.io.report import command_line, machine, write_report
from smplerx_ros.tools.demo import image_transport, private_graph
from smplerx_ros.tools.processes import Children

TOPICS = {"markers": (MarkerArray, "/smplerx/markers"), "overlay": (Image, "/smplerx/overlay")}
SETTLE_S = 3.0  # after a change: subscriptions are found, the mesh is thinned
START_S = 120.0
MOST_LOST = 0.05  # of the rate, by looking


@dataclass(frozen=True)
class Look:
    """A way to look."""

    name: str
    topics: tuple[str, ...] = ()
    mesh: bool = False


NOBODY = Look("nobody")
WAYS = (
    Look("nobody, meshes switched on", mesh=True),
    Look("markers", ("markers",)),
    Look("markers with meshes", ("markers",), mesh=True),
    Look("overlay", ("overlay",)),
    Look("all three", ("markers", "overlay"), mesh=True),
)


class Listener:
    """Counts results, and sets the node's parameter."""

    def __init__(self) -> None:
        rclpy.init()
        self.node = rclpy.create_node("looking")
        self.results = 0
        self.node.create_subscription(PersonArray, "/smplerx/people", self._result, QoSProfile(depth=50))
        self._client = self.node.create_client(SetParameters, "/smplerx/set_parameters")

    def _result(self, _: PersonArray) -> None:
        self.results += 1

    def spin(self, seconds: float) -> None:
        """Count for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            rclpy.spin_once(self.node, timeout_sec=left)

    def set_mesh(self, wanted: bool) -> None:
        """The parameter markers.mesh."""
        request = SetParameters.Request(parameters=[Parameter("markers.mesh", value=wanted).to_parameter_msg()])
        future = self._client.call_async(request)
        rclpy.spin_until_future_complete(self.node, future, timeout_sec=START_S)
        assert future.result().results[0].successful


def look(connection: Connection) -> None:
    """Subscribe to the topics that are named, and answer how many messages came since; in a process of its own."""
    rclpy.init()
    node: Node = rclpy.create_node("rviz")
    came: Counter[str] = Counter()
    subscriptions: list[Any] = []
    while True:
        rclpy.spin_once(node, timeout_sec=0.05)
        if not connection.poll():
            continue
        wanted = connection.recv()
        if wanted is None:
            connection.send(dict(came))
            came.clear()
            continue
        while subscriptions:
            node.destroy_subscription(subscriptions.pop())
        for name in wanted:
            kind, topic = TOPICS[name]

            def count(_: bytes, name: str = name) -> None:
                came[name] += 1

            subscriptions.append(node.create_subscription(kind, topic, count, QoSProfile(depth=1), raw=True))


def measure(seconds: float, rounds: int, size: str, parameters: list[str]) -> list[dict[str, Any]]:
    """Rates of each way to look, and the share of the rate that it takes."""
    environment = private_graph()
    os.environ.update({name: environment[name] for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE")})
    here, there = multiprocessing.Pipe()
    viewer = multiprocessing.get_context("spawn").Process(target=look, args=(there,), daemon=True)
    viewer.start()
    listener = Listener()

    def rate(way: Look) -> tuple[float, dict[str, float]]:
        listener.set_mesh(way.mesh)
        here.send(way.topics)
        listener.spin(SETTLE_S)
        here.send(None)
        here.recv()
        before, begin = listener.results, time.monotonic()
        listener.spin(seconds)
        here.send(None)
        pictures, spent = here.recv(), time.monotonic() - begin
        return (listener.results - before) / spent, {name: pictures.get(name, 0) / spent for name in TOPICS}

    with Children(environment) as children:
        camera = ["--size", size, "--rate", "30"]
        children.start("camera", "smplerx_ros.tools.bench.node_camera", *camera, environment=image_transport())
        settings = ["--ros-args", *(part for text in parameters for part in ("-p", text))]
        children.start("node", "smplerx_ros.ros.node.main", *settings, environment=image_transport())
        begun = time.monotonic()
        while not listener.results:
            children.check(("camera", "node"))
            listener.spin(0.1)
            assert time.monotonic() < begun + START_S, children.log("node")
        listener.spin(SETTLE_S)
        found: dict[Look, list[tuple[float, float, dict[str, float]]]] = {way: [] for way in WAYS}
        for number in range(rounds):
            nobody = rate(NOBODY)[0]
            for way in WAYS:
                looking, pictures = rate(way)
                after = rate(NOBODY)[0]
                found[way].append((looking, (nobody + after) / 2, pictures))
                nobody = after
                print(f"round {number + 1}, {way.name}: {looking:.1f} of {found[way][-1][1]:.1f}", flush=True)
            children.check(("camera", "node"))
    viewer.kill()
    rclpy.shutdown()
    return [summary(way, runs) for way, runs in found.items()]


def summary(way: Look, runs: list[tuple[float, float, dict[str, float]]]) -> dict[str, Any]:
    """Medians of the rounds."""
    ratios = [looking / nobody for looking, nobody, _ in runs]
    return {
        "way": way.name,
        "rate": float(np.median([looking for looking, _, _ in runs])),
        "nobody": float(np.median([nobody for _, nobody, _ in runs])),
        "share": float(np.median(ratios)),
        "least": min(ratios),
        "most": max(ratios),
        **{name: float(np.median([pictures[name] for _, _, pictures in runs])) for name in TOPICS},
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| who looks at what | results a second | nobody, beside it | share (least, most) | markers/s | overlays/s |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        share = f"{row['share']:.3f} ({row['least']:.3f}, {row['most']:.3f})"
        figures = (f"{row[name]:.1f}" for name in ("rate", "nobody"))
        pictures = (f"{row[name]:.1f}" for name in TOPICS)
        lines.append(f"| {' | '.join([row['way'], *figures, share, *pictures])} |")
    kept = all(row["share"] >= 1 - MOST_LOST for row in rows)
    lines += ["", f"Looking may take {100 * MOST_LOST:g} % of the rate (medians): {'kept' if kept else 'not kept'}."]
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="for each figure [%(default)s]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--out", type=Path)
    parser.add_argument("parameters", nargs="*", help="of the node, name:=value")
    arguments = parser.parse_args()
    rows = measure(arguments.seconds, arguments.rounds, arguments.size, arguments.parameters)
    text = table(rows)
    print(text)
    if arguments.out:
        write_report(arguments.out, "looking", {"rows": rows}, text, command_line(), machine())


if __name__ == "__main__":
    main()
