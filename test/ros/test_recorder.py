"""What the recorder makes of what it heard."""

from __future__ import annotations

import numpy as np
import pytest
from fake_estimator import make_people, make_person, random_params
from std_msgs.msg import Header

from smplerx_ros.geometry.camera import Camera
from smplerx_ros.ros.conversions.camera_info import info_from_camera
from smplerx_ros.ros.conversions.to_person_array import person_array
from smplerx_ros.tools.recorder import PlaybackRecording, main
from smplerx_ros.types import Frame
from support.bodies import standin

CAMERA = Camera.from_fov(640, 480)
MS = 1_000_000


@pytest.fixture(scope="module")
def body():
    return standin()


def result(body, stamp, *ids, camera=CAMERA):
    people = [make_person(body, camera, random_params(7), person_id) for person_id in ids]
    header = Header(frame_id="camera")
    header.stamp.sec, header.stamp.nanosec = divmod(stamp, 1_000_000_000)
    frame = Frame(np.zeros((camera.height, camera.width, 3), np.uint8), camera)
    return person_array(make_people(frame, body, people, camera), header, info_from_camera(camera, header))


def test_results_are_numbered_by_the_images_that_they_answer(body):
    stamps = [10_000 * MS + 33 * MS * k for k in range(6)]
    answers = [(1, ("p1",)), (3, ("p1", "p2")), (5, ())]
    recording = PlaybackRecording(stamps=stamps, runtime="a runtime")
    recording.messages = [(result(body, stamps[k], *ids), stamps[k] + (50 + k) * MS) for k, ids in answers]
    recording.messages.append((result(body, 77, "px"), 0))  # no image of this recording
    recording.tf_frames = {"smplx_0/neck", "smplx_0/head"}

    results = recording.results()
    assert [(r.frame, r.stamp_ns, len(r.people)) for r in results] == [
        (1, stamps[1], 1),
        (3, stamps[3], 2),
        (5, stamps[5], 0),
    ]
    np.testing.assert_array_equal(results[0].k, CAMERA.k)
    summary = recording.summary()
    assert summary["frames_published"] == 6
    assert summary["frames_processed"] == len(summary["people"]) == 3
    assert summary["people"] == [1, 2, 0]
    assert summary["ids"] == ["p1", "p2"]
    assert summary["latency_ms"] == {"p50": 53.0, "p95": pytest.approx(54.8)}
    assert summary["fps"] == pytest.approx(2 / (4 * 33e-3 + 4e-3), abs=0.01)
    assert summary["backbone"] == "fake"
    assert summary["body_model"] == body.name
    assert summary["runtime"] == "a runtime"
    assert summary["tf_frames"] == ["smplx_0/head", "smplx_0/neck"]


def test_each_frame_has_its_camera(body):
    stamps = [10_000 * MS, 10_033 * MS]
    small = Camera.from_fov(320, 240)
    recording = PlaybackRecording(stamps=stamps)
    cameras = (CAMERA, small)
    recording.messages = [
        (result(body, stamp, "p1", camera=camera), stamp) for stamp, camera in zip(stamps, cameras, strict=True)
    ]
    assert [r.k.tolist() for r in recording.results()] == [CAMERA.k.tolist(), small.k.tolist()]


def test_the_played_video_is_never_written_over(tmp_path, capsys):
    (tmp_path / "overlay.mp4").write_bytes(b"mine")
    assert main(["recorder", "--video", str(tmp_path / "overlay.mp4"), "--out", str(tmp_path)]) == 1
    assert "overlay.mp4 would be written over the input" in capsys.readouterr().err
    assert (tmp_path / "overlay.mp4").read_bytes() == b"mine"


def test_an_empty_recording_has_a_summary():
    summary = PlaybackRecording().summary()
    assert summary["frames_published"] == summary["frames_processed"] == 0
    assert summary["fps"] is None
    assert summary["latency_ms"] == {"p50": None, "p95": None}
