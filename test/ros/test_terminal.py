"""What the terminal says of conditions that are no faults of a single image: once, and with what to do."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
from graph import BLACK, Graph
from lifecycle_msgs.msg import Transition
from node_object import arrival
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger

from smplerx_ros.errors import InputError
from smplerx_ros.ros.node import stream as stream_module
from smplerx_ros.ros.node.node import SmplerxNode

MAINS = {
    "node": "from smplerx_ros.ros.node.main import main; sys.exit(main())",
    "viewer": "from smplerx_ros.ros.viewer.main import main; sys.exit(main())",
    "player": "from smplerx_ros.tools.player import main; sys.exit(main(['player', '-']))",
    "command line": "from smplerx_ros.cli import main; sys.exit(main(['estimate', {image!r}, '--out', {out!r}]))",
}
SOON_S, LATER_S = 0.1, 0.2


def active(node: SmplerxNode) -> SmplerxNode:
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS, node._failure
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS, node._failure
    return node


def lines_with(log: str, words: str) -> list[str]:
    return [line for line in log.splitlines() if words in line]


@pytest.fixture
def silent_node(make_node: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> SmplerxNode:
    """Active, and soon impatient; its own reports are off, so that the test decides when it looks."""
    monkeypatch.setattr(stream_module, "NO_IMAGE_AFTER_S", SOON_S)
    node = make_node({})
    node._reporter.stop()
    return active(node)


def test_no_image_ever_came_and_nobody_publishes(silent_node: Any, capfd: pytest.CaptureFixture[str]) -> None:
    time.sleep(LATER_S)
    for _ in range(3):
        silent_node._publish_diagnostics()
    (line,) = lines_with(capfd.readouterr().err, "no image for")
    assert "WARN" in line
    assert "/image: no image for 0 s: nothing publishes this topic" in line
    assert "ros2 topic list" in line
    for taking in (False, True):
        silent_node._on_enable(SetBool.Request(data=taking), SetBool.Response())
    silent_node._publish_diagnostics()
    assert not lines_with(capfd.readouterr().err, "no image for")  # the time starts again
    time.sleep(LATER_S)
    silent_node._publish_diagnostics()
    assert len(lines_with(capfd.readouterr().err, "no image for")) == 1


def test_no_image_ever_came_from_those_who_publish(
    silent_node: Any, graph: Graph, capfd: pytest.CaptureFixture[str]
) -> None:
    graph.spin_until(lambda: silent_node.count_publishers("/image"))
    time.sleep(LATER_S)
    silent_node._publish_diagnostics()
    (line,) = lines_with(capfd.readouterr().err, "no image for")
    assert "/test_graph (sensor_msgs/msg/Image, reliable, volatile)" in line
    assert "this node takes sensor_msgs/msg/Image" in line


def test_who_has_sent_an_image_is_not_missed(silent_node: Any, capfd: pytest.CaptureFixture[str]) -> None:
    silent_node._loaded.streams[""]._on_image(Image())
    time.sleep(LATER_S)
    silent_node._publish_diagnostics()
    assert not lines_with(capfd.readouterr().err, "no image for")


def test_images_without_a_frame(start_node: Callable[..., Any], graph: Graph) -> None:
    node = start_node()
    node.wait_for_log("active")
    graph.connect()

    def sent() -> bool:
        image = graph.image()
        image.header.frame_id = ""
        graph.infos.publish(graph.info())
        graph.images.publish(image)
        graph.spin_once()
        return len(graph.people) > 3

    graph.spin_until(sent)
    (line,) = lines_with(node.log, "frame_id")
    assert "/image: images have no frame_id, so people are published without TF" in line


def test_simulated_time_without_a_clock(start_node: Callable[..., Any], graph: Graph) -> None:
    node = start_node("use_sim_time:=true", "image_max_age:=1.0")
    node.wait_for_log("active")
    graph.connect()
    for _ in range(3):
        graph.estimate()
    seen = len(graph.diagnostics)
    graph.spin_until(lambda: len(graph.diagnostics) > seen + 1)
    values = [pair for report in graph.diagnostics for pair in report.status[0].values]
    assert any(pair.key == "work p50 (ms)" for pair in values)
    assert not any(pair.key.startswith("age") for pair in values)
    (line,) = lines_with(node.log, "/clock")
    assert "use_sim_time is true" in line
    assert "--clock" in line


def test_a_target_frame_without_its_transform_is_named_in_the_diagnostics(
    make_node: Callable[..., Any], graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = active(make_node({}))
    text = "target_frame 'map': no transform from 'camera'"

    def unknown(*_: object) -> None:
        raise InputError(text)

    monkeypatch.setattr(node._loaded.output, "publish", unknown)
    graph.spin_until(lambda: graph.diagnostics)
    node._running.processor.handle({"": arrival(1000)})
    graph.diagnostic(
        lambda level, message, values: (level, message, values.get("dropped: no_transform")) == (1, text, "1")
    )


def test_services_and_transitions_are_logged(start_node: Callable[..., Any], graph: Graph) -> None:
    node = start_node()
    node.wait_for_log("active")
    graph.call(Trigger, "/smplerx/reset", Trigger.Request())
    for taking in (False, True):
        graph.call(SetBool, "/smplerx/enable", SetBool.Request(data=taking))
    assert graph.transition(Transition.TRANSITION_DEACTIVATE)
    assert graph.transition(Transition.TRANSITION_CLEANUP)
    for words in (
        "~/reset: people get new ids from the next image on",
        "~/enable: ignoring images while active",
        "~/enable: taking images while active",
        "inactive: ",
        "unconfigured: ",
    ):
        assert any("INFO" in line for line in lines_with(node.log, words)), f"{words!r} is not in\n{node.log}"


def test_numpy_s_warnings_are_not_printed(start_node: Callable[..., Any], graph: Graph) -> None:
    node = start_node("weights:=not_finite")
    node.wait_for_log("active")
    graph.connect()
    graph.estimate()
    assert "person_not_finite" in node.log
    assert "RuntimeWarning" not in node.log


@pytest.mark.parametrize(
    ("main", "package"),
    [("node", "onnxruntime"), ("viewer", "viser"), ("player", "av"), ("command line", "onnxruntime")],
)
def test_a_missing_package_is_one_line(tmp_path: Path, main: str, package: str) -> None:
    image = tmp_path / "image.png"
    assert cv2.imwrite(str(image), BLACK)
    code = MAINS[main].format(image=str(image), out=str(tmp_path / "out"))
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.modules[{package!r}] = None; {code}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (1, 2)
    (line,) = done.stderr.splitlines()
    assert f"the Python package {package!r} is not installed: pip install" in line


def test_the_doctor_needs_no_onnxruntime() -> None:
    code = "import sys; sys.modules['onnxruntime'] = None; from smplerx_ros.cli import main; sys.exit(main(['doctor']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "pip install onnxruntime" in done.stdout
