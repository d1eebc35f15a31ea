"""Child processes that are watched while they run and never outlive their parent."""

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
# Seconds for a process to end by itself after each of these signals.
STOP_SIGNALS = ((signal.SIGINT, 4.0), (signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0))
LOG_TAIL_LINES = 25
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class ChildError(Exception):
    """A process ended that should not have, or took too long; says which, and holds the end of its log."""


class Children:
    """Processes by name; a context manager that stops all of them at the end, however it comes."""

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
        """Run `python -m module arguments` with additions to the common environment.

        Its output is kept for the case of failure, or shown at once. A kept one with the text `fatal` is a failure of a
        process that goes on running.
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

        Raises ChildError if it ends otherwise or not in time, if one of `needed` ends, or if any process fails or says
        what is fatal, and KeyboardInterrupt when `stop` is set.
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
        """Raises ChildError if one of `needed` has ended, any process has failed, or one has said what is fatal."""
        for name, process in self._processes.items():
            if process.poll() or (name in needed and process.poll() is not None):
                raise ChildError(self._describe(name, f"ended with exit code {process.poll()}"))
            if name in self._fatal and self._fatal[name] in self.log(name):
                raise ChildError(self._describe(name, "has failed"))

    def end(self, name: str) -> None:
        """Stop one process, which then counts as if it had never run."""
        self._stop([self._processes.pop(name)])

    def pid(self, name: str) -> int:
        """Process number."""
        return self._processes[name].pid

    def log(self, name: str) -> str:
        """The end of what a process wrote; empty where it was shown at once."""
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
    """In the child: end when the parent is killed, which leaves it no time to stop anybody."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
