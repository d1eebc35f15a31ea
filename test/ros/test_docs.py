"""The pages about topics and about the viewer name what the processes have."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graph import Graph

from smplerx_ros.ros.conversions.image import ENCODINGS
from smplerx_ros.visualization.web.options import VIEWER_PARAMETERS

DOCS = Path(__file__).resolve().parents[2] / "docs"
OF_ANY_NODE = ("/parameter_events", "/rosout", "/clock")
OF_THE_LIFECYCLE = "~/transition_event"


def test_topics_and_services_of_the_node(start_node: Callable[..., Any], graph: Graph) -> None:
    text = (DOCS / "reference" / "topics.md").read_text()
    node = start_node("depth.enabled:=true", "detector:=topic")
    node.wait_for_log("active:")

    def announced() -> dict[str, list[str]]:
        if "smplerx" not in graph.node.get_node_names():
            return {}
        lists = graph.node.get_publisher_names_and_types_by_node, graph.node.get_subscriber_names_and_types_by_node
        found = {topic: kinds for of_node in lists for topic, kinds in of_node("smplerx", "/")}
        return found if {"/smplerx/overlay", "/image", "/detections"} <= set(found) else {}

    named = graph.spin_until(announced)
    for topic, (kind, *_) in named.items():
        name = topic.replace("/smplerx/", "~/")
        if name in (*OF_ANY_NODE, OF_THE_LIFECYCLE):
            continue
        if name.startswith("/humans/"):
            name, kind = "/humans/...", "hri_msgs/msg/"
        name = name.removeprefix("/") if name.count("/") == 1 and name not in ("/tf", "/diagnostics") else name
        assert re.search(rf"^\| `{re.escape(name)}` \| {kind.replace('/msg/', '(/| )')}", text, re.MULTILINE), topic
    for name, kind in (("~/reset", "std_srvs/Trigger"), ("~/enable", "std_srvs/SetBool")):
        assert f"| `{name}` | {kind} |" in text


def test_encodings() -> None:
    text = (DOCS / "reference" / "topics.md").read_text()
    for name in ENCODINGS:
        pattern = re.fullmatch(r"bayer_(\w{4})(\d+)", name)
        assert (pattern.group(1) if pattern else name) in text, name


def test_parameters_of_the_viewer() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.*)` \| (.*) \|$", (DOCS / "howto" / "viewer.md").read_text(), re.MULTILINE)
    expected = [(p.name, str(p.default) or '""', p.description) for p in VIEWER_PARAMETERS]
    assert rows == expected
