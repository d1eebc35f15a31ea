"""Measure how good and how fast the estimates are, on data that is fetched when needed.

Every benchmark prints a table and, with --out, writes it as NAME.json and NAME.md with the command and the machine.
"""

from __future__ import annotations

import argparse
from types import MappingProxyType

from . import bench_multiview, bench_networks, bench_node

# Modules like those of the commands: a docstring, `add_arguments(parser)`, `run(arguments) -> exit code`.
BENCHMARKS = MappingProxyType({"networks": bench_networks, "node": bench_node, "multiview": bench_multiview})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command: one sub-command per benchmark."""
    benchmarks = parser.add_subparsers(dest="benchmark", required=True, metavar="BENCHMARK")
    for name, module in BENCHMARKS.items():
        description = module.__doc__ or ""
        benchmark = benchmarks.add_parser(
            name,
            help=description.splitlines()[0],
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(benchmark)


def run(arguments: argparse.Namespace) -> int:
    """Returns the exit code of the benchmark."""
    return int(BENCHMARKS[arguments.benchmark].run(arguments))
