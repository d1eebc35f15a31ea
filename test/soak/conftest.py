"""The soak test uses the fault suite's node, camera and failures; without ROS it is left out."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

collect_ignore_glob = [] if find_spec("rclpy") else ["test_*.py"]

HELPERS = [str(Path(__file__).parents[1] / name) for name in ("soak", "faults", "ros")]
sys.path[:0] = HELPERS
os.environ["PYTHONPATH"] = os.pathsep.join([*HELPERS, os.environ.get("PYTHONPATH", "")])
