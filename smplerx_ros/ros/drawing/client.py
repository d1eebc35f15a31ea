"""The node's side: the newest frame of each camera waits until the drawing process has time for it."""

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
RESTART_S = 10.0  # after the drawing process has ended by itself
SLOW_DRAWING_S = 5.0  # for one picture; then the user should know why there is nothing to be seen
EXIT_TIMEOUT_S = 2.0  # for it to end, when it is asked to
COMMAND = (sys.executable, "-m", "smplerx_ros.ros.drawing.main")
# Pictures take one thread, and modules come from where the node's come from, not from the working directory.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}


@dataclass(frozen=True)
class Topic:
    """A topic by its full name, and its quality of service."""

    name: str
    qos: Mapping[str, int]  # as `qos.numbers_of` has them


@dataclass(frozen=True)
class Settings:
    """What the drawing process has to know."""

    node: str  # its own name
    namespace: str
    domain: int
    enclave: str  # of SROS 2: what the node may publish there, so may this process
    body_model: str  # file; "": the embedded one
    markers: Topic
    overlays: Mapping[str, Topic]  # by camera
    compressed: Mapping[str, Topic]  # the overlays as JPEG, by camera


class DrawingClient:
    """Draws in another process, which is started with the first scene and again where it ends by itself.

    It ends with this one, however that ends. `warn` gets what the user should know. All methods may be called from any
    thread and return at once, but `close`.
    """

    def __init__(self, settings: Settings, warn: Callable[[str], object], *, command: Sequence[str] = COMMAND) -> None:
        self._settings = settings
        self._warn = warn
        self._command = command
        self._wake = threading.Condition()
        self._waiting: dict[str, Scene] = {}  # the newest of each camera
        self._cleared = 0  # how often
        self._closing = False
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._handed_s: float | None = None  # when the scene was handed over that is being drawn
        self.shown = self.dropped = 0  # scenes

    def show(self, scene: Scene) -> None:
        """Draw this as soon as there is time for it, unless a newer one of the same camera comes before."""
        with self._wake:
            self.dropped += scene.source in self._waiting
            self._waiting[scene.source] = scene
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="smplerx_drawing", daemon=True)
                self._thread.start()
            self._wake.notify()
            late = self._handed_s is not None and time.monotonic() - self._handed_s > SLOW_DRAWING_S
            if late:
                self._handed_s = None  # once for each
        if late:
            self._warn(
                f"no marker or overlay has been drawn for {SLOW_DRAWING_S:g} s: drawing has the lowest priority and "
                "gets no processor time; estimation is not affected"
            )

    def clear(self) -> None:
        """Nobody is to be seen any more."""
        with self._wake:
            self._waiting.clear()
            self._cleared += 1
            if self._socket is not None:
                with suppress(OSError):  # it has ended, or has a lot to do: then the markers' lifetimes end
                    self._socket.send(CLEAR, socket.MSG_DONTWAIT)

    def close(self) -> None:
        """End the process; what it shows is taken down."""
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
                    f"the process that draws markers and overlays has ended {self._ended()}; another one is started "
                    f"in {RESTART_S:g} s, where they are still asked for"
                )
                with self._wake:
                    self._wake.wait_for(lambda: self._closing, RESTART_S)
        if self._process is not None:
            self._ended()
        memory.close()

    def _next(self) -> Scene | None:
        """The scene that has waited longest; None at the end."""
        with self._wake:
            self._wake.wait_for(lambda: self._closing or self._waiting)
            if self._closing:
                return None
            return self._waiting.pop(next(iter(self._waiting)))

    def _start(self, memory: SharedMemory) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        arguments = [str(theirs.fileno()), str(memory.descriptor), json.dumps(asdict(self._settings))]
        # In this session: where the kernel schedules by sessions, a low priority counts within one only.
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
        """Hand over, and wait until it is drawn; False where the process has ended."""
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
        """Let go of the process, which has ended or is about to; answers how."""
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
