#!/usr/bin/env python3
"""Cost of visualization: rate of results while markers, meshes and overlay are subscribed, compared with no subscriber.

    python benchmarks/looking.py [--seconds 8] [--rounds 5] [--out benchmarks/results] [parameter:=value ...]

The node, a camera that plays the demo clip (two people), and a subscriber in place of RViz (which receives the messages
without drawing them) run in separate processes. One node goes through all combinations of subscriptions several times;
each rate is compared with those without subscriber just before and after. Requires ROS 2.
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
SETTLE_S = 3.0  # after a change: discovery of subscriptions, decimation of the mesh
START_S = 120.0
MAX_LOSS = 0.05  # fraction of the rate that visualization may cost


@dataclass(frozen=True)
class Subscriptions:
    """A combination of subscribed topics and mesh markers."""

    name: str
    topics: tuple[str, ...] = ()
    mesh: bool = False


NONE = Subscriptions("none")
COMBINATIONS = (
    Subscriptions("none, markers.mesh on", mesh=True),
    Subscriptions("markers", ("markers",)),
    Subscriptions("markers with meshes", ("markers",), mesh=True),
    Subscriptions("overlay", ("overlay",)),
    Subscriptions("all three", ("markers", "overlay"), mesh=True),
)


class Listener:
    """Counts results, and sets the parameter `markers.mesh` of the node."""

    def __init__(self) -> None:
        rclpy.init()
        self.node = rclpy.create_node("looking")
        self.results = 0
        self.node.create_subscription(PersonArray, "/smplerx/people", self._result, QoSProfile(depth=50))
        self._client = self.node.create_client(SetParameters, "/smplerx/set_parameters")

    def _result(self, _: PersonArray) -> None:
        self.results += 1

    def spin(self, seconds: float) -> None:
        """Count results for the given time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            rclpy.spin_once(self.node, timeout_sec=left)

    def set_mesh(self, value: bool) -> None:
        """Set the parameter `markers.mesh`."""
        request = SetParameters.Request(parameters=[Parameter("markers.mesh", value=value).to_parameter_msg()])
        future = self._client.call_async(request)
        rclpy.spin_until_future_complete(self.node, future, timeout_sec=START_S)
        assert future.result().results[0].successful


def subscriber(connection: Connection) -> None:
    """Receive in a process of its own: subscribe to the topics received from the connection; None asks for counts."""
    rclpy.init()
    node: Node = rclpy.create_node("rviz")
    received: Counter[str] = Counter()
    subscriptions: list[Any] = []
    while True:
        rclpy.spin_once(node, timeout_sec=0.05)
        if not connection.poll():
            continue
        topics = connection.recv()
        if topics is None:
            connection.send(dict(received))
            received.clear()
            continue
        while subscriptions:
            node.destroy_subscription(subscriptions.pop())
        for name in topics:
            kind, topic = TOPICS[name]

            def count(_: bytes, name: str = name) -> None:
                received[name] += 1

            subscriptions.append(node.create_subscription(kind, topic, count, QoSProfile(depth=1), raw=True))


def measure(seconds: float, rounds: int, size: str, parameters: list[str]) -> list[dict[str, Any]]:
    """Measure the rate with each combination, and its ratio to the rate without subscriber."""
    environment = private_graph()
    os.environ.update({name: environment[name] for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE")})
    here, there = multiprocessing.Pipe()
    viewer = multiprocessing.get_context("spawn").Process(target=subscriber, args=(there,), daemon=True)
    viewer.start()
    listener = Listener()

    def rate(combination: Subscriptions) -> tuple[float, dict[str, float]]:
        listener.set_mesh(combination.mesh)
        here.send(combination.topics)
        listener.spin(SETTLE_S)
        here.send(None)
        here.recv()
        before, begin = listener.results, time.monotonic()
        listener.spin(seconds)
        here.send(None)
        received, elapsed = here.recv(), time.monotonic() - begin
        return (listener.results - before) / elapsed, {name: received.get(name, 0) / elapsed for name in TOPICS}

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
        rates: dict[Subscriptions, list[tuple[float, float, dict[str, float]]]] = {each: [] for each in COMBINATIONS}
        for number in range(rounds):
            before = rate(NONE)[0]
            for combination in COMBINATIONS:
                subscribed, received = rate(combination)
                after = rate(NONE)[0]
                rates[combination].append((subscribed, (before + after) / 2, received))
                before = after
                result = f"{subscribed:.1f} of {rates[combination][-1][1]:.1f}"
                print(f"round {number + 1}, {combination.name}: {result}", flush=True)
            children.check(("camera", "node"))
    viewer.kill()
    rclpy.shutdown()
    return [summary(combination, runs) for combination, runs in rates.items()]


def summary(combination: Subscriptions, runs: list[tuple[float, float, dict[str, float]]]) -> dict[str, Any]:
    """Return the medians over the rounds."""
    ratios = [subscribed / none for subscribed, none, _ in runs]
    return {
        "way": combination.name,
        "rate": float(np.median([subscribed for subscribed, _, _ in runs])),
        "nobody": float(np.median([none for _, none, _ in runs])),
        "share": float(np.median(ratios)),
        "least": min(ratios),
        "most": max(ratios),
        **{name: float(np.median([received[name] for _, _, received in runs])) for name in TOPICS},
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Format the results in Markdown."""
    lines = [
        "| subscribed | results/s | without subscriber | ratio (min, max) | markers/s | overlays/s |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        ratio = f"{row['share']:.3f} ({row['least']:.3f}, {row['most']:.3f})"
        rates = (f"{row[name]:.1f}" for name in ("rate", "nobody"))
        received = (f"{row[name]:.1f}" for name in TOPICS)
        lines.append(f"| {' | '.join([row['way'], *rates, ratio, *received])} |")
    passed = all(row["share"] >= 1 - MAX_LOSS for row in rows)
    lines += ["", f"Limit: {100 * MAX_LOSS:g} % of the rate (medians): {'met' if passed else 'exceeded'}."]
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="per measurement [%(default)s]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--out", type=Path)
    parser.add_argument("parameters", nargs="*", help="node parameters, name:=value")
    arguments = parser.parse_args()
    rows = measure(arguments.seconds, arguments.rounds, arguments.size, arguments.parameters)
    text = table(rows)
    print(text)
    if arguments.out:
        write_report(arguments.out, "looking", {"rows": rows}, text, command_line(), machine())


if __name__ == "__main__":
    main()
