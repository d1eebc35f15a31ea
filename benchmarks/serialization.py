#!/usr/bin/env python3
"""CPU time of making one frame's TFMessage and MarkerArray: written as CDR bytes, and as Python message objects.

    python benchmarks/serialization.py [--people 1 5] [--runs 50] [--out benchmarks/results]

Both give the same bytes (test/ros/test_transforms.py, test/ros/test_markers.py). The objects stand for what
tf2_ros.TransformBroadcaster and ordinary publishing need; their time includes serialization, as in `publish`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from smplerx_ros.body.skeleton import JOINT_NAMES
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.io.report import command_line, machine, write_report
from smplerx_ros.ros.conversions.markers import MarkerWriter
from smplerx_ros.ros.conversions.transforms import Transforms, TransformWriter, joint_transforms
from smplerx_ros.tools.bench.timing import side_by_side
from smplerx_ros.types import Person, SmplxParams
from smplerx_ros.visualization.decimation import DecimatedMesh

CAMERA_FRAME = "camera_optical_frame"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = [row for people in arguments.people for row in measure(people, arguments.runs)]
    lines = ["| people | message | objects, ms | written, ms | ratio |", "|--:|---|--:|--:|--:|"]
    lines += [
        f"| {people} | {message} | {objects:.2f} | {written:.2f} | {ratio:.0f} |"
        for people, message, objects, written, ratio in (row.values() for row in rows)
    ]
    text = "\n".join(lines)
    print(text)
    if arguments.out:
        write_report(arguments.out, "serialization", {"rows": rows}, text, command_line(), machine())


def measure(count: int, runs: int) -> list[dict[str, Any]]:
    """Median CPU times in milliseconds for `count` people."""
    people = [_person(number) for number in range(count)]
    rotations = np.tile(np.eye(3), (count, len(JOINT_NAMES), 1, 1))
    prefixes = [f"smplx_{number}/" for number in range(count)]
    part = joint_transforms(people, prefixes, rotations, CAMERA_FRAME)
    stamp, header = Time(sec=1), Header(frame_id=CAMERA_FRAME)
    transform_writer, marker_writer = TransformWriter(), MarkerWriter(_no_mesh)
    markers = deserialize_message(marker_writer.update(people, header, mesh=False), MarkerArray)
    times = side_by_side(
        {
            "TFMessage objects": lambda: serialize_message(_tf_message(part, stamp)),
            "TFMessage written": lambda: transform_writer.serialized([part], stamp),
            "MarkerArray objects": lambda: serialize_message(_rebuilt(markers)),
            "MarkerArray written": lambda: marker_writer.update(people, header, mesh=False),
        },
        runs=runs,
        cpu_time=True,
    )
    rows = []
    for name in ("TFMessage", "MarkerArray"):
        objects, written = times[f"{name} objects"].median, times[f"{name} written"].median
        rows.append(
            {"people": count, "message": name, "objects_ms": objects, "written_ms": written, "ratio": objects / written}
        )
    return rows


def _no_mesh() -> DecimatedMesh:
    raise AssertionError("markers without a mesh")


def _person(number: int) -> Person:
    random = np.random.default_rng(number)
    return Person(
        id=f"p{number}",
        score=0.9,
        box=Box(0, 0, 100, 200, 0.9),
        params=SmplxParams.rest(),
        joints=random.normal(0, 1, (55, 3)).astype(np.float32) + (0, 0, 3),
        joints_image=random.uniform(0, 100, (55, 2)),
        confidence=np.ones(55, np.float32),
    )


def _tf_message(part: Transforms, stamp: Time) -> TFMessage:
    rows = zip(part.frames, part.translations.tolist(), part.quaternions.tolist(), strict=True)
    return TFMessage(
        transforms=[
            TransformStamped(
                header=Header(stamp=stamp, frame_id=parent),
                child_frame_id=child,
                transform=Transform(translation=Vector3(x=x, y=y, z=z), rotation=Quaternion(x=qx, y=qy, z=qz, w=qw)),
            )
            for (parent, child), (x, y, z), (qx, qy, qz, qw) in rows
        ]
    )


def _rebuilt(array: MarkerArray) -> MarkerArray:
    """Copy the markers with new point and colour objects, as a node would create them for each frame."""
    markers = []
    for old in array.markers:
        marker = Marker(header=old.header, ns=old.ns, id=old.id, type=old.type, action=old.action, text=old.text)
        marker.pose, marker.scale, marker.color, marker.lifetime = old.pose, old.scale, old.color, old.lifetime
        marker.points = [type(point)(x=point.x, y=point.y, z=point.z) for point in old.points]
        marker.colors = [type(color)(r=color.r, g=color.g, b=color.b, a=color.a) for color in old.colors]
        markers.append(marker)
    return MarkerArray(markers=markers)


if __name__ == "__main__":
    main()
