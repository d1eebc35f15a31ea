"""Estimate the people in an image, a video or a folder of images.

Writes into DIR: people.npz (one row per person and frame), summary.json, and the people drawn over the input:
overlay.png for an image, overlay/ for a folder, overlay.mp4 for a video.
Exit code: 0 done; 1 done, but parts of the input could not be read (see summary.json) or not be drawn; 2 nothing done.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    from smplerx_ros.config.arguments import add_parameters

    parser.add_argument("input", type=Path, metavar="INPUT", help="an image, a video, or a folder of images")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write; made if missing")
    parser.add_argument("--no-video", action="store_true", help="draw no overlay: only people.npz and summary.json")
    parser.add_argument(
        "--sequence",
        action="store_true",
        help="the images of a folder are frames of one camera, in the order of their names: follow people across them",
    )
    add_parameters(parser)


def run(arguments: argparse.Namespace) -> int:
    """Estimate; returns the exit code. Raises SmplerxError if nothing could be estimated."""
    from smplerx_ros.body import load_body
    from smplerx_ros.config.arguments import given_parameters
    from smplerx_ros.errors import ConfigError, InputError, printable
    from smplerx_ros.io.results import PEOPLE_FILE, SUMMARY_FILE, check_output, make_output
    from smplerx_ros.io.sources import open_source
    from smplerx_ros.pipeline.estimator import Estimator

    from .estimation import estimate_source
    from .overlay_writer import overlay_path

    values = given_parameters(arguments)
    if values.get("detector") == "topic":
        raise ConfigError("parameter 'detector': 'topic' is for the ROS node; here choose builtin, onnx or full_frame")
    source = open_source(arguments.input, sequence=arguments.sequence)
    out: Path = arguments.out
    check_output(source.path, out, overlay_path(source, out).name, PEOPLE_FILE, SUMMARY_FILE)
    body = None if arguments.no_video else load_body(str(values.get("body_model", "")) or None)
    make_output(out, PEOPLE_FILE, SUMMARY_FILE)
    with Estimator.from_config(values) as estimator:
        report = estimate_source(source, estimator, out, body)
    for failure in report.failed:
        print(f"smplerx estimate: {printable(failure['reason'])}", file=sys.stderr)
    if not report.frames_processed:
        raise InputError(f"{source.path}: nothing in it could be read")
    for path in report.written:
        print(printable(path))
    return 1 if report.failed or report.not_drawn else 0
