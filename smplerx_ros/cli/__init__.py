"""The command line interface: one module per command; works with and without ROS."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from types import MappingProxyType

from smplerx_ros import __version__
from smplerx_ros.errors import SmplerxError, missing_package, printable

from . import bench, convert, doctor, estimate, evaluate, finetune, rep155_check, synthesize

# Each module has a docstring (its help), `add_arguments(parser)` and `run(arguments) -> exit code`, and defers heavy
# imports until it runs.
COMMANDS = MappingProxyType(
    {
        "estimate": estimate,
        "convert": convert,
        "bench": bench,
        "doctor": doctor,
        "rep155-check": rep155_check,
        "synthesize": synthesize,
        "evaluate": evaluate,
        "finetune": finetune,
    }
)

EXIT_FAILED = 2  # nothing was done: invalid input, options or files
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as in shells


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    parsed = build_parser().parse_args(arguments)
    try:
        return int(COMMANDS[parsed.command].run(parsed))
    except SmplerxError as error:
        print(f"smplerx {parsed.command}: {printable(error)}", file=sys.stderr)
        return EXIT_FAILED
    except ModuleNotFoundError as error:
        text = missing_package(error)
        if not text:
            raise
        print(f"smplerx {parsed.command}: {text}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _terminate(number: int, _: object) -> None:
    """Exit as on Ctrl-C, so that partial output is removed and child processes end."""
    sys.exit(128 + number)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; docs/reference/command_line.md is made of it."""
    parser = argparse.ArgumentParser(prog="smplerx", description="SMPL-X people from camera images.")
    parser.add_argument("--version", action="version", version=f"smplerx_ros {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        description = module.__doc__ or ""
        summary = description.splitlines()[0]
        command = commands.add_parser(
            name, help=summary, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add_arguments(command)
    return parser
