#!/usr/bin/env python3
"""Growth of a TF listener: frames and memory of a tf2 buffer after 1000 people have come and gone.

    python benchmarks/tf_listener.py [--visitors 1000] [--stay 5] [--rate 10] [--out benchmarks/results]

Two people at a time are visible for `stay` seconds at `rate` Hz. A frame that is no longer published keeps its last
10 s of transforms, so that memory grows with `rate`, and with `stay` up to 10 s. The transforms are inserted into tf2's
buffer (`tf2_py`, whose C++ core RViz and all tf2_ros listeners use), in a new process for each naming scheme. Requires
ROS 2 with tf2_py.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np

from smplerx_ros.body.skeleton import JOINT_NAMES, PARENTS
from smplerx_ros.io.report import command_line, machine, write_report
from smplerx_ros.rep155.description import JOINTS
from smplerx_ros.rep155.faces import face_id
from smplerx_ros.ros.output.slots import Slots

AT_ONCE = 2
CACHE_S = 10  # tf2's default
MARKS = (0, 200, 1000)  # numbers of visitors at which the buffer is measured
Names = Callable[[str, int], list[tuple[str, str]]]  # (id, slot) of a person -> parent and child frames


def joints(prefix: str) -> list[tuple[str, str]]:
    """Return the SMPL-X joint frames of a person, below the camera frame."""
    names = [prefix + joint for joint in JOINT_NAMES]
    return [("camera" if parent < 0 else names[parent], name) for parent, name in zip(PARENTS, names, strict=True)]


def rep155(person: str) -> list[tuple[str, str]]:
    """Return the body, face and gaze frames of REP-155."""
    face = face_id(person)
    return [("camera", f"body_{person}"), ("camera", f"face_{face}"), (f"face_{face}", f"gaze_{face}")]


def links(person: str) -> list[tuple[str, str]]:
    """Return the frames of REP-155's kinematic model."""
    return [(f"{joint.parent}_{person}", f"{joint.child}_{person}") for joint in JOINTS]


WAYS: dict[str, Names] = {
    "ids in all names (84 frames a person)": lambda person, _: (
        joints(f"smplx_{person}/") + rep155(person) + links(person)
    ),
    "slots, and REP-155 with its links (`tf.rep155_links`)": lambda person, slot: (
        joints(f"smplx_{slot}/") + rep155(person) + links(person)
    ),
    "slots, and REP-155 (the default)": lambda person, slot: joints(f"smplx_{slot}/") + rep155(person),
    "slots alone (`tf.rep155: false`)": lambda _, slot: joints(f"smplx_{slot}/"),
}


def main() -> int:
    """Run the benchmark; exit code 2 if tf2_py is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=MARKS[-1])
    parser.add_argument("--stay", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if find_spec("tf2_py") is None:
        sys.stderr.write("tf_listener: tf2_py cannot be imported: source a ROS 2 installation that has it\n")
        return 2
    marks = [mark for mark in MARKS if mark < arguments.visitors] + [arguments.visitors]
    spawn = multiprocessing.get_context("spawn")
    rows = []
    for way in WAYS:
        with spawn.Pool(1) as pool:
            rows.append({"way": way, "marks": pool.apply(visited, (way, marks, arguments.stay, arguments.rate))})
    text = table(rows)
    print(text)
    if arguments.out:
        write_report(arguments.out, "tf_listener", {"rows": rows}, text, command_line(), machine())
    return 0


def visited(way: str, marks: list[int], stay: float, rate: float) -> list[dict[str, float]]:
    """Return frames, resident memory (MB) and time of one `all_frames` call (ms) at the given numbers of visitors."""
    import tf2_py
    from geometry_msgs.msg import TransformStamped
    from rclpy.duration import Duration

    buffer = tf2_py.BufferCore(Duration(seconds=CACHE_S))
    message, measured = TransformStamped(), []
    message.transform.rotation.w = 1.0
    for gone, frames in visits(WAYS[way], marks[-1], stay, rate):
        if frames is None:
            if gone in marks:
                measured.append(buffer_state(gone, buffer))
            continue
        stamp_ns, names = frames
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
        for parent, child in names:
            message.header.frame_id, message.child_frame_id = parent, child
            buffer.set_transform(message, "benchmark")
    return measured


def visits(
    names: Names, visitors: int, stay: float, rate: float
) -> Iterator[tuple[int, tuple[int, list[tuple[str, str]]] | None]]:
    """Iterate over images: number of people gone, and stamp with transforms; None after each departure."""
    slots, stamp_ns = Slots(), 1_000_000_000
    yield 0, None
    for gone in range(0, visitors, AT_ONCE):
        people: list[Any] = [
            SimpleNamespace(id=f"kwtb{gone + k + 1}", joints=np.array([[0.0, 0.0, 2.0 + k]])) for k in range(AT_ONCE)
        ]
        for _ in range(round(stay * rate)):
            stamp_ns += round(1e9 / rate)
            numbers = [assigned.number for assigned in slots.assign(people, stamp_ns)]
            of_all = (names(person.id, number) for person, number in zip(people, numbers, strict=True))
            yield gone, (stamp_ns, [pair for of_one in of_all for pair in of_one])
        yield gone + AT_ONCE, None


def buffer_state(gone: int, buffer: Any) -> dict[str, float]:
    """Measure the buffer."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    began = perf_counter()
    count = buffer.all_frames_as_yaml().count("parent:")
    listed_ms = (perf_counter() - began) * 1e3
    return {"visitors": gone, "frames": count, "rss_mb": int(status["VmRSS"].split()[0]) / 1e3, "listed_ms": listed_ms}


def table(rows: list[dict[str, Any]]) -> str:
    """Format the results in Markdown."""
    head = ["| frame names | visitors | frames in the buffer | RSS above empty (MB) | listing all frames (ms) |"]
    head.append("|---|--:|--:|--:|--:|")
    lines = []
    for row in rows:
        empty = row["marks"][0]["rss_mb"]
        for mark in row["marks"][1:]:
            cells = [row["way"], str(mark["visitors"]), str(mark["frames"]), f"{mark['rss_mb'] - empty:.1f}"]
            lines.append(f"| {' | '.join([*cells, format(mark['listed_ms'], '.1f')])} |")
    return "\n".join([*head, *lines])


if __name__ == "__main__":
    sys.exit(main())
