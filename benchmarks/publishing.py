#!/usr/bin/env python3
"""CPU time of publishing people, with every topic subscribed by another process, and without subscribers.

    python benchmarks/publishing.py [--people 1 5] [--rate 30] [--seconds 10] [--out benchmarks/results]

Reports the fraction of one core that the publishing process uses. Markers and overlay are created by a separate process
(see looking.py); the transfer of data to that process is included.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Header

from smplerx_ros.body import load_body
from smplerx_ros.config.table import PARAMETERS, ROS_PARAMETERS, validate
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.io.report import command_line, machine, write_report
from smplerx_ros.ros.output.output import Output, OutputOptions
from smplerx_ros.types import Estimated, Frame, People, Person, SmplxParams

TOPICS = ("/humans/", "/tf", "/publishing/people", "/publishing/markers", "/publishing/detections")
CAMERA = Camera(1280, 720, np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]]))
DISCOVERY_S = 3.0


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--rate", type=float, default=30.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = [
        measure(people, arguments.rate, arguments.seconds, subscribed)
        for people in arguments.people
        for subscribed in (True, False)
    ]
    text = table(rows)
    print(text)
    if arguments.out:
        write_report(arguments.out, "publishing", {"rows": rows}, text, command_line(), machine())


def measure(people: int, rate: float, seconds: float, subscribed: bool) -> dict[str, Any]:
    """Measure the CPU time with a number of people."""
    listener = multiprocessing.get_context("spawn").Process(target=listen, daemon=True)
    if subscribed:
        listener.start()
    rclpy.init()
    node = LifecycleNode("publishing")
    body, config = load_body(), validate({}, (*PARAMETERS, *ROS_PARAMETERS))
    output = Output(node, body, ("",), config)  # type: ignore[arg-type]
    node.trigger_configure()
    node.trigger_activate()
    options = OutputOptions.from_config(config)  # type: ignore[arg-type]
    image = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
    spent: list[float] = []

    def publish(seconds: float) -> None:
        begin, frames = time.monotonic(), 0
        while time.monotonic() < begin + seconds:
            stamp = time.time_ns()
            header = Header(frame_id="camera")
            header.stamp.sec, header.stamp.nanosec = divmod(stamp, 1_000_000_000)
            crowd = tuple(person(body, i, frames) for i in range(people))
            made = People(Frame(image, CAMERA, stamp, "camera"), crowd, CAMERA, "none", body.name, "none")
            spent.append(-time.process_time())
            output.publish(made, header, options)
            spent[-1] += time.process_time()
            frames += 1
            time.sleep(max(0.0, begin + frames / rate - time.monotonic()))

    publish(DISCOVERY_S)
    spent.clear()
    publish(seconds)
    output.destroy()
    node.destroy_node()
    if listener.is_alive():
        listener.kill()
    rclpy.shutdown()
    return {
        **{"people": people, "subscribed": subscribed, "rate": len(spent) / seconds},
        **{"core": sum(spent) / seconds, "median_ms": 1e3 * float(np.median(spent))},
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Format the results in Markdown."""
    lines = ["| people | subscribed | frames/s | % of one core | ms per frame (median) |", "|--:|---|--:|--:|--:|"]
    for row in rows:
        topics = "all topics" if row["subscribed"] else "none"
        figures = f"{row['rate']:.1f} | {100 * row['core']:.1f} | {row['median_ms']:.1f}"
        lines.append(f"| {row['people']} | {topics} | {figures} |")
    return "\n".join(lines)


def person(body, number: int, frame: int) -> Person:  # type: ignore[no-untyped-def]
    """Create a person who faces the camera and moves slightly in every frame."""
    rng = np.random.default_rng(number)
    params = SmplxParams.rest()
    pose = rng.normal(0, 0.2, 63) + 0.05 * np.sin(frame / 10)
    params = SmplxParams(
        **{
            **{name: getattr(params, name) for name in ("leye_pose", "reye_pose", "expression", "jaw_pose")},
            "global_orient": np.array([np.pi, 0, 0]),
            "body_pose": pose,
            "left_hand_pose": np.zeros(45),
            "right_hand_pose": np.zeros(45),
            "betas": rng.normal(0, 0.5, 10),
            "transl": np.array([number - 2.0, 0.2, 4.0]),
        },
        estimated=Estimated.JAW_POSE,
    )
    rotations, joints = (values[0] for values in body.transforms(params))
    pixels = CAMERA.project(joints)
    box = Box(*pixels.min(axis=0).tolist(), *pixels.max(axis=0).tolist(), 0.9)
    return Person(f"p{number}", 0.9, box, params, joints, pixels, np.ones(55), rotations=rotations)


def listen() -> None:
    """Subscribe to all topics as they appear; runs in its own process."""
    rclpy.init()
    node, known = rclpy.create_node("listener"), set()
    while rclpy.ok():
        for topic, kinds in node.get_topic_names_and_types():
            if topic.startswith(TOPICS) and topic not in known:
                known.add(topic)
                qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
                package, _, kind = kinds[0].split("/")
                node.create_subscription(getattr(import_module(f"{package}.msg"), kind), topic, lambda _: None, qos)
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            rclpy.spin_once(node, timeout_sec=0.05)


if __name__ == "__main__":
    main()
