"""The mailbox of one item a source: the newest item wins, drops are counted, a hang is abandoned."""

from __future__ import annotations

import threading

from smplerx_ros.ros.node.worker import LatestWorker


def test_the_newest_of_each_source_wins_and_the_others_are_counted() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()
    handled: list[dict[str, int]] = []
    drops: list[str] = []

    def handle(items: dict[str, int]) -> None:
        handled.append(items)
        begun.set()
        assert go_on.wait(10)
        if items == {"front": 5, "left": 6}:
            done.set()

    worker = LatestWorker(handle, drops.append)
    worker.put("front", 1)
    assert begun.wait(10)
    for item in (2, 3, 4, 5):
        worker.put("front", item)
    worker.put("left", 6)
    go_on.set()
    assert done.wait(10)
    assert worker.stop(10)
    assert handled == [{"front": 1}, {"front": 5, "left": 6}]
    assert drops == ["front"] * 3


def test_a_call_that_hangs_is_abandoned() -> None:
    begun, never = threading.Event(), threading.Event()
    wanted: list[bool] = []

    def handle(_: dict[str, int]) -> None:
        begun.set()
        never.wait(10)
        wanted.append(not worker.stopping)

    worker = LatestWorker(handle, lambda _: None)
    worker.put("front", 1)
    assert begun.wait(10)
    assert worker.stop(0.01) is False
    never.set()
    assert worker.stop(10)
    assert wanted == [False]


def test_what_waits_is_not_handled_after_stop() -> None:
    begun, go_on = threading.Event(), threading.Event()
    handled: list[dict[str, int]] = []

    def handle(items: dict[str, int]) -> None:
        handled.append(items)
        begun.set()
        go_on.wait(10)

    worker = LatestWorker(handle, lambda _: None)
    worker.put("front", 1)
    assert begun.wait(10)
    worker.put("front", 2)
    stopper = threading.Thread(target=worker.stop, args=(10,))
    stopper.start()
    while not worker.stopping:
        pass
    go_on.set()
    stopper.join(10)
    assert handled == [{"front": 1}]
