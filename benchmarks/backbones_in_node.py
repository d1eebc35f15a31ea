#!/usr/bin/env python3
"""Memory of the node and time to its first estimate with each backbone.

    python benchmarks/backbones_in_node.py [--backbone lite s32 b32 l32 h32] [--out benchmarks/results]

Networks have synthetic weights. Their bundles are created once in the cache, which takes minutes and gigabytes for the
large backbones. Requires ROS 2 and torch.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from smplerx_ros.backbones.smpler_x.bundle import is_bundle
from smplerx_ros.io.cache import cache_directory
from smplerx_ros.io.report import command_line, machine, write_report
from smplerx_ros.tools.bench.node import table
from smplerx_ros.tools.bench.node_measurement import Load, measure

sys.path.append(str(Path(__file__).parents[1] / "test"))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", nargs="+", default=["lite", "s32", "b32", "l32", "h32"])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = []
    for backbone in arguments.backbone:
        given = [f"backbone:={backbone}", "max_people:=1"]
        if backbone != "lite":
            given.append(f"weights:={synthetic_bundle(backbone)}")
        rows.append({"size": f"{backbone}, 1280x720", **measure(Load(seconds=arguments.seconds), given)})
    text = table(rows)
    print(text)
    if arguments.out:
        write_report(arguments.out, "backbones_in_node", {"rows": rows}, text, command_line(), machine())


def synthetic_bundle(backbone: str) -> Path:
    """Return the path of an ONNX bundle of `backbone` with synthetic weights; created in the cache on first use."""
    from smplerx_ros.backbones.smpler_x.convert import convert
    from support import parity

    out = cache_directory() / "bench" / f"synthetic-{backbone}"
    if not is_bundle(out):
        with tempfile.TemporaryDirectory() as folder:
            convert(parity.write_checkpoint(backbone, Path(folder) / "synthetic.pth.tar"), out, progress=print)
    return out


if __name__ == "__main__":
    main()
