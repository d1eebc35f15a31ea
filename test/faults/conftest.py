"""The fault suite talks to the node over DDS; without ROS it is left out."""

from __future__ import annotations

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

collect_ignore_glob = [] if find_spec("rclpy") else ["test_*.py"]

# Helpers, for the tests and for the nodes that they start: these, and the graph and the process of the node's tests.
HELPERS = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "ros")]
sys.path[:0] = HELPERS
os.environ["PYTHONPATH"] = os.pathsep.join([*HELPERS, os.environ.get("PYTHONPATH", "")])

# A suite that a shell started in the background ignores SIGINT, and so would the processes that it sends one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
