"""Measure accuracy and speed, on data that is downloaded when needed.

Each benchmark prints a table, or with --json its numbers with the command and the machine. With --out it writes both,
as NAME.md and NAME.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from types import MappingProxyType

from smplerx_ros.tools.bench import multiview as bench_multiview
from smplerx_ros.tools.bench import networks as bench_networks
from smplerx_ros.tools.bench import node as bench_node

# Modules with a docstring, `add_arguments(parser)` and `measure(arguments) -> Report`.
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
        benchmark.add_argument("--json", action="store_true", help="print numbers instead of the table")
        benchmark.add_argument("--out", type=Path, metavar="DIR", help="write the results to this directory")


def run(arguments: argparse.Namespace) -> int:
    """Run a benchmark; returns the exit code. Raises SmplerxError if it cannot run, InputError for an invalid --out."""
    from smplerx_ros.io.report import as_json, command_line, machine, write_report

    report = BENCHMARKS[arguments.benchmark].measure(arguments)
    print(as_json(report.results, command_line(), machine()) if arguments.json else report.text)
    if arguments.out is not None:
        write_report(arguments.out, report.name, report.results, report.text, command_line(), machine())
    return 0
