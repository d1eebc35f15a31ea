"""The node's side of the drawing process: keeps the newest frame of each camera until it can be drawn."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from .scene import Scene, SharedMemory, write

CLEAR = b"clear"
RESTART_S = 10.0  # delay until the drawing process is restarted after it has ended by itself
SLOW_DRAWING_S = 5.0  # for one scene; then a warning tells the user why nothing is drawn
EXIT_TIMEOUT_S = 2.0  # for the drawing process to end
COMMAND = (sys.executable, "-m", "smplerx_ros.ros.drawing.main")
# Draw with one thread, and import modules from where the node does, not from the working directory.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}


@dataclass(frozen=True)
class Topic:
    """Fully qualified name and QoS of a topic."""

    name: str
    qos: Mapping[str, int]  # as from `qos.numbers_of`


@dataclass(frozen=True)
class Settings:
    """Settings of the drawing process."""

    node: str  # name of its node
    namespace: str
    domain: int
    enclave: str  # SROS 2 enclave of the node, whose permissions the process shares
    body_model: str  # file; empty: the embedded one
    markers: Topic
    overlays: Mapping[str, Topic]  # by camera
    compressed: Mapping[str, Topic]  # the overlays as JPEG, by camera


class DrawingClient:
    """Draws in another process, which is started with the first scene and restarted if it ends by itself.

    The drawing process ends with this one, however this one ends. All methods may be called from any thread; all but
    `close` return immediately.

    Args:
        settings: Settings of the process.
        warn: Called with messages for the user.
        command: Command of the process, to which its arguments are appended.
    """

    def __init__(self, settings: Settings, warn: Callable[[str], object], *, command: Sequence[str] = COMMAND) -> None:
        self._settings = settings
        self._warn = warn
        self._command = command
        self._wake = threading.Condition()
        self._waiting: dict[str, Scene] = {}  # the newest scene of each camera
        self._cleared = 0  # number of calls of `clear`
        self._closing = False
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._handed_s: float | None = None  # when the scene being drawn was handed over
        self.shown = self.dropped = 0  # scenes

    def show(self, scene: Scene) -> None:
        """Draw a scene when the process is free, unless a newer one of the same camera replaces it before."""
        with self._wake:
            self.dropped += scene.source in self._waiting
            self._waiting[scene.source] = scene
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="smplerx_drawing", daemon=True)
                self._thread.start()
            self._wake.notify()
            late = self._handed_s is not None and time.monotonic() - self._handed_s > SLOW_DRAWING_S
            if late:
                self._handed_s = None  # one warning for each scene
        if late:
            self._warn(
                f"no marker or overlay has been drawn for {SLOW_DRAWING_S:g} s: drawing has the lowest priority and "
                "gets no processor time; estimation is not affected"
            )

    def clear(self) -> None:
        """Delete all markers, and drop pending scenes."""
        with self._wake:
            self._waiting.clear()
            self._cleared += 1
            if self._socket is not None:
                with suppress(OSError):  # the process has ended or is busy: then the markers expire
                    self._socket.send(CLEAR, socket.MSG_DONTWAIT)

    def close(self) -> None:
        """End the process, which deletes its markers."""
        with self._wake:
            self._closing = True
            self._waiting.clear()
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        memory = SharedMemory.create()
        while (scene := self._next()) is not None:
            if self._process is None:
                self._start(memory)
            if self._draw(scene, memory):
                self.shown += 1
            elif not self._closing:
                self._warn(
                    f"the process that draws markers and overlays has ended {self._ended()}; it is restarted "
                    f"in {RESTART_S:g} s if they are still subscribed"
                )
                with self._wake:
                    self._wake.wait_for(lambda: self._closing, RESTART_S)
        if self._process is not None:
            self._ended()
        memory.close()

    def _next(self) -> Scene | None:
        """The scene that has waited longest; None when closing."""
        with self._wake:
            self._wake.wait_for(lambda: self._closing or self._waiting)
            if self._closing:
                return None
            return self._waiting.pop(next(iter(self._waiting)))

    def _start(self, memory: SharedMemory) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        arguments = [str(theirs.fileno()), str(memory.descriptor), json.dumps(asdict(self._settings))]
        # In this session: with the kernel's autogroup scheduling, priorities count within a session only.
        with theirs:
            self._process = subprocess.Popen(
                [*self._command, *arguments],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **_ENVIRONMENT},
                pass_fds=[theirs.fileno(), memory.descriptor],
            )
        with self._wake:
            self._socket = ours
            if self._closing:
                ours.shutdown(socket.SHUT_RDWR)

    def _draw(self, scene: Scene, memory: SharedMemory) -> bool:
        """Hand a scene over and wait until it is drawn; False if the process has ended."""
        assert self._socket is not None
        before = self._cleared
        message = write(scene, memory)
        try:
            with self._wake:
                if self._cleared != before or self._closing:
                    return not self._closing
                self._socket.send(message)
                self._handed_s = time.monotonic()
            return bool(self._socket.recv(1))
        except OSError:
            return False
        finally:
            self._handed_s = None

    def _ended(self) -> str:
        """Wait for the end of the process; returns a description of how it ended."""
        assert self._process is not None
        assert self._socket is not None
        with self._wake:
            self._socket.close()
            self._socket = None
        try:
            code = self._process.wait(EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._process = None
        return f"by signal {-code}" if code < 0 else f"with exit code {code}"
