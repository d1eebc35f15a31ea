"""The page's process: what it subscribes and when, and that people reach a browser."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from graph import GREY, HEIGHT, WIDTH, Graph
from launch_files import ROOT
from node_process import NodeProcess
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from smplerx_ros.msg import PersonArray

from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.ros.conversions.camera_info import info_from_camera
from smplerx_ros.ros.conversions.from_person_array import people_from_message
from smplerx_ros.ros.conversions.to_person_array import person_array
from smplerx_ros.types import Frame, People, Person, SmplxParams
from support.bodies import standin

pytestmark = pytest.mark.skipif(find_spec("viser") is None, reason="the page for browsers needs the extra `viewer`")

VIEWER = (sys.executable, "-m", "smplerx_ros.ros.viewer.main")
TOPICS = ("/smplerx/people", "/image", "/diagnostics")
BODY = standin()
CAMERA = Camera.from_fov(WIDTH, HEIGHT, 60.0)


def people(graph: Graph, *ids: str, frame_id: str = "test_camera") -> PersonArray:
    params = replace(SmplxParams.rest(), global_orient=np.array([np.pi, 0, 0]), transl=np.array([0.0, 0.3, 4.0]))
    joints = BODY.joints(params)[0]
    everybody = tuple(
        Person(name, 0.9, Box(10, 10, 50, 90), params, joints, np.zeros((55, 2)), np.ones(55)) for name in ids
    )
    result = People(Frame(GREY), everybody, CAMERA, "lite", BODY.name, "CPUExecutionProvider")
    header = graph.header()
    header.frame_id = frame_id
    return person_array(result, header, info_from_camera(CAMERA, header))


@pytest.fixture
def viewer(start_node: Callable[..., NodeProcess]) -> tuple[NodeProcess, str]:
    process = start_node("port:=0", command=VIEWER)
    process.wait_for_log("in a browser")
    address = re.search(r"http://127\.0\.0\.1:\d+", process.log)
    assert address is not None
    return process, address.group()


def test_a_parameter_that_cannot_be_used_is_named(start_node: Callable[..., NodeProcess]) -> None:
    process = start_node('port:="8090"', command=VIEWER)
    assert process.wait() == 1
    assert "parameter 'port': '8090' is not an integer; use 0 to 65535, without quotes" in process.log
    assert "Traceback" not in process.log


def test_an_unknown_parameter_is_logged_and_the_node_s_are_not(
    graph: Graph, start_node: Callable[..., NodeProcess]
) -> None:
    """The launch file gives the page the node's parameter file."""
    process = start_node("port:=0", "rate:=5", "prot:=1", command=VIEWER, params_files=(ROOT / "config/estimate.yaml",))
    process.wait_for_log("in a browser")
    assert process.log.count("unknown parameter") == 1
    assert "unknown parameter 'prot' (did you mean 'port'?)" in process.log
    request = SetParameters.Request(parameters=[Parameter("rate", value=10.0).to_parameter_msg()])
    result = graph.call(SetParameters, "/viewer/set_parameters", request).results[0]
    assert not result.successful
    assert "parameter 'rate' is read at the start: start again" in result.reason


def browser(url: str) -> Any:
    from support.viser_client import ViserClient

    return ViserClient(url)


def subscribers(graph: Graph) -> list[int]:
    return [graph.node.count_subscribers(topic) for topic in TOPICS]


def test_it_listens_only_while_somebody_looks(graph: Graph, viewer: tuple[NodeProcess, str]) -> None:
    process, url = viewer
    graph.spin_until(lambda: "viewer" in graph.node.get_node_names())
    own = [1, 0, 1]  # the test's own
    assert subscribers(graph) == own
    with browser(url) as client:
        client.wait(lambda: graph.spin_once() or subscribers(graph) == [n + 1 for n in own])
    graph.spin_until(lambda: subscribers(graph) == own)
    assert process.stop()[0] == 0, process.log


def test_people_and_camera_arrive_in_the_browser(graph: Graph, viewer: tuple[NodeProcess, str]) -> None:
    publisher = graph.node.create_publisher(PersonArray, "/smplerx/people", QoSProfile(depth=5))
    message = people(graph, "p1")

    def publish() -> None:
        graph.images.publish(graph.image())
        message.header.stamp = graph.header().stamp
        publisher.publish(message)
        graph.spin_once()

    with browser(viewer[1]) as client:
        client.wait(lambda: publish() or {"/people/p1/label", "/people/p1/mesh"} <= set(client.nodes))
        mesh = np.reshape(client.nodes["/people/p1/mesh"]["vertices"], (-1, 3))
        params = people_from_message(message)[0].params
        np.testing.assert_allclose(mesh, BODY.vertices(params)[0], atol=1e-5)
        client.wait(lambda: publish() or client.nodes["/camera"].get("visible"))
        assert client.nodes["/camera"]["fov"] == pytest.approx(2 * np.arctan(HEIGHT / 2 / CAMERA.k[1, 1]))
        assert "1 person" in client.text()

        client.wait(lambda: publish() or "/people/p1" in client.nodes)
        publisher.publish(people(graph, "p2", frame_id="another_camera"))
        publisher.publish(people(graph, "p3"))
        client.wait(lambda: graph.spin_once() or "/people/p3" in client.nodes)
        assert "/people/p2" not in client.nodes
        assert "/people/p1" not in client.nodes


def test_it_says_what_troubles_the_node(graph: Graph, viewer: tuple[NodeProcess, str]) -> None:
    publisher = graph.node.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=5))
    status = DiagnosticStatus(name="/smplerx: estimation", message="on_configure failed: no bundle")
    status.level = DiagnosticStatus.ERROR
    other = DiagnosticStatus(name="/smplerx_other: estimation", message="not shown", level=DiagnosticStatus.ERROR)
    with browser(viewer[1]) as client:
        client.wait(
            lambda: (
                publisher.publish(DiagnosticArray(status=[status, other]))
                or graph.spin_once()
                or "no bundle" in client.text()
            )
        )
        assert "nothing on /smplerx/people" in client.text()
        assert "not shown" not in client.text()


def test_it_shows_what_runs_and_what_each_stage_takes(graph: Graph, viewer: tuple[NodeProcess, str]) -> None:
    reports = graph.node.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=5))
    results = graph.node.create_publisher(PersonArray, "/smplerx/people", QoSProfile(depth=5))
    values = {"runtime": "CPUExecutionProvider fp32", "stage backbone (ms)": "21.4"}
    status = DiagnosticStatus(name="/smplerx: estimation", message="estimating", level=DiagnosticStatus.OK)
    status.values = [KeyValue(key=key, value=value) for key, value in values.items()]

    def publish() -> None:
        reports.publish(DiagnosticArray(status=[status]))
        results.publish(people(graph, "p1"))
        graph.spin_once()

    with browser(viewer[1]) as client:
        client.wait(lambda: publish() or "backbone 21 ms" in client.text())
        assert "backbone lite, body standin_anny, CPUExecutionProvider fp32" in client.text()


def run(*arguments: str) -> Any:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)


def test_an_address_of_another_machine_is_refused() -> None:
    done = run(*VIEWER, "--ros-args", "-p", "host:=192.0.2.1")
    assert done.returncode == 1
    assert "parameter 'host': '192.0.2.1'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_viser_it_says_what_to_install() -> None:
    script = "import sys; sys.modules['viser'] = None; from smplerx_ros.ros.viewer.main import main; sys.exit(main())"
    done = run(sys.executable, "-c", script)
    assert done.returncode == 1
    assert "pip install viser" in done.stderr
