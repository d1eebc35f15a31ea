"""Messages that belong to an image by their stamp: depth images, and boxes of a detector."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

from .from_messages import stamp_ns

Message = TypeVar("Message")

KEPT = 5  # messages: they may come a little before or after their image
_ALIVE_NS = 1_000_000_000  # a topic this far behind is not waited for


class StampedMessages(Generic[Message]):
    """The newest messages of a topic; `put` in one thread, the others in another. `max_age` in seconds."""

    def __init__(self, max_age: float) -> None:
        self._max_age_ns = round(max_age * 1e9)
        self._messages: deque[Message] = deque(maxlen=KEPT)
        self._arrived = threading.Condition()

    def put(self, message: Message) -> None:
        """A message arrived."""
        with self._arrived:
            self._messages.append(message)
            self._arrived.notify_all()

    def clear(self) -> None:
        """Forget all messages."""
        with self._arrived:
            self._messages.clear()

    def nearest(self, image_ns: int) -> Message | None:
        """The message nearest in time to an image, at most `max_age` away from it; None where there is none.

        Waits for it as long as `max_age`, but only where it is likely to come: it is often published a little later.
        """
        with self._arrived:
            if self._may_come(image_ns):
                self._arrived.wait_for(lambda: self._match(image_ns) is not None, self._max_age_ns * 1e-9)
            return self._match(image_ns)

    def _may_come(self, image_ns: int) -> bool:
        """Whether the topic is alive."""
        newest = max(map(stamp_ns, self._messages), default=None)
        return newest is not None and 0 < image_ns - newest < _ALIVE_NS

    def _match(self, image_ns: int) -> Message | None:
        nearest = min(self._messages, key=lambda message: abs(stamp_ns(message) - image_ns), default=None)
        if nearest is None or abs(stamp_ns(nearest) - image_ns) > self._max_age_ns:
            return None
        return nearest


class PacedMessages(StampedMessages[Message]):
    """Messages that may come for every image, or more seldom; each belongs to one image at most.

    An image waits for its message only where both images before it got theirs: a detector that takes every tenth image
    must not hold up the nine others.
    """

    def __init__(self, max_age: float) -> None:
        super().__init__(max_age)
        self._asked_ns: deque[int] = deque(maxlen=2)
        self._stamps_ns: deque[int] = deque(maxlen=2 * KEPT)  # of all that came, taken or not
        self.offset_ns: int | None = None  # of the newest message to the last image; None: none came

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
        """As `nearest`; the message, and those before it, are gone then."""
        found = self.nearest(image_ns)
        with self._arrived:
            self._asked_ns.append(image_ns)
            self.offset_ns = self._stamps_ns[-1] - image_ns if self._stamps_ns else None
            while found is not None and self._messages and stamp_ns(self._messages[0]) <= stamp_ns(found):
                self._messages.popleft()
        return found

    def _may_come(self, image_ns: int) -> bool:
        if not self._asked_ns or not 0 < image_ns - self._asked_ns[-1] < _ALIVE_NS:
            return False
        half = (image_ns - self._asked_ns[-1]) // 2
        return all(any(abs(stamp - asked) < half for stamp in self._stamps_ns) for asked in self._asked_ns)
