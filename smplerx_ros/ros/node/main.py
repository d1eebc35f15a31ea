"""The executable `estimator`: the node in a process that ends within 2 s of SIGINT or SIGTERM, with exit code 0."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rclpy.executors import Executor

    from .node import EstimatorFactory

# Everything of ROS is imported after the signal handlers stand: a signal during the imports ends the process, too.

SPIN_S = 0.2  # an executor that is woken goes on waiting: only its timeout ends that
_SEGMENT_LOCK = r"/dev/shm/fastrtps_[0-9a-f]{16}_el"
EXIT_TIMEOUT_S = 1.8  # after the signal: whatever still blocks is given up


def main(args: list[str] | None = None, estimator_factory: EstimatorFactory | None = None) -> int:
    """Run the node until a signal comes; 1 for parameters that cannot be used. The factory is for other estimators."""
    stop = threading.Event()
    exit_timer = threading.Timer(EXIT_TIMEOUT_S, _end_now)
    exit_timer.daemon = True

    def on_signal(*_: object) -> None:
        if not stop.is_set():
            stop.set()
            exit_timer.start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)

    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions

    from smplerx_ros.errors import ConfigError
    from smplerx_ros.runtime.heap import keep_freed_memory
    from smplerx_ros.runtime.onnx import share_arena

    from .node import SmplerxNode, load_estimator

    keep_freed_memory()
    share_arena()
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:  # rclpy has no public names for its own
        rclpy.logging.get_logger("smplerx").fatal(f"the arguments after --ros-args cannot be used: {error}")
        return 1
    try:
        node = SmplerxNode(estimator_factory=estimator_factory or load_estimator)
    except ConfigError as error:
        rclpy.logging.get_logger("smplerx").fatal(str(error))
        rclpy.try_shutdown()
        return 1
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    # The main thread only waits, so that a signal is seen while a model loads.
    spinner = threading.Thread(target=_spin, args=(executor, stop), name="smplerx_executor", daemon=True)
    spinner.start()
    stop.wait()

    idle = node.stop()
    spinner.join()
    executor.shutdown()
    node.destroy_node()
    rclpy.try_shutdown()
    if not idle:
        _end_now()  # native code still runs in the abandoned thread: the interpreter cannot be taken down under it
    return 0  # the last resort stays: threads that are waited for at the interpreter's end may hang, too


def _end_now() -> None:
    """End while something still runs; Fast DDS then leaves the shared memory whose lock is open here."""
    for descriptor in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):  # closed meanwhile
            lock = descriptor.readlink()
            if re.fullmatch(_SEGMENT_LOCK, str(lock)):
                lock.with_name(lock.name.removesuffix("_el")).unlink(missing_ok=True)
                lock.unlink(missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _spin(executor: Executor, stop: threading.Event) -> None:
    """Spin until told to stop; an exception in a callback is reported, now and then, and does not end the node."""
    from rclpy.executors import ExternalShutdownException
    from rclpy.impl.implementation_singleton import rclpy_implementation

    from smplerx_ros.ros.statistics import LOG_PERIOD_S

    logged: dict[tuple[str, int | None], float] = {}  # by where it was raised
    while not stop.is_set():
        try:
            executor.spin_once(timeout_sec=SPIN_S)
        except ExternalShutdownException:
            stop.set()
        except rclpy_implementation.InvalidHandle:
            continue  # rclpy was about to wait for something that the worker destroys: a publisher of one who left
        except Exception as error:
            raised_at = traceback.extract_tb(error.__traceback__)[-1]
            now, key = time.monotonic(), (raised_at.filename, raised_at.lineno)
            if now - logged.get(key, -LOG_PERIOD_S) >= LOG_PERIOD_S:
                logged[key] = now
                traceback.print_exc()


if __name__ == "__main__":
    sys.exit(main())
