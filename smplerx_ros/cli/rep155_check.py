"""Check a running provider of people for conformance to REP-155 (ROS4HRI), requirement by requirement.

Works with any provider of bodies or faces under /humans, not only this package's. People should enter and leave the
view meanwhile. Exit code: 0 all requirements that could be checked are met; 1 one is violated; 2 nobody was tracked.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from smplerx_ros.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("--seconds", type=float, default=15.0, help="how long to watch (default: 15)")


def run(arguments: argparse.Namespace) -> int:
    """Print the report; returns the exit code."""
    missing = [name for name in ("rclpy", "hri_msgs", "tf2_msgs", "sensor_msgs") if find_spec(name) is None]
    if missing:
        raise ConfigError(f"needs a ROS 2 environment with {', '.join(missing)}: install it and source its setup.bash")
    import rclpy

    from smplerx_ros.rep155.conformance.report import exit_code, report
    from smplerx_ros.rep155.conformance.requirements import judge
    from smplerx_ros.ros.humans.watcher import watch

    rclpy.init()
    try:
        recording = watch(arguments.seconds)
    finally:
        rclpy.try_shutdown()
    findings = judge(recording)
    print(report(findings, recording))
    return exit_code(findings, recording)
