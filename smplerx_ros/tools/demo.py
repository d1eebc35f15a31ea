"""The demo: estimates a person in a video through a real ROS 2 graph.

A player publishes the clip as a camera, the node estimates, and a recorder writes DIR/overlay.mp4, people.npz and
summary.json: three processes in a ROS domain of their own on this machine. With --view the web viewer runs instead of
the recorder, and the clip plays until Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from importlib.resources import as_file, files
from math import inf
from pathlib import Path

from smplerx_ros.errors import InputError
from smplerx_ros.io.results import OVERLAY_FILE, PEOPLE_FILE, SUMMARY_FILE
from smplerx_ros.io.video import VideoReader
from smplerx_ros.ros.process import executable

from .processes import ChildError, Children

CLIP = "demo_walk.mp4"
TIMEOUT_S = 900.0  # for the whole demo, on a very slow machine
_BODY_MODEL = "body_model:="  # this parameter is passed on to recorder and viewer
_NOT_CONFIGURED = "on_configure failed"  # logged by the node, which keeps running
DOMAINS = range(1, 102)  # domains above 101 may use ephemeral ports (ROS 2 documentation, The ROS_DOMAIN_ID)


@executable
def main(argv: list[str] | None = None) -> int:
    """Run the demo; returns the exit code."""
    arguments = _parser().parse_args(argv)
    # An exception raised in a signal handler may be lost in a callback during fork; an event is not.
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with ExitStack() as stack:
            clip = arguments.video or stack.enter_context(as_file(files("smplerx_ros") / "assets" / CLIP))
            if arguments.view:
                return view(clip, arguments.rate, arguments.parameter, stop)
            run(clip, arguments.out, arguments.loops, arguments.rate, arguments.parameter, stop)
    except (ChildError, InputError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    return report(arguments.out)


def run(
    clip: Path, out: Path, loops: int, rate: float | None, parameters: Sequence[str], stop: threading.Event
) -> None:
    """Play a clip to the node and record the results.

    Args:
        clip: Video file.
        out: Directory of the results.
        loops: How often to play the clip.
        rate: Frames per second; None: the video's.
        parameters: Of the node, as "name:=value".
        stop: Set to end the demo.

    Raises:
        ChildError: A process failed.
        KeyboardInterrupt: `stop` was set.
    """
    with VideoReader(clip) as reader:
        count = loops * sum(1 for _ in reader)
    with Children(private_graph()) as children:
        video = ["--video", str(clip), "--out", str(out), "--frames", str(count)]
        body_model = _body_model(parameters)
        drawn = ["--body-model", body_model] if body_model else []
        children.start("recorder", "smplerx_ros.tools.recorder", *video, *drawn, show=True)
        _start_node(children, parameters)
        # The player waits until recorder and node have subscribed to camera_info, and the node to the images.
        _start_player(children, clip, rate, "--info-subscribers", "2", "--loops", str(loops))
        children.wait("recorder", needed=["node"], timeout=TIMEOUT_S, stop=stop)


def view(clip: Path, rate: float | None, parameters: Sequence[str], stop: threading.Event) -> int:
    """Play `clip` to the node and serve the web viewer until `stop` is set; returns the exit code.

    Raises ChildError if a process fails.
    """
    with Children(private_graph()) as children:
        _start_node(children, parameters)
        body_model = _body_model(parameters)
        settings = ["--ros-args", "-p", f"{_BODY_MODEL}{body_model}"] if body_model else []
        children.start("viewer", "smplerx_ros.ros.viewer.main", *settings, show=True)
        _start_player(children, clip, rate, "--loops", "0")
        print("the page's address follows; Ctrl-C ends the demo", flush=True)
        with suppress(KeyboardInterrupt):
            children.wait("player", needed=["node", "viewer"], timeout=inf, stop=stop)
    return 0


def _start_node(children: Children, parameters: Sequence[str]) -> None:
    settings = [part for text in parameters for part in ("-p", text)]
    children.start("node", "smplerx_ros.ros.node.main", "--ros-args", *settings, fatal=_NOT_CONFIGURED)


def _start_player(children: Children, clip: Path, rate: float | None, *how: str) -> None:
    pace = ["--rate", str(rate)] if rate else []
    children.start("player", "smplerx_ros.tools.player", str(clip), *how, *pace, environment=image_transport())


def _body_model(parameters: Sequence[str]) -> str:
    return next((text.removeprefix(_BODY_MODEL) for text in reversed(parameters) if text.startswith(_BODY_MODEL)), "")


def private_graph() -> dict[str, str]:
    """Environment of an isolated ROS graph: a random domain, on this machine only."""
    domain = str(random.SystemRandom().choice(DOMAINS))
    return {**os.environ, "ROS_DOMAIN_ID": domain, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}


def image_transport() -> dict[str, str]:
    """Environment of a process that publishes images, for which Fast DDS's default shared memory is too small."""
    profile = Path(str(files("smplerx_ros"))).parent / "config" / "fastdds.xml"
    if not profile.is_file():
        from ament_index_python.packages import get_package_share_directory

        profile = Path(get_package_share_directory("smplerx_ros")) / "config" / "fastdds.xml"
    return {"FASTRTPS_DEFAULT_PROFILES_FILE": str(profile)}


def report(out: Path) -> int:
    """Print measurements and output files; returns 1 if nobody was estimated."""
    summary = json.loads((out / SUMMARY_FILE).read_text(encoding="utf-8"))
    latency = summary["latency_ms"]
    seen = sum(1 for count in summary["people"] if count)
    print(
        f"{summary['frames_published']} frames published, {summary['frames_processed']} estimated, people in {seen}; "
        f"{summary['fps']} Hz, latency {latency['p50']} ms (p95 {latency['p95']} ms); "
        f"backbone {summary['backbone']}, body {summary['body_model']}"
    )
    for name, what in (
        (OVERLAY_FILE, "look here: the bodies over the video"),
        (PEOPLE_FILE, "every person of every frame: SMPL-X parameters, joints in space and in the image"),
        (SUMMARY_FILE, "the figures above, and the TF frames"),
    ):
        print(f"{out / name}  {what}")
    return 0 if seen else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/demo"), metavar="DIR", help="[%(default)s]")
    parser.add_argument("--video", type=Path, help="another video than the embedded clip")
    parser.add_argument("--view", action="store_true", help="show it in a browser instead, until Ctrl-C")
    parser.add_argument("--loops", type=int, default=1, help="how often to play it [%(default)s]")
    slow = "frames per second instead of the video's: slow motion, for a machine that cannot follow"
    parser.add_argument("--rate", type=float, default=None, help=slow)
    setting = "a parameter of the node, e.g. backbone:=s32; may be given several times"
    parser.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME:=VALUE", help=setting)
    return parser


if __name__ == "__main__":
    sys.exit(main())
