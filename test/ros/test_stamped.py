"""Messages that belong to an image: by stamp, waited for only where they are likely to come."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from smplerx_ros.ros.stamped import PacedMessages, StampedMessages

A_DAY = 86_400.0
FRAME_NS = 33_000_000


def stamped(stamp_ns: int) -> SimpleNamespace:
    sec, nanosec = divmod(stamp_ns, 1_000_000_000)
    return SimpleNamespace(header=SimpleNamespace(stamp=SimpleNamespace(sec=sec, nanosec=nanosec)))


def test_the_nearest_in_time_is_taken() -> None:
    buffer = StampedMessages(0.05)
    messages = [stamped(k * 33_000_000) for k in range(4)]
    for made in messages:
        buffer.put(made)
    assert buffer.nearest(33_000_000) is messages[1]
    assert buffer.nearest(60_000_000) is messages[2]
    assert buffer.nearest(0) is messages[0]
    assert buffer.nearest(10_000_000_000) is None
    buffer.clear()
    assert buffer.nearest(33_000_000) is None


def test_old_messages_are_dropped() -> None:
    buffer = StampedMessages(0.05)
    for k in range(10):
        buffer.put(stamped(k * 1_000_000_000))
    assert buffer.nearest(0) is None
    assert buffer.nearest(9_000_000_000) is not None


def test_what_comes_a_little_later_is_waited_for() -> None:
    buffer, found = StampedMessages(0.5), []
    buffer.put(stamped(1_000_000_000))
    thread = threading.Thread(target=lambda: found.append(buffer.nearest(1_600_000_000)))
    thread.start()
    late = stamped(1_600_000_000)
    buffer.put(late)
    thread.join()
    assert found == [late]


def test_a_topic_that_fell_silent_is_not_waited_for() -> None:
    a_day = 86_400.0
    buffer = StampedMessages(a_day)
    assert buffer.nearest(1) is None
    buffer.put(stamped(1))
    assert buffer.nearest(100_000_000_000_000) is None


def test_each_message_is_taken_once_and_older_ones_are_gone() -> None:
    buffer = PacedMessages(0.1)
    assert buffer.take(FRAME_NS) is None
    assert buffer.offset_ns is None
    old, new, later = stamped(FRAME_NS), stamped(2 * FRAME_NS), stamped(3 * FRAME_NS)
    for made in (old, new, later):
        buffer.put(made)
    assert buffer.take(2 * FRAME_NS) is new
    assert buffer.take(2 * FRAME_NS) is later
    assert buffer.take(2 * FRAME_NS) is None
    assert buffer.take(100 * FRAME_NS) is None
    assert buffer.offset_ns == -97 * FRAME_NS


def test_boxes_of_every_image_are_waited_for() -> None:
    buffer, found = PacedMessages(A_DAY), []
    assert buffer.take(FRAME_NS) is None
    buffer.put(stamped(FRAME_NS))
    assert buffer.take(2 * FRAME_NS) is not None  # late, and still good for the next image
    buffer.put(stamped(2 * FRAME_NS))
    assert buffer.take(2 * FRAME_NS + 1) is not None
    thread = threading.Thread(target=lambda: found.append(buffer.take(3 * FRAME_NS)))
    thread.start()
    late = stamped(3 * FRAME_NS)
    buffer.put(late)
    thread.join()
    assert found == [late]


def test_a_detector_that_takes_every_tenth_image_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = PacedMessages(A_DAY)
    monkeypatch.setattr(buffer, "_may_come", lambda image_ns: waits.append(PacedMessages._may_come(buffer, image_ns)))
    waits: list[bool] = []
    for k in range(1, 40):
        if k % 10 == 0:
            buffer.put(stamped(k * FRAME_NS))
        taken = buffer.take(k * FRAME_NS)
        assert (taken is not None) == (k % 10 == 0)
    assert waits == [False] * 39
