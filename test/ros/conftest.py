"""The node's tests need ROS; without it they are left out, and the report's head says so."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

HAS_ROS = find_spec("rclpy") is not None
collect_ignore_glob = [] if HAS_ROS else ["test_*.py"]

# Helpers beside the tests.
sys.path.insert(0, str(Path(__file__).parent))


def pytest_report_header() -> str:
    return "" if HAS_ROS else "test/ros is left out: rclpy is not importable (source a ROS 2 environment)"


@pytest.fixture
def graph() -> Iterator[Any]:
    """A camera and a listener."""
    from graph import Graph

    made = Graph()
    yield made
    made.close()


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start the node with the quick estimator, as a process: `start_node("parameter:=value", ...)`."""
    from node_process import NodeProcess

    started: list[NodeProcess] = []

    def start(*parameters: str, **options: Any) -> NodeProcess:
        started.append(NodeProcess(tmp_path / f"node{len(started)}.log", *parameters, **options))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def make_node() -> Iterator[Callable[..., Any]]:
    """Makes nodes in this process: `make_node({parameter: value})`."""
    from node_object import Noted, make_node, own_context

    Noted.made.clear()
    nodes: list[Any] = []
    with own_context(nodes) as context:

        def make(parameters: dict[str, Any] | None = None) -> Any:
            nodes.append(make_node(context, parameters or {}))
            return nodes[-1]

        yield make
