"""The mailbox of one: the newest item wins, drops are counted, a hang is abandoned."""

from __future__ import annotations

import threading

from smplerx_ros.ros.worker import LatestWorker


def test_the_newest_wins_and_the_others_are_counted() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()
    handled: list[int] = []
    drops: list[None] = []

    def handle(item: int) -> None:
        handled.append(item)
        begun.set()
        assert go_on.wait(10)
        if item == 5:
            done.set()

    worker = LatestWorker(handle, lambda: drops.append(None))
    worker.put(1)
    assert begun.wait(10)
    for item in (2, 3, 4, 5):
        worker.put(item)
    go_on.set()
    assert done.wait(10)
    assert worker.stop(10)
    assert handled == [1, 5]
    assert len(drops) == 3


def test_a_call_that_hangs_is_abandoned() -> None:
    begun, never = threading.Event(), threading.Event()
    wanted: list[bool] = []

    def handle(_: int) -> None:
        begun.set()
        never.wait(10)
        wanted.append(not worker.stopping)

    worker = LatestWorker(handle, lambda: None)
    worker.put(1)
    assert begun.wait(10)
    assert worker.stop(0.01) is False
    never.set()
    assert worker.stop(10)
    assert wanted == [False]


def test_what_waits_is_not_handled_after_stop() -> None:
    begun, go_on = threading.Event(), threading.Event()
    handled: list[int] = []

    def handle(item: int) -> None:
        handled.append(item)
        begun.set()
        go_on.wait(10)

    worker = LatestWorker(handle, lambda: None)
    worker.put(1)
    assert begun.wait(10)
    worker.put(2)
    stopper = threading.Thread(target=worker.stop, args=(10,))
    stopper.start()
    while not worker.stopping:
        pass
    go_on.set()
    stopper.join(10)
    assert handled == [1]
