#!/usr/bin/env python3
"""Draw the figures of docs/explanation/architecture.md: data_flow.svg, and rooms.svg from pyproject.toml's contract.

python docs/images/architecture.py writes both; `--check` only says whether they are current.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).resolve().parent
CORE, ROS, TOPIC, INK = "#dbeafe", "#dcfce7", "#f3f4f6", "#1f2937"
ROOMS = {
    "cli": "command line",
    "tools": "demo, player, recorder, benchmarks",
    "ros": "node, conversions, topics",
    "research": "evaluation, training, synthetic data",
    "rep155": "bodies and faces of ROS4HRI",
    "pipeline": "Estimator: tracking, localisation, smoothing",
    "visualization": "overlay, meshes, web viewer",
    "config": "table of parameters, options",
    "backbones": "lite, SMPLer-X, registry",
    "detection": "embedded and ONNX detectors",
    "body": "SMPL-X body model",
    "runtime": "ONNX Runtime, devices, memory",
    "io": "images, videos, results",
    "types": "Frame, Person, People",
    "geometry": "cameras, rotations, boxes, uncertainty",
    "arrays": "array types",
    "errors": "exceptions",
}
NEEDS_ROS = ("cli", "tools", "ros")


def svg(width: int, height: int, parts: Iterable[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="14" fill="{INK}">\n<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0 10 5 0 10z"/></marker></defs>\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n'
    )
    return head + "\n".join(parts) + "\n</svg>\n"


def text(x: float, y: float, words: str, *, size: int = 14, weight: str = "normal", anchor: str = "middle") -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">{escape(words)}</text>'
    )


def box(x: float, y: float, width: float, height: float, fill: str, title: str, lines: Sequence[str] = ()) -> str:
    """A rounded box with a bold title and smaller lines, centred."""
    first = y + height / 2 + 5 - 8.5 * len(lines)
    parts = [
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" stroke="{INK}"/>',
        text(x + width / 2, first, title, weight="bold"),
        *(text(x + width / 2, first + 17 * (n + 1), line, size=12) for n, line in enumerate(lines)),
    ]
    return "\n".join(parts)


def arrow(*points: tuple[float, float]) -> str:
    path = " ".join(f"{x},{y}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{INK}" stroke-width="1.5" marker-end="url(#arrow)"/>'


def data_flow() -> str:
    """From sensor_msgs/Image to PersonArray."""
    parts = []
    for n, (topic, kind) in enumerate(
        (
            ("image", "sensor_msgs/Image"),
            ("camera_info", "CameraInfo"),
            ("depth", "optional"),
            ("detections", "optional"),
        )
    ):
        parts += [box(20 + 190 * n, 20, 170, 46, TOPIC, topic, [kind]), arrow((105 + 190 * n, 66), (105 + 190 * n, 96))]
    parts += [
        box(
            20, 98, 740, 54, ROS, "ros/input, ros/conversions", ["match stamps, keep the newest, check, decode to RGB"]
        ),
        arrow((390, 152), (390, 196)),
        text(402, 178, "Frame: image, Camera, stamp, depth, boxes", size=12, anchor="start"),
        f'<rect x="20" y="198" width="740" height="266" rx="8" fill="#eff6ff" stroke="{INK}" stroke-dasharray="5 3"/>',
        text(34, 220, "Estimator (pipeline): the core, without ROS", weight="bold", anchor="start"),
        box(40, 236, 210, 66, CORE, "detection", ["boxes of people,", "every n-th frame"]),
        box(285, 236, 210, 66, CORE, "pipeline/tracking", ["whose box it is:", "ids, lost and new people"]),
        box(530, 236, 210, 66, CORE, "pipeline/scheduling", ["who is estimated,", "within the budget"]),
        arrow((250, 269), (283, 269)),
        arrow((495, 269), (528, 269)),
        arrow((635, 302), (635, 320), (635, 338)),
        text(645, 326, "Observation", size=12, anchor="start"),
        box(530, 340, 210, 66, CORE, "backbones", ["lite, SMPLer-X, yours:", "SMPL-X parameters"]),
        box(285, 340, 210, 66, CORE, "pipeline/localization", ["distance, depth,", "joints, covariance"]),
        box(40, 340, 210, 66, CORE, "pipeline/smoothing", ["One-Euro filters,", "velocities"]),
        arrow((530, 373), (497, 373)),
        arrow((285, 373), (252, 373)),
        arrow((390, 340), (390, 304)),
        text(400, 326, "joints: boxes of the next frame", size=12, anchor="start"),
        text(445, 440, "used by all: body (SMPL-X), geometry (cameras, rotations), runtime (ONNX Runtime)", size=12),
        arrow((145, 406), (145, 524)),
        text(157, 492, "People: Person, SmplxParams, joints, covariance", size=12, anchor="start"),
        box(20, 526, 230, 54, ROS, "ros/output", ["messages and TF"]),
        box(275, 526, 230, 54, ROS, "ros/humans, rep155", ["bodies and faces"]),
        box(530, 526, 230, 54, ROS, "ros/drawing", ["a process of its own"]),
        arrow((145, 508), (390, 508), (390, 524)),
        arrow((390, 508), (645, 508), (645, 524)),
        arrow((135, 580), (135, 608)),
        arrow((390, 580), (390, 608)),
        arrow((645, 580), (645, 608)),
        box(20, 610, 230, 46, TOPIC, "~/people, /tf", ["PersonArray, TFMessage"]),
        box(275, 610, 230, 46, TOPIC, "/humans/...", ["hri_msgs"]),
        box(530, 610, 230, 46, TOPIC, "~/markers, ~/overlay", ["MarkerArray, Image"]),
    ]
    return svg(780, 676, parts)


def layers() -> list[list[str]]:
    """The layers of the import contract, from the top; TOML is read by hand, since Python 3.10 cannot."""
    contract = (HERE.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    lines = re.search(r'type = "layers".*?layers = \[\n(.*?)\n\]', contract, re.DOTALL)
    assert lines is not None
    return [re.findall(r"\w+", line) for line in lines[1].splitlines()]


def rooms() -> str:
    """One row for each layer."""
    parts, y = [], 20
    for row in layers():
        width = (700 - 20 * (len(row) - 1)) / len(row)
        for n, room in enumerate(row):
            fill = ROS if room in NEEDS_ROS else CORE
            parts.append(box(20 + n * (width + 20), y, width, 50, fill, room, [ROOMS[room]]))
        y += 62
    parts += [
        arrow((745, 24), (745, y - 16)),
        f'<text transform="translate(764 {y / 2}) rotate(90)" text-anchor="middle" font-size="12">imports</text>',
        f'<rect x="20" y="{y}" width="16" height="16" fill="{CORE}" stroke="{INK}"/>',
        text(44, y + 13, "core: never imports ROS", size=12, anchor="start"),
        f'<rect x="230" y="{y}" width="16" height="16" fill="{ROS}" stroke="{INK}"/>',
        text(254, y + 13, "needs ROS, or has parts that do", size=12, anchor="start"),
    ]
    return svg(780, y + 30, parts)


FIGURES = {"data_flow.svg": data_flow, "rooms.svg": rooms}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a figure is out of date")
    check = parser.parse_args().check
    stale = [n for n, draw in FIGURES.items() if not (HERE / n).exists() or (HERE / n).read_text("utf-8") != draw()]
    for name in stale:
        if check:
            print(f"{name}: out of date, run docs/images/architecture.py")
        else:
            (HERE / name).write_text(FIGURES[name](), encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
