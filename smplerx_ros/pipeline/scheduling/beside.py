"""Work beside the caller's, in a thread of its own that holds up nobody's end."""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

Answer = TypeVar("Answer")
_Orders: TypeAlias = "SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None]"

END_S = 1.0  # for what runs when the process ends: an interpreter should not go away under native code


class Beside:
    """One thread, one piece of work after the other. It begins with the first, and ends with `close` or the object.

    The thread is a daemon: unlike that of a `ThreadPoolExecutor`, one that hangs does not keep the process alive.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._orders: _Orders = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, work: Callable[[], Answer]) -> Future[Answer]:
        """Do it after what was submitted before. Raises RuntimeError after `close`."""
        if self._closed:
            raise RuntimeError("closed: nothing more can be submitted")
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._orders,), name=self._name, daemon=True)
            self._thread.start()
            self._at_exit = partial(_end, self._orders, self._thread)
            atexit.register(self._at_exit)
            weakref.finalize(self, self._orders.put, None).atexit = False
        future: Future[Answer] = Future()
        self._orders.put((work, future))
        return future

    def close(self, timeout: float) -> bool:
        """Cancel what has not begun and end the thread; False where the rest takes more than `timeout` seconds."""
        self._closed = True
        if self._thread is None:
            return True
        while True:
            try:
                order = self._orders.get_nowait()
            except Empty:
                break
            if order is not None:
                order[1].cancel()
        self._orders.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        atexit.unregister(self._at_exit)
        return True


def _work(orders: _Orders) -> None:
    while (order := orders.get()) is not None:
        work, future = order
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(work())
            except BaseException as error:  # whoever waits for the answer gets it
                future.set_exception(error)
        del order, work, future  # they hold images and networks until the next one comes


def _end(orders: _Orders, thread: threading.Thread) -> None:
    orders.put(None)
    thread.join(END_S)
