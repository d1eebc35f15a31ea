#!/usr/bin/env python3
"""How fresh results stay where images come twice as fast as the node can take them.

python benchmarks/overload.py [--seconds 60] [--out benchmarks/results] [parameter:=value ...]

Short runs raise the rate until the node takes half of the images that the camera sends; the measured run, at that
rate, counts only where it still does. The node reports every second how long the work took, from when an image was
taken to the publication, over the last 300 images: the medians of these percentiles are judged. Waiting for the image
before and the transport are not in it; the transport stands beside as images' age in a bare subscriber, without the
node. Needs ROS 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smplerx_ros.errors import SmplerxError
from smplerx_ros.io.report import command_line, machine, write_report
from smplerx_ros.tools.bench.node_measurement import Load, measure

PROBE_S, FIRST_RATE = 8.0, 15.0
HALF, MOST_TAKEN = 0.5, 0.55  # share of the images that is taken: while the rate is sought, and in the measured run
MOST_PROBES = 8
MOST_SPREAD = 2.0  # times the median of the work: what its p95 may be
MOST_GROWTH_MB = 20.0  # of the node's memory while it is measured


def main() -> int:
    """Print the figures; 1 where they miss the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--out", type=Path)
    parser.add_argument("parameters", nargs="*", help="of the node, name:=value")
    arguments = parser.parse_args()
    rate = overload(arguments.size, arguments.parameters)
    result = measure(Load(arguments.size, rate=rate, seconds=arguments.seconds, warm_up=5.0), arguments.parameters)
    text, passed = verdict(result)
    print(text)
    if arguments.out:
        write_report(arguments.out, "overload", result, text, command_line(), machine())
    return 0 if passed else 1


def overload(size: str, parameters: Sequence[str]) -> float:
    """Images a second of which the node takes half; raises SmplerxError where no rate is found."""
    rate = FIRST_RATE
    for _ in range(MOST_PROBES):
        seen = measure(Load(size, rate=rate, seconds=PROBE_S), parameters)
        print(f"{rate:.1f} images a second: {seen['camera_rate']:.1f} sent, {seen['rate']:.1f} taken", flush=True)
        if seen["rate"] <= HALF * seen["camera_rate"]:
            return rate
        rate = max(1.2 * rate, seen["rate"] / HALF)
    raise SmplerxError(f"the node takes more than {HALF:g} of {rate / 1.2:.0f} images a second: no overload found")


def verdict(result: dict[str, Any]) -> tuple[str, bool]:
    """Markdown, and whether the limits are kept."""
    work, bare, age = (result[f"{name}_ms"] for name in ("work", "bare_subscriber", "age"))
    spread, growth = work["p95"] / work["p50"], result["rss_mb"] - result["rss_before_mb"]
    taken = result["rate"] / result["camera_rate"]
    rows = {
        "images that are sent, and that are taken, per second": f"{result['camera_rate']:.1f}, {result['rate']:.1f}",
        f"share taken (at most {MOST_TAKEN:g})": f"{taken:.2f}",
        "work, from taken to published: p50, p95 (ms)": f"{work['p50']:.1f}, {work['p95']:.1f}",
        f"its p95 / its median (at most {MOST_SPREAD:g})": f"{spread:.2f}",
        "transport, bare subscriber: p50, p95 (ms)": f"{bare['p50']:.1f}, {bare['p95']:.1f}",
        "age on arrival, transport included: p50, p95 (ms)": f"{age['p50']:.1f}, {age['p95']:.1f}",
        f"memory before and after (MB; at most {MOST_GROWTH_MB:g} more)": (
            f"{result['rss_before_mb']:.0f}, {result['rss_mb']:.0f}"
        ),
    }
    table = "\n".join(["| figure | value |", "|---|--:|", *(f"| {name} | {value} |" for name, value in rows.items())])
    return table, taken <= MOST_TAKEN and spread <= MOST_SPREAD and growth <= MOST_GROWTH_MB


if __name__ == "__main__":
    sys.exit(main())
