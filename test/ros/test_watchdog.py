"""What is watched, when it is overdue, and that it is told once."""

from __future__ import annotations

import threading

from smplerx_ros.ros.node.watchdog import PeriodicThread, Watchdog


def test_a_hang_is_told_once_and_forgotten_when_it_ends() -> None:
    now, told = [0.0], list[str]()
    watch = Watchdog(lambda: now[0], told.append)
    with watch.over("loading", 5.0), watch.over("warming up", 1.0):
        assert watch.overdue() == ""
        now[0] = 3.0
        assert watch.overdue() == watch.overdue() == "warming up has not returned for 3 s"
    assert watch.overdue() == ""
    assert told == ["warming up has not returned for 3 s"]


def test_what_other_threads_do_can_be_given_up() -> None:
    now, inside, leave = [0.0], threading.Event(), threading.Event()
    watch = Watchdog(lambda: now[0], lambda _: None)

    def hang() -> None:
        with watch.over("the estimation", 1.0):
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=hang)
    thread.start()
    assert inside.wait(10)
    with watch.over("cleaning up", 1.0):
        now[0] = 9.0
        assert watch.overdue() == "the estimation has not returned for 9 s"
        watch.clear()
        assert watch.overdue() == "cleaning up has not returned for 9 s"
    leave.set()
    thread.join(10)
    assert watch.overdue() == ""


def test_nothing_is_called_after_stop() -> None:
    called = threading.Event()
    repeater = PeriodicThread(0.001, called.set, "test")
    assert called.wait(10)
    repeater.stop()
    called.clear()
    assert not called.wait(0.05)


def test_an_exception_does_not_end_the_calls() -> None:
    calls, thrice = [0], threading.Event()

    def fail() -> None:
        calls[0] += 1
        if calls[0] == 3:
            thrice.set()
        raise ValueError("no")

    repeater = PeriodicThread(0.001, fail, "test")
    assert thrice.wait(10)
    repeater.stop()
