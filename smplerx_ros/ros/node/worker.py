"""A worker thread that processes the newest item of each source; older items are dropped, not queued."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class LatestWorker(Generic[Item]):
    """Calls `handle(items)` in its own thread with the newest item of every source that has one.

    A call that hangs is abandoned by `stop` (the thread is a daemon); `handle` checks `stopping` before it publishes
    a late result.

    Args:
        handle: Must not raise.
        on_drop: Called with the source of each item that was replaced before it was handled.
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
        """Replace the pending item of this source; returns immediately."""
        with self._wake:
            dropped = source in self._items
            self._items[source] = item
            self._wake.notify()
        if dropped:
            self._on_drop(source)

    def stop(self, timeout: float) -> bool:
        """End the thread after the running call; False if that did not return within `timeout` seconds."""
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
