"""Latency of the node over DDS, from an image's stamp to the arrival of its people, compared with the transport alone.

A camera plays the demo clip at each size, with the given number of copies in the image. Camera, node and subscribers
share this machine's cores. Needs ROS 2.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smplerx_ros.io.report import Report

NAME = "node"
_COLUMNS = (
    *("image", "people", "Hz", "age ms: p50", "p95", "bare subscriber: p50", "p95", "stages (median ms)"),
    *("cores", "RSS MB", "first answer s"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this benchmark."""
    from smplerx_ros.config.arguments import add_parameters

    parser.add_argument("--size", nargs="+", default=["640x480", "1280x720", "1920x1080"], help="of the images")
    parser.add_argument("--people", nargs="+", type=int, default=[1], help="copies of the clip, and max_people [1]")
    parser.add_argument("--rate", type=float, default=30.0, help="images a second [30]")
    parser.add_argument("--seconds", type=float, default=20.0, help="measured for each row [20]")
    add_parameters(parser)


def measure(arguments: argparse.Namespace) -> Report:
    """Run the benchmark. Raises ConfigError without ROS, SmplerxError if the node fails."""
    from smplerx_ros.config.arguments import given_parameters
    from smplerx_ros.errors import ConfigError
    from smplerx_ros.io.report import Report

    try:
        from .node_measurement import Load
        from .node_measurement import measure as run_node
    except ImportError as error:
        raise ConfigError(f"bench node needs ROS 2 ({error}); source it, or scripts/env.sh") from error
    values = given_parameters(arguments)
    rows = []
    for size in arguments.size:
        for people in arguments.people:
            load = Load(size, people, arguments.rate, arguments.seconds)
            given = [f"{name}:={value}" for name, value in {**values, "max_people": people}.items()]
            rows.append({"size": size, **run_node(load, given)})
            print(_row(rows[-1]), file=sys.stderr)  # progress, since each row takes a while
    return Report(f"{NAME}_{values.get('backbone', 'lite')}", {"rows": rows}, table(rows))


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown table of the results of `measure`, with `size` for the first column."""
    head = [f"| {' | '.join(_COLUMNS)} |", "|---|" + "--:|" * (len(_COLUMNS) - 1)]
    return "\n".join([*head, *map(_row, rows)])


def _row(row: dict[str, Any]) -> str:
    age, bare = row["age_ms"], row["bare_subscriber_ms"]
    stages = ", ".join(f"{name} {time:.1f}" for name, time in row["stages_ms"].items())
    cells = [row["size"], f"{row['people']:.1f}", f"{row['rate']:.1f}"]
    cells += [f"{times[key]:.1f}" if times else "-" for times in (age, bare) for key in ("p50", "p95")]
    cells += [stages, f"{row['cpu']:.2f}", f"{row['peak_rss_mb']:.0f}", f"{row['cold_start_s']:.1f}"]
    return f"| {' | '.join(cells)} |"
