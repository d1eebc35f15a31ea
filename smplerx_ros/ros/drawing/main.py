"""Entry point of the drawing process, which `DrawingClient` starts; it ends with the process that started it."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress

EXIT_TIMEOUT_S = 3.0  # for deleting the markers after the node has ended
# CPU time for drawing, per available core; a logical core may share its physical one with an estimating thread.
SHARE_PER_CORE = 1 / 8
POLL_S = 0.2  # period of checks for expired markers


def main() -> None:
    """Draw scenes until the node ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the node
    _lowest_priority()
    connection = socket.socket(fileno=int(sys.argv[1]))
    threading.Thread(target=_end_with, args=(connection,), name="end_with_node", daemon=True).start()

    import cv2
    import rclpy
    from rclpy.context import Context

    from smplerx_ros.ros.process import hide_numpy_warnings
    from smplerx_ros.runtime.heap import keep_freed_memory

    from .client import CLEAR
    from .renderer import Renderer
    from .scene import SharedMemory, read

    cv2.setNumThreads(1)
    keep_freed_memory()
    hide_numpy_warnings()
    memory = SharedMemory(int(sys.argv[2]))
    settings = json.loads(sys.argv[3])
    context = Context()
    arguments = ["--ros-args", "--enclave", settings["enclave"]]
    rclpy.init(args=arguments, context=context, domain_id=settings["domain"])
    renderer = Renderer(context, settings)
    rest = max(0.0, 1 / (SHARE_PER_CORE * len(os.sched_getaffinity(0))) - 1)  # idle time per CPU time
    while True:
        if select.select([connection], [], [], POLL_S)[0]:
            message = _received(connection)
            if not message:
                break
            if message == CLEAR:
                renderer.clear()
            else:
                busy = time.process_time()
                try:
                    renderer.draw(read(message, memory))
                except Exception as error:  # the next scene may be drawn without an error
                    renderer.log_error(f"picture dropped after {type(error).__name__}: {error}")
                time.sleep(rest * (time.process_time() - busy))
                with suppress(OSError):
                    connection.send(b"\1")
        renderer.delete_expired(time.monotonic())
    renderer.close()
    rclpy.shutdown(context=context)


def _received(connection: socket.socket) -> bytes:
    """The next message; empty when the node has closed the connection."""
    try:
        return connection.recv(1 << 20)
    except OSError:
        return b""


def _lowest_priority() -> None:
    """Run only when no other process needs the processor."""
    os.nice(19)
    with suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _end_with(connection: socket.socket) -> None:
    """Exit soon after the node has ended, even if drawing hangs."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    poll.poll()
    time.sleep(EXIT_TIMEOUT_S)
    os._exit(1)


if __name__ == "__main__":
    main()
