"""Time synchronization: matches depth images and detections with images by their stamps.

Why not message_filters: docs/decisions/ros_libraries.md.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from itertools import pairwise
from statistics import median_low
from typing import Generic, TypeVar

from smplerx_ros.ros.conversions.from_person_array import stamp_ns

Message = TypeVar("Message")

KEPT = 5  # messages per topic: they may arrive a little before or after their image
_ALIVE_NS = 1_000_000_000  # a topic this far behind is not waited for; a step back by this much is a restart
_SIMULTANEOUS_NS = 5_000_000  # stamps of separately triggered cameras differ by more


class StampedMessages(Generic[Message]):
    """Buffer of a topic's newest messages, from which each image takes the nearest one.

    `put` is called in the executor's thread, everything else in the worker's. An image waits for its message only if
    one is due by the topic's period, and earlier messages arrived in time. So a topic with a message for every second
    image does not delay the other images, and one that is always late delays none.

    Args:
        sync_tolerance: Largest difference between the stamps of image and message, and longest wait, seconds.
    """

    def __init__(self, sync_tolerance: float) -> None:
        self._sync_tolerance_ns = round(sync_tolerance * 1e9)
        self._messages: deque[Message] = deque(maxlen=KEPT)
        self._arrived = threading.Condition()
        self._in_time = True  # whether the newest message arrived in time, or would have if waited for
        self._asked = 0, 0.0  # stamp of the last image, and time of its request (time.monotonic)

    def put(self, message: Message) -> None:
        """A message arrived."""
        stamp = stamp_ns(message)
        with self._arrived:
            if self._messages and stamp < self._newest_ns - _ALIVE_NS:
                self._messages.clear()
            self._messages.append(message)
            asked_ns, asked_at = self._asked
            half, since_ns = self._period_ns // 2, (time.monotonic() - asked_at) * 1e9
            self._in_time |= stamp > asked_ns + half or (
                stamp >= asked_ns - half and since_ns <= self._sync_tolerance_ns
            )
            self._arrived.notify_all()

    def clear(self) -> None:
        """Forget all messages."""
        with self._arrived:
            self._messages.clear()
            self._in_time, self._asked = True, (0, 0.0)

    def nearest(self, image_ns: int) -> Message | None:
        """The message with the stamp nearest to the image's, within `sync_tolerance`; None if there is none.

        Waits up to `sync_tolerance` if the message is due: it is often published a little later than the image.
        """
        with self._arrived:
            self._asked = image_ns, time.monotonic()
            if self._may_come(image_ns):
                due_ns = self._due_ns(image_ns)
                came = self._arrived.wait_for(lambda: self._newest_ns >= due_ns, self._sync_tolerance_ns * 1e-9)
                self._in_time = self._in_time and came
            return self._match(image_ns)

    def _may_come(self, image_ns: int) -> bool:
        """Whether a message is due for this image and has not arrived; one due much later belongs to the next image."""
        if not self._messages or not self._in_time or not 0 < image_ns - self._newest_ns < _ALIVE_NS:
            return False
        return self._newest_ns < self._expected_ns(image_ns) <= image_ns + self._simultaneous_ns

    def _due_ns(self, image_ns: int) -> int:
        """Lowest stamp of the message to wait for."""
        return self._expected_ns(image_ns) - self._simultaneous_ns

    def _expected_ns(self, image_ns: int) -> int:
        """The stamp nearest to the image's by the topic's period; the image's own if the period is unknown."""
        period = self._period_ns
        return self._newest_ns + round((image_ns - self._newest_ns) / period) * period if period else image_ns

    @property
    def _newest_ns(self) -> int:
        return max(map(stamp_ns, self._messages), default=0)

    @property
    def _period_ns(self) -> int:
        """Median time between two messages; 0: not known yet."""
        stamps = sorted(map(stamp_ns, self._messages))
        return median_low([later - earlier for earlier, later in pairwise(stamps)] or [0])

    @property
    def _simultaneous_ns(self) -> int:
        return min(self._period_ns // 4, _SIMULTANEOUS_NS)

    def _match(self, image_ns: int) -> Message | None:
        """The nearest message; of several with the same stamp the last."""
        newest_first = reversed(self._messages)
        nearest = min(newest_first, key=lambda message: abs(stamp_ns(message) - image_ns), default=None)
        if nearest is None or abs(stamp_ns(nearest) - image_ns) > self._sync_tolerance_ns:
            return None
        return nearest


class PacedMessages(StampedMessages[Message]):
    """Messages for every image or for some of them, each of which belongs to one image at most.

    An image waits for its message only if both images before it got theirs: a detector that processes every tenth image
    must not delay the nine others.
    """

    def __init__(self, sync_tolerance: float) -> None:
        super().__init__(sync_tolerance)
        self._asked_ns: deque[int] = deque(maxlen=2)
        self._stamps_ns: deque[int] = deque(maxlen=2 * KEPT)  # of all messages, taken or not
        self.offset_ns: int | None = None  # of the newest message from the last image; None: no message yet

    def put(self, message: Message) -> None:
        """A message arrived."""
        with self._arrived:
            self._stamps_ns.append(stamp_ns(message))
        super().put(message)

    def clear(self) -> None:
        """Forget all messages."""
        with self._arrived:
            self._asked_ns.clear()
            self._stamps_ns.clear()
            self.offset_ns = None
        super().clear()

    def take(self, image_ns: int) -> Message | None:
        """As `nearest`; removes the message and those before it."""
        found = self.nearest(image_ns)
        with self._arrived:
            self._asked_ns.append(image_ns)
            self.offset_ns = self._stamps_ns[-1] - image_ns if self._stamps_ns else None
            while found is not None and self._messages and stamp_ns(self._messages[0]) <= stamp_ns(found):
                self._messages.popleft()
        return found

    def _may_come(self, image_ns: int) -> bool:
        if len(self._asked_ns) < 2 or not 0 < image_ns - self._asked_ns[-1] < _ALIVE_NS:
            return False
        half = (image_ns - self._asked_ns[-1]) // 2
        return all(any(abs(stamp - asked) < half for stamp in self._stamps_ns) for asked in self._asked_ns)

    def _due_ns(self, image_ns: int) -> int:
        """A stamp nearer to this image than to the last one, whose message may have arrived late."""
        return image_ns - (image_ns - self._asked_ns[-1]) // 2 + 1
