"""Work in a thread of its own: in order, given up where it hangs, and never in the way of the process's end."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time

import pytest

from smplerx_ros.pipeline.scheduling.background import BackgroundWorker

HANGS = """
import threading, time
from smplerx_ros.pipeline.scheduling.background import BackgroundWorker
begun = threading.Event()
beside = BackgroundWorker("hangs")
beside.submit(lambda: (begun.set(), time.sleep(60)))
begun.wait()
"""


def threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def test_work_is_done_in_order_by_one_thread() -> None:
    beside, seen = BackgroundWorker("in_order"), []
    futures = [beside.submit(lambda k=k: seen.append((k, threading.get_ident()))) for k in range(20)]
    futures[-1].result(10)
    assert [k for k, _ in seen] == list(range(20))
    assert len({thread for _, thread in seen}) == 1
    assert seen[0][1] != threading.get_ident()
    assert beside.close(10)


def test_what_the_work_raises_is_its_answer_and_the_next_is_done() -> None:
    beside = BackgroundWorker("raises")
    with pytest.raises(ZeroDivisionError):
        beside.submit(lambda: 1 / 0).result(10)
    assert beside.submit(lambda: 3).result(10) == 3
    beside.close(10)


def test_close_cancels_what_waits_and_leaves_what_hangs() -> None:
    beside, begun, go_on = BackgroundWorker("close"), threading.Event(), threading.Event()
    hanging = beside.submit(lambda: (begun.set(), go_on.wait(10)))
    waiting = beside.submit(lambda: None)
    assert begun.wait(10)
    assert not beside.close(0.01)
    assert waiting.cancelled()
    assert not hanging.done()
    with pytest.raises(RuntimeError, match="closed"):
        beside.submit(lambda: None)
    go_on.set()
    assert beside.close(10)
    assert not threads("close")


def test_nothing_is_left_for_the_end_of_the_process_after_close(monkeypatch: pytest.MonkeyPatch) -> None:
    at_end: list[object] = []
    monkeypatch.setattr("atexit.register", at_end.append)
    monkeypatch.setattr("atexit.unregister", at_end.remove)
    beside = BackgroundWorker("left")
    beside.submit(lambda: None).result(10)
    assert len(at_end) == 1
    assert beside.close(10)
    assert not at_end


def test_without_work_there_is_no_thread() -> None:
    beside = BackgroundWorker("idle")
    assert not threads("idle")
    assert beside.close(0.0)


def test_the_thread_ends_with_the_object() -> None:
    beside = BackgroundWorker("forgotten")
    beside.submit(lambda: None).result(10)
    (thread,) = threads("forgotten")
    del beside
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_what_hangs_does_not_keep_the_process() -> None:
    began = time.monotonic()
    assert subprocess.run([sys.executable, "-c", HANGS], timeout=50).returncode == 0
    assert time.monotonic() - began < 30  # far below the sleep; importing takes most of it
