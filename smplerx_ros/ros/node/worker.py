"""One thread and a mailbox of one item a source: the newest wins, nothing queues."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class LatestWorker(Generic[Item]):
    """Calls `handle(items)` in its own thread with the newest item of every source that has one.

    `on_drop(source)` counts the others.
    `handle` must not raise. `stop` waits a stated time and no longer: a call that hangs is abandoned (the thread is a
    daemon), and `handle` asks `stopping` before it lets a late result out.
    """

    def __init__(self, handle: Callable[[dict[str, Item]], None], on_drop: Callable[[str], None]) -> None:
        self._handle = handle
        self._on_drop = on_drop
        self._wake = threading.Condition()
        self._items: dict[str, Item] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="smplerx_worker", daemon=True)
        self._thread.start()

    @property
    def stopping(self) -> bool:
        """Whether results are no longer wanted."""
        return self._stopping

    def put(self, source: str, item: Item) -> None:
        """Replace what waits of this source by `item`; returns at once."""
        with self._wake:
            dropped = source in self._items
            self._items[source] = item
            self._wake.notify()
        if dropped:
            self._on_drop(source)

    def stop(self, timeout: float) -> bool:
        """End the thread after the call that runs; False where that did not return within `timeout` seconds."""
        with self._wake:
            self._stopping, self._items = True, {}
            self._wake.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._stopping or self._items)
                if self._stopping:
                    return
                items, self._items = self._items, {}
            self._handle(items)
