"""A worker thread that runs jobs in the background and never blocks the end of the process."""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

Result = TypeVar("Result")
_Jobs: TypeAlias = "SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None]"

EXIT_TIMEOUT_S = 1.0  # wait for running native code at interpreter exit, which would otherwise crash


class BackgroundWorker:
    """Runs jobs one after the other in one thread, from the first job until `close` or the end of the object.

    The thread is a daemon: unlike a `ThreadPoolExecutor`'s, a thread that hangs does not keep the process alive.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: _Jobs = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, job: Callable[[], Result]) -> Future[Result]:
        """Run a job after those submitted before.

        Raises:
            RuntimeError: After `close`.
        """
        if self._closed:
            raise RuntimeError("closed: nothing more can be submitted")
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._jobs,), name=self._name, daemon=True)
            self._thread.start()
            self._at_exit = partial(_end, self._jobs, self._thread)
            atexit.register(self._at_exit)
            weakref.finalize(self, self._jobs.put, None).atexit = False
        future: Future[Result] = Future()
        self._jobs.put((job, future))
        return future

    def close(self, timeout: float) -> bool:
        """Cancel pending jobs and end the thread; False if the running job does not return within `timeout` seconds."""
        self._closed = True
        if self._thread is None:
            return True
        while True:
            try:
                pending = self._jobs.get_nowait()
            except Empty:
                break
            if pending is not None:
                pending[1].cancel()
        self._jobs.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        atexit.unregister(self._at_exit)
        return True


def _work(jobs: _Jobs) -> None:
    while (pending := jobs.get()) is not None:
        job, future = pending
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(job())
            except BaseException as error:  # raised in the thread that waits for the result
                future.set_exception(error)
        del pending, job, future  # they reference images and networks until the next job arrives


def _end(jobs: _Jobs, thread: threading.Thread) -> None:
    jobs.put(None)
    thread.join(EXIT_TIMEOUT_S)
