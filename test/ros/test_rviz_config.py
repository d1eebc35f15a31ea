"""config/smplerx.rviz shows what the node publishes: its topics, its namespaces and its frames."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from smplerx_ros.body.skeleton import JOINT_NAMES
from smplerx_ros.ros.conversions.markers import NAMESPACES

AXES_OF_RVIZ = 0.2  # metres, at scale 1


@pytest.fixture
def config() -> dict[str, Any]:
    path = Path(__file__).parents[2] / "config" / "smplerx.rviz"
    return yaml.safe_load(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@pytest.fixture
def displays(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {display["Name"]: display for display in config["Visualization Manager"]["Displays"]}


def test_frames_are_large_enough_to_be_seen_and_few(displays: dict[str, dict[str, Any]]) -> None:
    assert 0.1 <= displays["Joints"]["Marker Scale"] * AXES_OF_RVIZ <= 0.14
    wanted = re.compile(displays["Joints"]["Filter (whitelist)"])
    frames = [prefix + joint for prefix in ("smplx_0/", "robot2/smplx_12/") for joint in JOINT_NAMES]
    shown = [frame for frame in frames if wanted.search(frame)]
    assert len(shown) == 2 * 6
    assert all(wanted.fullmatch(frame) for frame in shown)  # whichever of them RViz asks for
    assert not wanted.search("camera_optical_frame")


def test_each_namespace_has_its_switch(displays: dict[str, dict[str, Any]]) -> None:
    assert set(displays["People"]["Namespaces"]) == set(NAMESPACES)


def test_the_window_has_room_for_its_images(config: dict[str, Any]) -> None:
    panels = [panel["Class"].rpartition("/")[2] for panel in config["Panels"]]
    assert panels == ["Displays"]
    window = config["Window Geometry"]
    state = bytes.fromhex(window["QMainWindow State"])
    for name in ("Displays", "Overlay", "Camera"):  # the names by which Qt finds what it places
        assert name.encode("utf-16-be") in state
        assert window[name] == {"collapsed": False}
