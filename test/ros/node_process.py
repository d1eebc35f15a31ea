"""The node as a process with the quick estimator."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

FAKE_NODE = Path(__file__).with_name("fake_estimator.py")


class NodeProcess:
    """Runs `command`, by default the node with the quick estimator; its log is in a file."""

    def __init__(
        self,
        log: Path,
        *parameters: str,
        command: tuple[str, ...] = (sys.executable, str(FAKE_NODE)),
        remaps: tuple[str, ...] = (),
        params_files: tuple[Path, ...] = (),
    ) -> None:
        arguments = [part for parameter in parameters for part in ("-p", parameter)]
        arguments += [part for remap in remaps for part in ("-r", remap)]
        arguments += [part for file in params_files for part in ("--params-file", str(file))]
        self._log = log
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [*command, "--ros-args", *arguments], stdout=file, stderr=subprocess.STDOUT
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_for_log(self, text: str, timeout: float = 30.0) -> None:
        end = time.monotonic() + timeout
        while text not in self.log:
            assert self.alive(), f"the node ended with {self._process.returncode}:\n{self.log}"
            assert time.monotonic() < end, f"{text!r} did not appear:\n{self.log}"
            time.sleep(0.02)

    def handles(self, number: signal.Signals) -> bool:
        """Whether the process has its own handler for a signal (Linux: /proc/<pid>/status, SigCgt)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
        return bool(int(caught, 16) >> (number - 1) & 1)

    def stop(self, number: signal.Signals = signal.SIGINT, timeout: float = 10.0) -> tuple[int, float]:
        """Exit code and seconds it took to end."""
        start = time.monotonic()
        self._process.send_signal(number)
        return self.wait(timeout), time.monotonic() - start

    def wait(self, timeout: float = 30.0) -> int:
        return self._process.wait(timeout)

    def kill(self) -> None:
        if self.alive():
            self._process.kill()
            self._process.wait()
