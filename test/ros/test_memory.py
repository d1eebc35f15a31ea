"""The node's process keeps the memory of images, before it takes the first one."""

import subprocess
import sys

PROGRAM = """
import os
from smplerx_ros.runtime import heap

heap.keep_freed_memory = lambda: os._exit(42)
from smplerx_ros.ros.node.main import main

main()
"""


def test_the_executable_keeps_freed_memory() -> None:
    assert subprocess.run([sys.executable, "-c", PROGRAM], timeout=60).returncode == 42
