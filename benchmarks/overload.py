#!/usr/bin/env python3
"""Latency under overload: images arrive at twice the rate that the node can process.

    python benchmarks/overload.py [--seconds 60] [--out benchmarks/results] [parameter:=value ...]

Short runs increase the rate until the node processes half of the images; the measured run is valid only if it still
does. The node reports percentiles of its processing time (from when it takes an image to the publication) over the last
300 images, once a second; the medians of these are compared with the limits. They include neither transport nor the
time for which an image waits for the previous one. The transport is reported as the age of images in a bare subscriber,
measured without the node. Requires ROS 2.

Exit code: 0 within the limits, 1 not.
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
TARGET_FRACTION, MAX_FRACTION = 0.5, 0.55  # of images processed: in the search of the rate, and in the measured run
MAX_PROBES = 8
MAX_SPREAD = 2.0  # ratio of 95th percentile and median of the processing time
MAX_GROWTH_MB = 20.0  # of the node's memory during the measurement


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--out", type=Path)
    parser.add_argument("parameters", nargs="*", help="node parameters, name:=value")
    arguments = parser.parse_args()
    rate = overload(arguments.size, arguments.parameters)
    result = measure(Load(arguments.size, rate=rate, seconds=arguments.seconds, warm_up=5.0), arguments.parameters)
    text, passed = verdict(result)
    print(text)
    if arguments.out:
        write_report(arguments.out, "overload", result, text, command_line(), machine())
    return 0 if passed else 1


def overload(size: str, parameters: Sequence[str]) -> float:
    """Return the image rate, Hz, of which the node processes half; raises SmplerxError if none is found."""
    rate = FIRST_RATE
    for _ in range(MAX_PROBES):
        seen = measure(Load(size, rate=rate, seconds=PROBE_S), parameters)
        print(f"{rate:.1f} Hz: {seen['camera_rate']:.1f} Hz sent, {seen['rate']:.1f} Hz processed", flush=True)
        if seen["rate"] <= TARGET_FRACTION * seen["camera_rate"]:
            return rate
        rate = max(1.2 * rate, seen["rate"] / TARGET_FRACTION)
    raise SmplerxError(f"the node processes more than {TARGET_FRACTION:g} of {rate / 1.2:.0f} Hz: no overload reached")


def verdict(result: dict[str, Any]) -> tuple[str, bool]:
    """Format the results in Markdown, and compare them with the limits."""
    work, bare, age = (result[f"{name}_ms"] for name in ("work", "bare_subscriber", "age"))
    spread, growth = work["p95"] / work["p50"], result["rss_mb"] - result["rss_before_mb"]
    fraction = result["rate"] / result["camera_rate"]
    rows = {
        "images sent, processed (Hz)": f"{result['camera_rate']:.1f}, {result['rate']:.1f}",
        f"fraction processed (at most {MAX_FRACTION:g})": f"{fraction:.2f}",
        "processing time: p50, p95 (ms)": f"{work['p50']:.1f}, {work['p95']:.1f}",
        f"its p95 / p50 (at most {MAX_SPREAD:g})": f"{spread:.2f}",
        "transport, bare subscriber: p50, p95 (ms)": f"{bare['p50']:.1f}, {bare['p95']:.1f}",
        "age on arrival, including transport: p50, p95 (ms)": f"{age['p50']:.1f}, {age['p95']:.1f}",
        f"memory before, after (MB; at most {MAX_GROWTH_MB:g} more)": (
            f"{result['rss_before_mb']:.0f}, {result['rss_mb']:.0f}"
        ),
    }
    table = "\n".join(["| quantity | value |", "|---|--:|", *(f"| {name} | {value} |" for name, value in rows.items())])
    return table, fraction <= MAX_FRACTION and spread <= MAX_SPREAD and growth <= MAX_GROWTH_MB


if __name__ == "__main__":
    sys.exit(main())
