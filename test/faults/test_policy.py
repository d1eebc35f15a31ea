"""The SROS 2 policy allows what the node does, and nothing else that it does not do."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from xml.etree import ElementTree

from scene import Scene

POLICY = Path(__file__).parents[2] / "config" / "sros2" / "policy.xml"
# Not subscribed or published in the default configuration.
OPTIONAL = {"/image/compressed", "/depth", "/detections", "/clock", "/tf", "/tf_static", "/parameter_events"}
MANAGED = {"/bond"}  # published with autostart off


def allowed(kind: str, right: str) -> set[str]:
    """Names of the policy in full."""
    profile = ElementTree.parse(POLICY).find(".//profile")
    assert profile is not None
    names = {entry.text or "" for group in profile.iter(f"{kind}s") if group.get(right) for entry in group.iter(kind)}
    node = f"{profile.get('ns')}{profile.get('node')}"
    return {name.replace("~", node, 1) if name.startswith("~") else f"/{name.lstrip('/')}" for name in names}


def covered(names: set[str], patterns: set[str]) -> None:
    outside = {name for name in names if not any(fnmatchcase(name, pattern) for pattern in patterns)}
    assert not outside, "the policy lacks these"


def test_the_policy_is_the_nodes(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    try:
        scene.graph.connect()
        scene.good()
        node = scene.graph.node
        who = ("smplerx", "/")
        published = {name for name, _ in node.get_publisher_names_and_types_by_node(*who)}
        subscribed = {name for name, _ in node.get_subscriber_names_and_types_by_node(*who)}
        served = {name for name, _ in node.get_service_names_and_types_by_node(*who)}
    finally:
        scene.close()
    topics_out, topics_in, services = (
        allowed("topic", "publish"),
        allowed("topic", "subscribe"),
        allowed("service", "reply"),
    )
    covered(published, topics_out)
    covered(subscribed, topics_in)
    covered(served, services)
    assert {name for name in topics_out if "*" not in name} <= published | MANAGED
    assert topics_in - OPTIONAL <= subscribed
