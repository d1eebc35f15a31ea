"""Memory that is kept, in processes of their own: it is a setting of the whole process."""

import ctypes
import subprocess
import sys
import textwrap

import pytest

from smplerx_ros.runtime import heap

PAGES = 3 * 6_220_800 // 4096  # of three images of 1920x1080
ROUNDS = 20
PROGRAM = """
    import resource, sys, threading
    import numpy as np
    from smplerx_ros.runtime.heap import keep_freed_memory

    def faults(rounds):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(rounds):
            images = [np.ones((1080, 1920, 3), np.uint8) for _ in range(3)]
            del images
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    def count():
        faults(3)
        print(faults({rounds}), flush=True)

    if sys.argv[1] == "kept":
        assert keep_freed_memory()
    count()
    thread = threading.Thread(target=count)
    thread.start()
    thread.join()
"""

glibc = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="a setting of glibc's"
)


def faults(how: str) -> list[int]:
    """New pages for `ROUNDS` times three images, in the main thread and in another one."""
    program = textwrap.dedent(PROGRAM).format(rounds=ROUNDS)
    answer = subprocess.run([sys.executable, "-c", program, how], capture_output=True, text=True, check=True)
    return [int(line) for line in answer.stdout.split()]


@glibc
def test_images_find_their_pages_again():
    assert max(faults("kept")) < PAGES / 10


@glibc
def test_the_c_library_alone_gives_them_back():
    """Where it no longer does, the setting has lost its purpose."""
    assert min(faults("given back")) > ROUNDS * PAGES / 10


def test_another_libc_is_told(monkeypatch):
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: object())
    assert heap.keep_freed_memory() is False
