"""The node's tests need ROS; without it they are left out, and the report's head says so."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

HAS_ROS = find_spec("rclpy") is not None
collect_ignore_glob = [] if HAS_ROS else ["test_*.py"]

# Helpers beside the tests.
sys.path.insert(0, str(Path(__file__).parent))


def pytest_report_header() -> str:
    return "" if HAS_ROS else "test/ros is left out: rclpy is not importable (source a ROS 2 environment)"
