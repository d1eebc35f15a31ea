"""All of it with the real estimator: player, node and recorder as processes, and what they say of a real person."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.resources import files
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
from graph import Graph
from node_process import NodeProcess
from tf2_msgs.msg import TFMessage
from tf_chain import chain

from smplerx_ros.body.skeleton import JOINT_INDEX, JOINT_NAMES
from smplerx_ros.io.results import read_people
from smplerx_ros.io.video import VideoReader, VideoWriter
from smplerx_ros.ros.conversions.from_person_array import people_from_message, stamp_ns
from smplerx_ros.tools.demo import image_transport
from smplerx_ros.tools.player import FRAME_ID

CLIP = Path(str(files("smplerx_ros"))) / "assets" / "demo_walk.mp4"
STEP, RATE = 4, 4.0  # every fourth frame, at half the speed: what a busy machine can follow, too
FOUND = 0.9  # of the processed frames, on a machine that may process one a second
WAIT_S = 120


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """The clip, slower: 30 frames in 7.5 s."""
    path = tmp_path_factory.mktemp("walk") / "walk.mp4"
    with VideoReader(CLIP) as reader, VideoWriter(path, RATE) as writer:
        for count, frame in enumerate(islice(reader, 0, None, STEP)):
            writer.write(frame.image, count / RATE)
    return path


def on_walker(joints_image, frame):
    """Whether joints `(55, 2)` lie on the walking woman: she crosses the clip's 120 frames at an even pace."""
    centre = np.interp(frame, [0, 60, 119], [1002, 574, 132])  # by eye, as the limits
    beside = np.abs(joints_image[:, 0] - centre).max() < 125
    within = joints_image[:, 1].min() > 360 and joints_image[:, 1].max() < 705
    upright = joints_image[JOINT_INDEX["head"], 1] < joints_image[JOINT_INDEX["left_foot"], 1] - 180
    return beside and within and upright


def walker(people):
    """Who is lowest in the image; the man stands on a roof."""
    return max(people, key=lambda person: person.joints_image[JOINT_INDEX["pelvis"], 1])


def test_demo_writes_what_it_promises(walk, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "smplerx_ros.tools.demo", "--out", str(out), "--video", str(walk)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("overlay.mp4", "people.npz", "summary.json"):
        assert str(out / name) in done.stdout

    summary = json.loads((out / "summary.json").read_text())
    assert summary["frames_published"] == 30
    assert summary["frames_processed"] == len(summary["people"]) >= 3
    assert np.mean([count > 0 for count in summary["people"]]) >= FOUND
    assert summary["backbone"] == "lite"
    assert summary["body_model"] == "standin_anny"
    assert 0 < summary["latency_ms"]["p50"] <= summary["latency_ms"]["p95"]
    assert summary["fps"] > 0
    joints = {f"smplx_{slot}/{name}" for slot in range(len(summary["ids"])) for name in JOINT_NAMES}
    assert {frame for frame in summary["tf_frames"] if frame.startswith("smplx_")} == joints

    rows = read_people(out / "people.npz")
    assert len(rows["id"]) == sum(summary["people"])
    with VideoReader(walk) as reader:
        images = [frame.image for frame in reader]
    with VideoReader(out / "overlay.mp4") as reader:
        drawn = [frame.image for frame in reader]
    frames = np.unique(rows["frame"])
    assert len(drawn) == summary["frames_processed"]
    for row, (joints, k) in enumerate(zip(rows["joints"], rows["K"], strict=True)):
        projected = joints @ k.T
        np.testing.assert_allclose(projected[:, :2] / projected[:, 2:], rows["joints_image"][row], atol=0.5)
    found = {
        frame
        for frame, joints in zip(rows["frame"], rows["joints_image"], strict=True)
        if on_walker(joints, STEP * frame)
    }
    assert len(found) >= FOUND * summary["frames_processed"]
    first = rows["joints_image"][0, 0].round().astype(int)  # a pelvis: the mesh covers it
    before, after = (
        image[first[1] - 10 : first[1] + 10, first[0] - 10 : first[0] + 10] for image in (images[frames[0]], drawn[0])
    )
    assert np.abs(before.astype(int) - after).mean() > 15


def test_topics_say_where_the_person_is(walk, tmp_path):
    graph = Graph()
    node = NodeProcess(tmp_path / "node.log", command=(sys.executable, "-m", "smplerx_ros.ros.node.main"))
    player = None
    try:
        transforms = graph.listen(TFMessage, "/tf")
        graph.spin_until(lambda: graph.node.count_publishers("/smplerx/people"), WAIT_S)
        command = [sys.executable, "-m", "smplerx_ros.tools.player", str(walk)]
        player = subprocess.Popen(command, env={**os.environ, **image_transport()})
        graph.spin_until(lambda: player.poll() is not None and len(graph.people) >= 3, WAIT_S)
        graph.spin_until(lambda: {stamp_ns(m) for m in graph.people if m.people} <= set(map(tf_stamp, transforms)))
        assert player.returncode == 0
    finally:
        if player is not None and player.poll() is None:
            player.kill()
        node.kill()
        graph.close()

    stamps = [stamp_ns(message) for message in graph.people]
    assert all(later > earlier for earlier, later in pairwise(stamps))
    by_stamp = {tf_stamp(message): message for message in transforms}
    seen = [message for message in graph.people if message.people]
    assert len(seen) >= FOUND * len(graph.people)
    for message in graph.people:
        assert message.header.frame_id == FRAME_ID
        assert message.camera_source == message.CAMERA_SOURCE_CAMERA_INFO
        people = people_from_message(message)
        if not people:
            continue
        positions, rotations = chain(by_stamp[stamp_ns(message)].transforms, FRAME_ID)
        for sent, person in zip(message.people, people, strict=True):
            for joint, name in enumerate(JOINT_NAMES):
                np.testing.assert_allclose(positions[sent.frame_prefix + name], person.joints[joint], atol=1e-4)
            x0, y0, x1, y1 = person.box.xyxy
            inside = (person.joints_image >= [x0 - 2, y0 - 2]) & (person.joints_image <= [x1 + 2, y1 + 2])
            assert inside.all(axis=1).mean() > 0.9
        for transform in by_stamp[stamp_ns(message)].transforms:
            assert transform.header.stamp == message.header.stamp
            q = transform.transform.rotation
            assert np.linalg.norm([q.x, q.y, q.z, q.w]) == pytest.approx(1, abs=1e-5)
        for rotation in rotations.values():
            np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-5)
        joints_image = walker(people).joints_image
        assert joints_image[:, 1].min() > 360, "nobody is found where the woman walks"
    pelvis = [walker(people_from_message(m)).joints_image[0, 0] for m in seen]
    assert pelvis[-1] < pelvis[0] - 300, "she walks from right to left"


def tf_stamp(message):
    stamp = message.transforms[0].header.stamp
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def test_a_video_without_people_is_a_failure_that_leaves_no_overlay_of_an_earlier_run(tmp_path):
    with VideoWriter(tmp_path / "empty.mp4", 10) as writer:
        for index in range(5):
            writer.write(np.full((120, 160, 3), 90, np.uint8), index / 10)
    out = tmp_path / "out"
    out.mkdir()
    (out / "people.npz").write_bytes(b"old")
    command = [
        sys.executable,
        "-m",
        "smplerx_ros.tools.demo",
        "--out",
        str(out),
        "--video",
        str(tmp_path / "empty.mp4"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 1
    assert "nobody was estimated" in done.stderr
    assert len(read_people(out / "people.npz")["id"]) == 0


def test_a_node_that_cannot_be_configured_is_told_at_once(walk, tmp_path):
    command = [sys.executable, "-m", "smplerx_ros.tools.demo", "--out", str(tmp_path / "out"), "--video", str(walk)]
    done = subprocess.run(
        [*command, "-p", "backbone:=s32", "-p", f"weights:={tmp_path}"],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == 1
    assert "the node has failed" in done.stderr
    assert "parameter 'weights'" in done.stderr


def test_view_shows_the_clip_in_browsers_until_ctrl_c(walk):
    pytest.importorskip("viser", reason="the page for browsers needs the extra `viewer`")
    from support.viser_client import ViserClient

    command = [sys.executable, "-u", "-m", "smplerx_ros.tools.demo", "--view", "--video", str(walk)]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        line = next(line for line in demo.stdout if "open http://127.0.0.1:" in line)
        address = line.split("open ")[1].split()[0]
        with ViserClient(address) as client:
            client.wait(lambda: any(name.endswith("/mesh") for name in client.nodes), timeout=WAIT_S)
            client.wait(lambda: client.nodes["/camera"].get("visible"), timeout=WAIT_S)
            assert "lite" in client.text()
    finally:
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=WAIT_S)
    assert demo.returncode == 0, output
    assert "Traceback" not in output


def test_interrupted_it_leaves_no_process_behind(walk, tmp_path):
    command = [sys.executable, "-m", "smplerx_ros.tools.demo", "--out", str(tmp_path / "out"), "--video", str(walk)]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    children = Path(f"/proc/{demo.pid}/task/{demo.pid}/children")
    deadline = time.monotonic() + WAIT_S
    while len(children.read_text().split()) < 3:
        assert time.monotonic() < deadline
        assert demo.poll() is None, demo.stdout.read()
        time.sleep(0.05)
    pids = children.read_text().split()
    demo.send_signal(signal.SIGINT)
    output, _ = demo.communicate(timeout=WAIT_S)
    assert demo.returncode == 130, output
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_an_unreadable_video_is_told_in_a_line(tmp_path):
    command = [
        sys.executable,
        "-m",
        "smplerx_ros.tools.demo",
        "--out",
        str(tmp_path),
        "--video",
        str(tmp_path / "no.mp4"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 1
    assert "no.mp4" in done.stderr
    assert "Traceback" not in done.stderr
