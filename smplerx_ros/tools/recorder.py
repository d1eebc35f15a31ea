"""Record the node's results for a played video: people.npz, summary.json and, drawn afterwards, overlay.mp4.

    python -m smplerx_ros.tools.recorder --video VIDEO --out DIR [--frames N] [--body-model FILE]

Ends with the result of the last of N frames, after QUIET_S without messages, or on Ctrl-C. Overlays are drawn after the
recording, so that drawing does not slow down the node that is measured.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo
from tf2_msgs.msg import TFMessage
from tqdm import tqdm

from smplerx_ros.body import load_body
from smplerx_ros.errors import InputError, SmplerxError
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.io.results import (
    OVERLAY_FILE,
    PEOPLE_FILE,
    SUMMARY_FILE,
    FrameResult,
    check_output,
    count_people,
    make_output,
    write_people,
    write_summary,
)
from smplerx_ros.io.video import VideoReader, VideoWriter
from smplerx_ros.msg import PersonArray
from smplerx_ros.ros.conversions.from_diagnostics import report_of
from smplerx_ros.ros.conversions.from_person_array import camera_from_message, people_from_message, stamp_ns
from smplerx_ros.ros.process import executable
from smplerx_ros.visualization.overlay import draw_people

from .player import INFO_DEPTH, frames

QUIET_S = 4.0  # without messages after the last image: no further result is expected
EXIT_NOBODY = 3

_PEOPLE = "smplerx/people"


@dataclass(eq=False)
class PlaybackRecording:
    """Messages in order of arrival. There is one camera_info per image, so that they number the frames."""

    stamps: list[int] = field(default_factory=list)  # of the published images, nanoseconds
    messages: list[tuple[PersonArray, int]] = field(default_factory=list)  # with time of arrival, nanoseconds
    tf_frames: set[str] = field(default_factory=set)
    runtime: str = ""  # of the networks, from the node's diagnostics; empty: none received

    def answers(self) -> list[tuple[PersonArray, int]]:
        """The messages on images of this recording, with times of arrival."""
        stamps = set(self.stamps)
        return [(message, arrival) for message, arrival in self.messages if stamp_ns(message) in stamps]

    def results(self) -> list[FrameResult]:
        """People of the processed frames."""
        number = {stamp: index for index, stamp in enumerate(self.stamps)}
        stamped = [(stamp_ns(message), message) for message, _ in self.answers()]
        numbered = [(number[stamp], stamp, message) for stamp, message in stamped]
        return [FrameResult(n, stamp, people_from_message(m), _camera(m).k) for n, stamp, m in numbered]

    def cameras(self) -> dict[int, Camera]:
        """Cameras used by the node, by number of the processed frame."""
        number = {stamp: index for index, stamp in enumerate(self.stamps)}
        return {number[stamp_ns(message)]: _camera(message) for message, _ in self.answers()}

    def summary(self) -> dict[str, Any]:
        """Contents of summary.json."""
        answers = self.answers()
        latencies = [(arrival - stamp_ns(message)) * 1e-6 for message, arrival in answers]
        arrivals = [arrival * 1e-9 for _, arrival in answers]
        first = answers[0][0] if answers else PersonArray()
        p50, p95 = np.percentile(latencies, [50, 95]).round(1).tolist() if latencies else (None, None)
        return {
            "frames_published": len(self.stamps),
            **count_people(self.results()),
            "latency_ms": {"p50": p50, "p95": p95},
            "fps": round((len(arrivals) - 1) / (arrivals[-1] - arrivals[0]), 2) if len(arrivals) > 1 else None,
            "backbone": first.backbone,
            "body_model": first.body_model,
            "runtime": self.runtime or None,
            "tf_frames": sorted(self.tf_frames),
        }


def _camera(message: PersonArray) -> Camera:
    return camera_from_message(message, _PEOPLE)


class Recorder(Node):
    """Subscribes to camera_info, people, /tf and /diagnostics; shows a progress bar."""

    def __init__(self, expected: int | None) -> None:
        super().__init__("recorder")
        self.recording = PlaybackRecording()
        self._expected = expected
        self._last_event = time.monotonic()
        self._bar = tqdm(total=expected, unit="frame", desc="waiting for the node")
        people = self.create_subscription(PersonArray, _PEOPLE, self._on_people, QoSProfile(depth=INFO_DEPTH))
        self._estimator = people.topic_name.rpartition("/")[0]
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, QoSProfile(depth=10))
        self.create_subscription(TFMessage, "/tf", self._on_tf, QoSProfile(depth=INFO_DEPTH))
        self.create_subscription(CameraInfo, "camera_info", self._on_info, QoSProfile(depth=INFO_DEPTH))

    @property
    def finished(self) -> bool:
        """Whether the recording is complete."""
        stamps, messages = self.recording.stamps, self.recording.messages
        if not stamps:
            return False
        if len(stamps) == self._expected and messages and stamp_ns(messages[-1][0]) == stamps[-1]:
            return True
        return time.monotonic() - self._last_event > QUIET_S

    def close(self) -> None:
        """Close the progress bar and destroy the node."""
        self._bar.close()
        self.destroy_node()

    def _on_info(self, info: CameraInfo) -> None:
        self._last_event = time.monotonic()
        if not self.recording.stamps:
            self._bar.set_description("playing")
        self.recording.stamps.append(stamp_ns(info))
        self._bar.update()

    def _on_people(self, message: PersonArray) -> None:
        self.recording.messages.append((message, time.time_ns()))
        self._last_event = time.monotonic()
        self._bar.set_postfix(estimated=len(self.recording.messages), people=len(message.people))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        report = report_of(self._estimator, message)
        if report is not None and report.runtime:
            self.recording.runtime = report.runtime

    def _on_tf(self, message: TFMessage) -> None:
        self.recording.tf_frames.update(transform.child_frame_id for transform in message.transforms)


def record(expected: int | None, stop: threading.Event, args: list[str]) -> PlaybackRecording:
    """Record until complete or `stop` is set."""
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    recorder = Recorder(expected)
    try:
        while not recorder.finished and not stop.is_set():
            rclpy.spin_once(recorder, timeout_sec=0.2)
    except ExternalShutdownException:
        pass
    finally:
        recorder.close()
        rclpy.try_shutdown()
    return recorder.recording


def draw(recording: PlaybackRecording, video: Path, body_model: str, target: Path, stop: threading.Event) -> None:
    """Draw the processed frames of `video` to `target`, each shown as long as it was the newest result."""
    results, cameras = {result.frame: result for result in recording.results()}, recording.cameras()
    if not results:
        return
    body = load_body(body_model or None)
    name = recording.answers()[0][0].body_model
    if body.name != name:
        raise InputError(
            f"the people were estimated with body model {name!r}, not {body.name!r}: pass it with --body-model"
        )
    with VideoReader(video) as reader:
        rate, length = reader.rate, sum(1 for _ in reader)
    loops = -(-len(recording.stamps) // length)
    start = recording.stamps[0]
    with VideoWriter(target, rate) as writer, tqdm(total=len(results), unit="frame", desc="drawing") as bar:
        for index, image in enumerate(frames(video, loops)):
            if stop.is_set():
                raise KeyboardInterrupt
            if index in results:
                drawn = draw_people(image, results[index].people, body, cameras[index])
                writer.write(drawn, (results[index].stamp_ns - start) * 1e-9)
                bar.update()


@executable
def main(argv: list[str] | None = None) -> int:
    """Record; returns the exit code, which is 3 if nobody was estimated."""
    argv = sys.argv if argv is None else argv
    arguments = _parser().parse_args(remove_ros_args(argv)[1:])
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    out: Path = arguments.out
    try:
        check_output(arguments.video, out, OVERLAY_FILE, PEOPLE_FILE, SUMMARY_FILE)
        make_output(out, OVERLAY_FILE, PEOPLE_FILE, SUMMARY_FILE)
        for name in (OVERLAY_FILE, PEOPLE_FILE, SUMMARY_FILE):  # remove results of earlier runs
            (out / name).unlink(missing_ok=True)
        recording = record(arguments.frames, stop, argv)
        stop.clear()
        results = recording.results()
        write_summary(out / SUMMARY_FILE, recording.summary())
        write_people(out / PEOPLE_FILE, results)
        draw(recording, arguments.video, arguments.body_model, out / OVERLAY_FILE, stop)
    except (SmplerxError, OSError) as error:
        sys.stderr.write(f"recorder: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    if any(result.people for result in results):
        return 0
    sys.stderr.write(f"recorder: nobody was estimated in {len(results)} results for {len(recording.stamps)} images\n")
    return EXIT_NOBODY


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, required=True, help="the played video, to draw on")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--frames", type=int, default=None, help="number of frames that will be played")
    parser.add_argument("--body-model", default="", help="the node's body_model")
    return parser


if __name__ == "__main__":
    sys.exit(main())
