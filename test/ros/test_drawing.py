"""The drawing process: it never holds up the estimation, shows the newest frame, and ends with the node."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from fake_estimator import make_person, random_params
from graph import Graph
from node_process import FAKE_NODE, NodeProcess
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from smplerx_ros.body.placement import Placement
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.ros.conversions.compressed import image_from_compressed
from smplerx_ros.ros.drawing import client as client_module
from smplerx_ros.ros.drawing.client import DrawingClient, Settings, Topic
from smplerx_ros.ros.drawing.scene import Scene, SharedMemory, read, write
from smplerx_ros.ros.qos import numbers_of
from support.bodies import standin

BODY = standin()
CAMERA = Camera(64, 48, np.array([[50.0, 0, 32], [0, 50, 24], [0, 0, 1]]), np.full(5, 0.01))
TOPICS = Topic("/markers", {}), {"": Topic("/overlay", {})}, {"": Topic("/overlay/compressed", {})}
SETTINGS = Settings("_drawing", "/", 0, "/", "", *TOPICS)
# Takes a second for every frame, and writes its camera's name into a file.
SLOW = """
import json, socket, sys, time
connection = socket.socket(fileno=int(sys.argv[2]))
while message := connection.recv(1 << 20):
    if message != b"clear":
        time.sleep(1)
        with open(sys.argv[1], "a") as file:
            file.write(json.loads(message)["header"][2] + "\\n")
        connection.send(b"\\1")
"""


def a_scene(frame_id: str = "", source: str = "", **changes: Any) -> Scene:
    person = make_person(BODY, CAMERA, random_params(0))
    scene = Scene(source, Header(stamp=Time(sec=3, nanosec=4), frame_id=frame_id), (person,), True, False)
    return replace(scene, **changes)


def children(node: NodeProcess) -> list[int]:
    tasks = Path(f"/proc/{node.pid}/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def drawing(graph: Graph, start_node: Any, *parameters: str) -> tuple[NodeProcess, int, list[Any], list[Any]]:
    """A node at which somebody looks: its drawing process, overlays and markers as they come."""
    node = start_node(*parameters)
    overlays, markers = graph.listen(Image, "/smplerx/overlay"), graph.listen(MarkerArray, "/smplerx/markers")
    graph.connect()
    assert not children(node)
    graph.spin_until(lambda: graph.estimate() and overlays and markers)
    (pid,) = children(node)
    return node, pid, overlays, markers


def test_a_scene_arrives_as_it_was() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (48, 64, 3), np.uint8)
    placement = Placement(np.eye(3)[[1, 2, 0]], np.array([1.0, 2.0, 3.0]))
    people = tuple(make_person(BODY, CAMERA, random_params(seed), f"p{seed}") for seed in range(3))
    scene = a_scene("optical", "left", people=people, target=("map", placement), image=image, camera=CAMERA)
    memory = SharedMemory.create()
    there = read(write(scene, memory), SharedMemory(os.dup(memory.descriptor)))
    assert (there.source, there.header, there.markers, there.mesh) == ("left", scene.header, True, False)
    assert there.image is not None
    assert there.camera is not None
    assert there.target is not None
    assert np.array_equal(there.image, image)
    assert there.camera.model == CAMERA.model
    np.testing.assert_array_equal(there.camera.d, CAMERA.d)
    assert there.target[0] == "map"
    np.testing.assert_array_equal(there.target[1].position, placement.position)
    for got, sent in zip(there.people, people, strict=True):
        assert (got.id, got.score, got.box) == (sent.id, sent.score, sent.box)
        np.testing.assert_array_equal(got.params.flat, sent.params.flat)
        np.testing.assert_allclose(got.joints, sent.joints, atol=1e-6)
        np.testing.assert_array_equal(got.joints_image, sent.joints_image)
        np.testing.assert_array_equal(got.confidence, sent.confidence)


def test_memory_grows_with_the_images_on_both_sides() -> None:
    memory = SharedMemory.create()
    other = SharedMemory(os.dup(memory.descriptor))
    for size in (48, 480, 4800, 48):
        image = np.full((size, 64, 3), size % 251, np.uint8)
        there = read(write(a_scene(image=image, people=()), memory), other)
        assert there.image is not None
        assert np.array_equal(there.image, image)


def test_only_the_newest_frame_of_each_camera_waits(tmp_path: Path) -> None:
    told: list[str] = []
    log = tmp_path / "log"
    client = DrawingClient(SETTINGS, told.append, command=(sys.executable, "-c", SLOW, str(log)))
    scenes = [a_scene(f"{source}{number}", source) for number in range(200) for source in ("left", "right")]
    for scene in scenes:
        client.show(scene)  # returns at once: a picture takes a second
    end = time.monotonic() + 20
    while client.shown + client.dropped < len(scenes) and time.monotonic() < end:
        time.sleep(0.05)
    client.close()
    drawn = log.read_text().split()
    assert set(drawn[-2:]) == {"left199", "right199"}
    assert len(drawn) <= 6
    assert client.shown + client.dropped == len(scenes)
    assert not [text for text in told if "ended" in text]


def test_what_waits_when_everybody_is_taken_down_is_not_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    client = DrawingClient(SETTINGS, print, command=(sys.executable, "-c", SLOW, str(log)))
    client.show(a_scene("first"))  # takes a second
    client.show(a_scene("waiting", "left"))
    client.clear()
    client.show(a_scene("last", "right"))  # what waited longer would be drawn before
    end = time.monotonic() + 20
    while not (log.exists() and "last" in log.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    client.close()
    assert log.read_text().split() in (["first", "last"], ["last"])  # the one that was being drawn, too


def test_where_no_core_is_free_the_log_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "SLOW_DRAWING_S", 0.3)
    told: list[str] = []
    client = DrawingClient(SETTINGS, told.append, command=(sys.executable, "-c", SLOW, str(tmp_path / "log")))
    end = time.monotonic() + 20
    while client.shown < 2 and time.monotonic() < end:
        client.show(a_scene())
        time.sleep(0.05)
    client.close()
    assert 1 <= len(told) <= client.shown + 1  # once for each picture
    assert "no marker or overlay has been drawn for 0.3 s" in told[0]


def test_a_process_that_ends_is_told_of_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "RESTART_S", 0.2)
    told: list[str] = []
    client = DrawingClient(SETTINGS, told.append, command=(sys.executable, "-c", "import sys; sys.exit(7)"))
    end = time.monotonic() + 20
    while len(told) < 2 and time.monotonic() < end:
        client.show(a_scene())
        time.sleep(0.05)
    client.close()
    assert len(told) >= 2
    assert "markers and overlays has ended with exit code 7" in told[0]


def test_a_picture_that_fails_costs_no_other(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    qos = numbers_of(QoSProfile(depth=5))
    topics = Topic("/markers", qos), {"": Topic("/overlay", qos)}, {"": Topic("/overlay/compressed", qos)}
    told: list[str] = []
    client = DrawingClient(Settings("_drawing", "/", graph.context.get_domain_id(), "/", "", *topics), told.append)
    markers = graph.listen(MarkerArray, "/markers")

    def drawn(what: Callable[[], Any]) -> None:
        def reached() -> Any:
            client.show(a_scene())
            graph.spin_once()
            return what()

        graph.spin_until(reached)

    with monkeypatch.context() as broken:
        broken.setattr(client_module, "write", lambda *_: b"{}")
        drawn(lambda: client.shown)
    drawn(lambda: markers)
    client.close()
    assert "picture dropped after KeyError" in capfd.readouterr().err
    assert not [text for text in told if "ended" in text]


def test_a_drawer_that_hangs_delays_no_estimate(graph: Graph, start_node: Any) -> None:
    _, pid, overlays, markers = drawing(graph, start_node, "markers.mesh:=true")
    os.kill(pid, signal.SIGSTOP)
    graph.estimate()
    overlays.clear()
    markers.clear()
    for _ in range(20):
        graph.estimate()
    figures = graph.next_diagnostic()[1]
    assert overlays == []
    assert markers == []
    assert int(figures["pictures dropped"]) > 0
    os.kill(pid, signal.SIGCONT)
    graph.spin_until(lambda: graph.estimate() and overlays and markers)


def test_it_has_the_lowest_priority(graph: Graph, start_node: Any) -> None:
    node, pid, _, _ = drawing(graph, start_node)
    assert os.sched_getscheduler(pid) == os.SCHED_IDLE
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    assert os.getpriority(os.PRIO_PROCESS, node.pid) == os.getpriority(os.PRIO_PROCESS, 0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_the_node(graph: Graph, start_node: Any, number: signal.Signals) -> None:
    node, pid, _, _ = drawing(graph, start_node)
    os.kill(node.pid, number)
    node.wait()
    graph.spin_until(lambda: not alive(pid))


def test_it_ends_with_the_node_though_it_hangs(graph: Graph, start_node: Any) -> None:
    node, pid, _, _ = drawing(graph, start_node)
    os.kill(pid, signal.SIGSTOP)
    assert node.stop()[0] == 0
    os.kill(pid, signal.SIGCONT)
    graph.spin_until(lambda: not alive(pid))


def test_pictures_come_back_after_it_was_killed(graph: Graph, start_node: Any) -> None:
    node, pid, overlays, markers = drawing(graph, start_node)
    os.kill(pid, signal.SIGKILL)
    graph.spin_until(lambda: graph.estimate() and "has ended by signal 9" in node.log)
    overlays.clear()
    markers.clear()
    graph.spin_until(lambda: graph.estimate() and overlays and markers)
    assert children(node) != [pid]


def test_topics_are_the_nodes_own(graph: Graph, start_node: Any) -> None:
    node, _, _, _ = drawing(graph, start_node)
    assert [name for name in graph.node.get_node_names() if "smplerx" in name and not name.startswith("_")] == [
        "smplerx"
    ]

    def names(topic: str) -> set[str]:
        return {info.node_name for info in graph.node.get_publishers_info_by_topic(topic)}

    for topic in ("/smplerx/overlay", "/smplerx/overlay/compressed", "/smplerx/markers"):
        graph.spin_until(lambda topic=topic: names(topic) == {"smplerx", "_smplerx_drawing"})
    assert "QoS" not in node.log


@pytest.mark.parametrize(
    ("cameras", "remap", "topic"),
    [
        ((), "", "/smplerx/overlay/compressed"),
        (("front", "left"), "", "/smplerx/front/overlay/compressed"),
        ((), "~/overlay:=/picture", "/picture/compressed"),  # where image_transport looks, given the name of the image
    ],
)
def test_compressed_overlays_are_there_without_raw_ones(
    graph: Graph, start_node: Any, cameras: tuple[str, ...], remap: str, topic: str
) -> None:
    policy = f"qos_overrides.{topic}.publisher.reliability:=best_effort"
    named = [f"cameras:=[{','.join(cameras)}]"] if cameras else []
    start_node(*named, policy, remaps=(remap,) if remap else ())
    images = graph.node.create_publisher(Image, "/".join(("", *cameras[:1], "image")), 5)
    seen: list[Any] = []
    graph.node.create_subscription(CompressedImage, topic, seen.append, qos_profile_sensor_data)
    graph.spin_until(images.get_subscription_count)

    def shown() -> bool:
        images.publish(graph.image())
        graph.spin_once()
        return bool(seen)

    graph.spin_until(shown)
    assert image_from_compressed(seen[-1], topic).shape == (120, 160, 3)

    def reliabilities() -> set[ReliabilityPolicy]:
        return {info.qos_profile.reliability for info in graph.node.get_publishers_info_by_topic(topic)}

    graph.spin_until(
        lambda: reliabilities() == {ReliabilityPolicy.BEST_EFFORT}
    )  # an earlier test's may still be ending


@pytest.mark.parametrize("name", ["", "front"])
def test_it_publishes_where_and_how_the_node_was_told(graph: Graph, start_node: Any, name: str) -> None:
    overlay = f"~/{name}/overlay" if name else "~/overlay"
    where = ("--ros-args", "--enclave", "/robot", "-r", "__ns:=/eyes", "-r", f"{overlay}:=/seen", "--")
    prefix = f"{name}/" if name else ""
    start_node(
        *(["cameras:=[front,left]"] if name else []),
        "qos_overrides./seen.publisher.reliability:=best_effort",
        "qos_overrides./seen.publisher.deadline:=3000000000",
        command=(sys.executable, str(FAKE_NODE), *where),
    )
    images = graph.node.create_publisher(Image, f"/eyes/{prefix}image", 5)
    seen: list[Any] = []
    graph.node.create_subscription(Image, "/seen", seen.append, qos_profile_sensor_data)
    graph.spin_until(lambda: images.get_subscription_count())

    def shown() -> bool:
        images.publish(graph.image())
        graph.spin_once()
        return bool(seen)

    graph.spin_until(shown)
    both = (ReliabilityPolicy.BEST_EFFORT, 3_000_000_000, "/eyes")

    def publishers() -> set[Any]:
        return {
            (info.qos_profile.reliability, info.qos_profile.deadline.nanoseconds, info.node_namespace)
            for info in graph.node.get_publishers_info_by_topic("/seen")
        }

    graph.spin_until(lambda: publishers() == {both})

    def enclaves() -> set[str]:
        everybody = graph.node.get_node_names_and_namespaces_with_enclaves()
        return {enclave for who, _, enclave in everybody if who in ("smplerx", "_smplerx_drawing")}

    graph.spin_until(lambda: enclaves() == {"/robot"})
