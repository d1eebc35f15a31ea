"""Supervised child processes, which never outlive their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from typing import IO

POLL_S = 0.1
# Signals sent in turn, and seconds to wait for the end after each.
STOP_SIGNALS = ((signal.SIGINT, 4.0), (signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0))
LOG_TAIL_LINES = 25
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class ChildError(Exception):
    """A child process failed, ended unexpectedly or timed out; the message includes the end of its log."""


class Children:
    """Named child processes; a context manager that stops all of them on exit."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: dict[str, IO[bytes]] = {}
        self._fatal: dict[str, str] = {}

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop(self._processes.values())
        for log in self._logs.values():
            log.close()

    def start(
        self,
        name: str,
        module: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        show: bool = False,
        fatal: str = "",
    ) -> None:
        """Run `python -m module arguments`.

        Args:
            name: Name of the process.
            module: Module to run.
            *arguments: Its arguments.
            environment: Additions to the common environment.
            show: Show the output instead of keeping it for error messages.
            fatal: Text in the kept output that means failure although the process keeps running.
        """
        if fatal:
            self._fatal[name] = fatal
        output = None
        if not show:
            output = self._logs[name] = tempfile.TemporaryFile()  # noqa: SIM115 - closed at exit
        # A session of its own: Ctrl-C reaches this process only, which stops the others in order.
        self._processes[name] = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**self._environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output and subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )

    def wait(self, name: str, needed: Sequence[str], timeout: float, stop: threading.Event | None = None) -> None:
        """Wait until `name` ends with exit code 0.

        Raises:
            ChildError: It fails or times out, one of `needed` ends, any process fails, or one logs its `fatal` text.
            KeyboardInterrupt: `stop` was set.
        """
        deadline = time.monotonic() + timeout
        while (code := self._processes[name].poll()) is None:
            self.check(needed)
            if stop is not None and stop.is_set():
                raise KeyboardInterrupt
            if time.monotonic() > deadline:
                raise ChildError(self._describe(name, f"is not done after {timeout:g} s"))
            time.sleep(POLL_S)
        if code != 0:
            raise ChildError(self._describe(name, f"ended with exit code {code}"))

    def check(self, needed: Sequence[str]) -> None:
        """Raise ChildError if one of `needed` has ended, any process has failed, or one has logged its `fatal` text."""
        for name, process in self._processes.items():
            if process.poll() or (name in needed and process.poll() is not None):
                raise ChildError(self._describe(name, f"ended with exit code {process.poll()}"))
            if name in self._fatal and self._fatal[name] in self.log(name):
                raise ChildError(self._describe(name, "has failed"))

    def end(self, name: str) -> None:
        """Stop one process and forget it."""
        self._stop([self._processes.pop(name)])

    def pid(self, name: str) -> int:
        """Process id."""
        return self._processes[name].pid

    def log(self, name: str) -> str:
        """The last lines of a process's output; empty if it was shown."""
        log = self._logs.get(name)
        if log is None:
            return ""
        content = os.pread(log.fileno(), 1 << 20, max(0, os.fstat(log.fileno()).st_size - (1 << 20)))
        return "\n".join(content.decode(errors="replace").splitlines()[-LOG_TAIL_LINES:])

    def _describe(self, name: str, what: str) -> str:
        logs = [(other, self.log(other)) for other in sorted(self._logs, key=lambda other: other != name)]
        return "\n".join([f"the {name} {what}", *(f"--- log of the {other}\n{text}" for other, text in logs if text)])

    def _stop(self, processes: Collection[subprocess.Popen[bytes]]) -> None:
        for number, patience in STOP_SIGNALS:
            running = [process for process in processes if process.poll() is None]
            for process in running:
                process.send_signal(number)
            deadline = time.monotonic() + patience
            while any(process.poll() is None for process in running) and time.monotonic() < deadline:
                time.sleep(POLL_S / 5)


def _die_with_parent() -> None:
    """In the child: ask for SIGTERM when the parent dies, since a killed parent cannot stop its children."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
