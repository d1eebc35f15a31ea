"""SMPLer-X in the node, with synthetic weights: the poses mean nothing; who is there, when and where does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from graph import Graph
from lifecycle_msgs.msg import Transition
from node_process import NodeProcess
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage
from tf_chain import chain

from smplerx_ros.body.skeleton import JOINT_NAMES
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.io.results import read_people
from smplerx_ros.io.video import VideoReader, VideoWriter
from smplerx_ros.ros.conversions.camera_info import info_from_camera
from smplerx_ros.ros.conversions.from_diagnostics import report_of
from smplerx_ros.ros.conversions.from_person_array import people_from_message, stamp_ns
from smplerx_ros.ros.conversions.image import message_from_image
from smplerx_ros.tools.demo import CLIP
from smplerx_ros.types import PARAM_SIZES
from support.paths import ROOT

ESTIMATOR = (sys.executable, "-m", "smplerx_ros.ros.node.main")
STEP, SHRINK = 6, 4  # every sixth frame of the clip, and every fourth pixel
WALKED, EMPTY = 20, 8  # frames of the clip, then of nobody
WAIT_S = 120
FRAME = "test_camera"
# Of the frames with people: a body of random weights may lie so far from its box that it is taken for two.
SEEN = 0.6
EYES = {"leye_pose", "reye_pose"}
ESTIMATED_BY_NETWORKS = 1 + 2 + 4 + 8 + 16 + 128 + 256 + 512  # SmplxParams.msg: neither eyes nor depth


def walk(walked: int, empty: int) -> Iterator[NDArray[np.uint8]]:
    """Small images of the clip, which need no larger shared memory (docs/decisions/fastdds_profile.md), then nobody."""
    with VideoReader(ROOT / "smplerx_ros" / "assets" / CLIP) as reader:
        for frame in islice(reader, 0, walked * STEP, STEP):
            yield np.ascontiguousarray(frame.image[::SHRINK, ::SHRINK])
    for _ in range(empty):
        yield np.full_like(frame.image[::SHRINK, ::SHRINK], 90)


def send(graph: Graph, image: NDArray[np.uint8], camera: Camera) -> CameraInfo:
    graph.jump(0.4)  # a stamp 0.5 s after the last
    info = info_from_camera(camera, graph.header())
    graph.infos.publish(info)
    graph.images.publish(message_from_image(image, Image(header=info.header)))
    return info


@pytest.fixture(scope="module")
def played(s32_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """What the node said: `people`, `transforms`, last `counts` and all `stages` of the diagnostics; `infos` it got.

    It gets an image when it has answered the one before: how many it can follow depends on the machine, and with images
    left out, bodies of random weights are lost from one to the next.
    """
    directory = tmp_path_factory.mktemp("played")
    graph = Graph()
    node = NodeProcess(directory / "node.log", "backbone:=s32", f"weights:={s32_bundle}", command=ESTIMATOR)
    try:
        transforms = graph.listen(TFMessage, "/tf")
        node.wait_for_log("active:", WAIT_S)
        graph.connect()
        infos: list[CameraInfo] = []
        for image in walk(WALKED, EMPTY):
            infos.append(send(graph, image, Camera.from_fov(image.shape[1], image.shape[0])))
            graph.spin_until(lambda: graph.people and stamp_ns(graph.people[-1]) == stamp_ns(infos[-1]))
        graph.spin_until(lambda: {stamp_ns(m) for m in graph.people if m.people} <= set(map(tf_stamp, transforms)))
        _, counts = graph.next_diagnostic()
        reports = filter(None, (report_of("/smplerx", message) for message in graph.diagnostics))
        stages = {stage for report in reports for stage in report.stages_ms}
        return SimpleNamespace(people=graph.people, transforms=transforms, infos=infos, counts=counts, stages=stages)
    finally:
        node.kill()
        graph.close()


def tf_stamp(message: TFMessage) -> int:
    return stamp_ns(message.transforms[0])


def test_an_answer_for_every_image(played: SimpleNamespace) -> None:
    assert [stamp_ns(message) for message in played.people] == [stamp_ns(info) for info in played.infos]
    assert not [name for name, value in played.counts.items() if name.startswith("dropped: ") and int(value)]


def test_messages_say_what_made_them(played: SimpleNamespace) -> None:
    for message in played.people:
        assert message.header.frame_id == FRAME
        assert (message.backbone, message.body_model) == ("s32", "standin_anny")
        assert message.camera_source == message.CAMERA_SOURCE_CAMERA_INFO
    assert played.counts["runtime"] == "CPUExecutionProvider fp32"
    assert {"detection", "backbone", "body"} <= played.stages


def test_people_are_there_while_detected_and_leave(played: SimpleNamespace) -> None:
    order = {stamp_ns(info): index for index, info in enumerate(played.infos)}
    counts = {order[stamp_ns(message)]: len(message.people) for message in played.people}
    walked = [count > 0 for index, count in counts.items() if index < WALKED]
    assert np.mean(walked) >= SEEN, counts
    assert counts[WALKED + EMPTY - 1] == 0, counts
    assert max(counts.values()) <= 10


def test_values_are_finite_but_for_the_eyes(played: SimpleNamespace) -> None:
    for message in played.people:
        for person in people_from_message(message):
            for name in PARAM_SIZES:
                value = getattr(person.params, name)
                assert np.isnan(value).all() if name in EYES else np.isfinite(value).all(), name
            assert int(person.params.estimated) == ESTIMATED_BY_NETWORKS
            assert np.isfinite(person.joints).all()
            assert (person.joints[0, 2] > 0.1) & (person.joints[0, 2] < 200)
            assert 0 < person.score <= 1


def test_frames_are_where_the_joints_are(played: SimpleNamespace) -> None:
    by_stamp = {tf_stamp(message): message.transforms for message in played.transforms}
    for message in filter(lambda message: message.people, played.people):
        transforms = by_stamp[stamp_ns(message)]
        assert {t.header.stamp.nanosec for t in transforms} == {message.header.stamp.nanosec}
        positions, _ = chain(transforms, FRAME)
        for sent, person in zip(message.people, people_from_message(message), strict=True):
            tree = np.array([positions[sent.frame_prefix + name] for name in JOINT_NAMES])
            np.testing.assert_allclose(tree, person.joints, atol=1e-3)


@pytest.mark.slow
def test_demo_with_parameters(s32_bundle: Path, tmp_path: Path) -> None:
    video = tmp_path / "walk.mp4"
    with VideoWriter(video, 2.0) as writer:
        for count, image in enumerate(walk(6, 0)):
            writer.write(image, count / 2.0)
    command = [sys.executable, "-m", "smplerx_ros.tools.demo", "--out", str(tmp_path / "out"), "--video", str(video)]
    command += ["-p", "backbone:=s32", "-p", f"weights:={s32_bundle}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["backbone"] == "s32"
    assert len(read_people(tmp_path / "out" / "people.npz")["id"]) == sum(summary["people"]) > 0
    assert (tmp_path / "out" / "overlay.mp4").stat().st_size > 0


@pytest.fixture
def damaged(s32_bundle: Path, tmp_path: Path) -> Path:
    directory = Path(shutil.copytree(s32_bundle, tmp_path / "damaged"))
    with (directory / "model.onnx.data").open("r+b") as file:
        file.seek(12_345)
        byte = file.read(1)
        file.seek(12_345)
        file.write(bytes([byte[0] ^ 1]))
    return directory


CONVERT = "python -m smplerx_ros convert"


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ("", "parameter 'weights': backbone 's32' needs a bundle"),
        ("absent", "absent: no such directory"),
        ("s32_checkpoint", f"a file, not a bundle's directory; make one with: {CONVERT} /"),
        ("damaged", "its SHA-256 differs from the recorded one"),
    ],
)
def test_weights_that_cannot_be_used(
    start_node: Any, graph: Graph, request: pytest.FixtureRequest, weights: str, reason: str
) -> None:
    """Configure fails and says why; the node stays, and is configured with other parameters."""
    path = request.getfixturevalue(weights) if weights not in ("", "absent") else weights
    parameters = ["backbone:=s32", *([f"weights:={path}"] if path else [])]
    node = start_node(*parameters, command=ESTIMATOR)
    node.wait_for_log("on_configure failed", WAIT_S)
    graph.spin_until(lambda: graph.state() == "unconfigured")
    (line,) = [line for line in node.log.splitlines() if "on_configure failed" in line]
    assert "parameter 'weights'" in line
    assert reason in line
    assert CONVERT in line
    assert graph.set_parameter("backbone", "lite").successful
    assert graph.set_parameter("weights", "").successful
    assert graph.transition(Transition.TRANSITION_CONFIGURE)
    assert graph.state() == "inactive"
    assert node.alive()


def test_a_backbone_with_a_star_in_a_parameter_file(start_node: Any, tmp_path: Path) -> None:
    file = tmp_path / "parameters.yaml"
    file.write_text("/**:\n  ros__parameters:\n    backbone: h32*\n")
    node = start_node(command=(*ESTIMATOR, "--ros-args", "--params-file", str(file)))
    node.wait_for_log("parameter 'weights': backbone 'h32*' needs a bundle", WAIT_S)
