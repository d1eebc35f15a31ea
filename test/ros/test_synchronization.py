"""Messages that belong to an image: by stamp, waited for only where they are likely to come."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from smplerx_ros.ros.conversions.from_person_array import stamp_ns
from smplerx_ros.ros.input import synchronization as synchronization_module
from smplerx_ros.ros.input.synchronization import PacedMessages, StampedMessages

A_DAY = 86_400.0
FRAME_NS = 33_000_000
FIRST = 1_000_000_000  # stamp of the first image


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


class Camera:
    """Images, and a topic whose messages have stamps near theirs and come some time after them.

    Time is the test's own: waiting moves it on to the next arrival, or by as long as is waited at most.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, sync_tolerance: float, delay_s: float) -> None:
        self.buffer = StampedMessages[Any](sync_tolerance)
        self.now, self.waited = 0.0, 0.0
        self._delay_s = delay_s
        self._coming: list[tuple[float, int]] = []  # when, and with which stamp
        monkeypatch.setattr(synchronization_module.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(self.buffer._arrived, "wait_for", self._wait_for)

    def sends(self, stamp_ns: int) -> None:
        """A message that was measured then."""
        self._coming.append(((stamp_ns - FIRST) * 1e-9 + self._delay_s, stamp_ns))

    def shows(self, image_ns: int) -> int | None:
        """Stamp of the message that an image gets, counted from the image's own."""
        self._go_on_to(max(self.now, (image_ns - FIRST) * 1e-9))
        before = self.now
        found = self.buffer.nearest(image_ns)
        self.waited = self.now - before
        return None if found is None else stamp_ns(found) - image_ns

    def _go_on_to(self, time: float) -> None:
        for arrival in sorted(self._coming):
            if arrival[0] <= time:
                self._coming.remove(arrival)
                self.now = max(self.now, arrival[0])
                self.buffer.put(stamped(arrival[1]))
        self.now = time

    def _wait_for(self, reached: Callable[[], bool], timeout: float) -> bool:
        end = self.now + timeout
        while not reached() and self._coming and min(self._coming)[0] <= end:
            self._go_on_to(min(self._coming)[0])
        self._go_on_to(self.now if reached() else end)
        return reached()


def followed(camera: Camera, images: int, every: int, offset_ns: int = 0) -> tuple[list[int | None], list[float]]:
    """What each image gets, and for how long it waits, where every n-th image has a message."""
    for k in range(-3 * every, images, every):
        camera.sends(FIRST + k * FRAME_NS + offset_ns)
    got, waits = [], []
    for k in range(images):
        got.append(camera.shows(FIRST + k * FRAME_NS))
        waits.append(camera.waited)
    return got, waits


@pytest.mark.parametrize("delay_s", [-0.01, 0.0, 0.005, 0.030, 0.045])
def test_every_image_gets_its_own_though_it_comes_a_little_later(
    monkeypatch: pytest.MonkeyPatch, delay_s: float
) -> None:
    got, waits = followed(Camera(monkeypatch, 0.05, delay_s), 30, 1)
    assert got == [0] * 30
    assert max(waits) <= max(delay_s, 0.0) + 1e-9


@pytest.mark.parametrize("every", [2, 3, 5])
def test_images_between_a_slower_topics_messages_wait_for_nothing(monkeypatch: pytest.MonkeyPatch, every: int) -> None:
    got, waits = followed(Camera(monkeypatch, 0.02, 0.005), 30, every)
    assert got == [None if k % every else 0 for k in range(30)]
    assert [wait > 0 for wait in waits] == [k % every == 0 for k in range(30)]


def test_the_nearest_one_will_do_where_clocks_are_not_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 ms before the image: waited for. 15 ms after it: the one before is nearly as good, and is there."""
    got, _ = followed(Camera(monkeypatch, 0.05, 0.02), 20, 1, -10_000_000)
    assert got == [-10_000_000] * 20
    got, waits = followed(Camera(monkeypatch, 0.05, 0.02), 20, 1, 15_000_000)
    assert waits == [0.0] * 20


def test_who_is_always_too_late_holds_up_one_image_only(monkeypatch: pytest.MonkeyPatch) -> None:
    _, waits = followed(Camera(monkeypatch, 0.05, 0.08), 60, 1)
    assert sum(wait > 0 for wait in waits) <= 2
    assert sum(waits) <= 0.1 + 1e-9


def test_one_that_is_lost_holds_up_its_own_image_only(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Camera(monkeypatch, 0.02, 0.005)
    for k in range(-3, 30):
        if k != 10:
            camera.sends(FIRST + k * FRAME_NS)
    got, waits = zip(*((camera.shows(FIRST + k * FRAME_NS), camera.waited) for k in range(30)), strict=True)
    assert got[:10] == (0,) * 10
    assert got[10] is None
    assert got[12:] == (0,) * 18
    assert max(waits) <= 0.02 + 1e-9
    assert sum(wait > 0.006 for wait in waits) == 1


def test_a_topic_that_stops_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Camera(monkeypatch, 0.05, 0.005)
    for k in range(10):
        camera.sends(FIRST + k * FRAME_NS)
    waits = []
    for k in range(60):
        camera.shows(FIRST + k * FRAME_NS)
        waits.append(camera.waited)
    assert sum(wait > 0.006 for wait in waits) == 1


def test_a_recording_that_begins_anew_is_followed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes from before the step back is not taken for news."""
    buffer = StampedMessages[Any](0.05)
    for k in range(8):
        buffer.put(stamped(100 * FIRST + k * FRAME_NS))
    again = stamped(FIRST)
    buffer.put(again)
    assert buffer.nearest(FIRST) is again
    assert buffer.nearest(100 * FIRST + 7 * FRAME_NS) is None


def test_of_several_with_one_stamp_the_last_is_taken() -> None:
    """Above all of those without one."""
    buffer = StampedMessages[Any](0.05)
    messages = [stamped(0) for _ in range(3)]
    for made in messages:
        buffer.put(made)
    assert buffer.nearest(0) is messages[-1]


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


def test_boxes_of_the_frame_before_are_not_taken_for_those_that_are_about_to_come() -> None:
    """Both come late: the image waits for its own."""
    buffer, found = PacedMessages(A_DAY), []
    for k in range(1, 4):
        buffer.put(stamped(k * FRAME_NS))
        assert buffer.take(k * FRAME_NS) is not None
    before, own = stamped(4 * FRAME_NS), stamped(5 * FRAME_NS)
    buffer.put(before)  # its image was not taken
    thread = threading.Thread(target=lambda: found.append(buffer.take(5 * FRAME_NS)))
    thread.start()
    thread.join(0.2)
    buffer.put(own)
    thread.join()
    assert found == [own]


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
