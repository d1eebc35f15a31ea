"""The process's memory: one heap for all threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# Allocates in several threads at once, and writes glibc's malloc_info(3) into a file.
SCRIPT = """
import ctypes, sys, threading
from smplerx_ros.ros.memory import share_one_heap

if sys.argv[2] == "shared":
    share_one_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
together = threading.Barrier(4)
def allocate():
    together.wait()
    libc.malloc(100_000)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.parametrize("kind", ["shared", "own"])
def test_threads_share_one_heap(tmp_path: Path, kind: str) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "info"), kind], check=True, timeout=60)
    heaps = (tmp_path / "info").read_text().count("<heap nr=")
    assert (heaps == 1) == (kind == "shared"), heaps
