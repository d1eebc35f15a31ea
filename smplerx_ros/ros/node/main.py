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

from smplerx_ros.ros.process import executable

if TYPE_CHECKING:
    from rclpy.executors import Executor

    from .node import EstimatorFactory, SmplerxNode

# ROS is imported after the signal handlers are installed, so that a signal during the imports ends the process, too.

SPIN_S = 0.2  # a woken executor continues to wait: only the timeout lets it see `stop`
_SEGMENT_LOCK = r"/dev/shm/fast(?:rtps|dds)_[0-9a-f]{16}_el"  # Fast DDS 2, and 3
EXIT_TIMEOUT_S = 1.8  # after the signal: then the process exits, whatever still blocks


@executable
def main(args: list[str] | None = None, estimator_factory: EstimatorFactory | None = None) -> int:
    """Run the node until a signal arrives; returns 1 for invalid parameters. Tests pass other estimator factories."""
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
    from rclpy.exceptions import InvalidParameterTypeException
    from rclpy.signals import SignalHandlerOptions

    from smplerx_ros.errors import ConfigError
    from smplerx_ros.runtime.heap import keep_freed_memory
    from smplerx_ros.runtime.onnx import share_arena

    from .node import SmplerxNode, load_estimator

    keep_freed_memory()
    share_arena()
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:  # rclpy's own exceptions for this are not public
        rclpy.logging.get_logger("smplerx").fatal(f"the arguments after --ros-args cannot be used: {error}")
        return 1
    try:
        node = SmplerxNode(estimator_factory=estimator_factory or load_estimator)
    except (ConfigError, InvalidParameterTypeException) as error:  # the latter for parameters of rclpy itself
        rclpy.logging.get_logger("smplerx").fatal(str(error))
        rclpy.try_shutdown()
        return 1
    _run(node, stop)
    return 0  # the exit timer keeps running: threads joined at interpreter exit may hang, too


def _run(node: SmplerxNode, stop: threading.Event) -> None:
    """Spin the node in a thread until `stop` is set, then end it; exits at once if native code does not return."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    executor = SingleThreadedExecutor()
    executor.add_node(node)
    # The main thread only waits, so that signals are handled while a model loads.
    spinner = threading.Thread(target=_spin, args=(executor, stop), name="smplerx_executor", daemon=True)
    spinner.start()
    stop.wait()

    idle = node.stop()
    spinner.join()
    executor.shutdown()
    node.destroy_node()
    rclpy.try_shutdown()
    if not idle:
        _end_now()  # native code still runs in the abandoned thread, so the interpreter cannot be finalized


def _end_now() -> None:
    """Exit while threads still run; remove the shared memory that Fast DDS would leave behind (its lock is open)."""
    for descriptor in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):  # closed in the meantime
            lock = descriptor.readlink()
            if re.fullmatch(_SEGMENT_LOCK, str(lock)):
                lock.with_name(lock.name.removesuffix("_el")).unlink(missing_ok=True)
                lock.unlink(missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _spin(executor: Executor, stop: threading.Event) -> None:
    """Spin until `stop` is set. Exceptions in callbacks are logged, throttled by where they were raised."""
    from rclpy.executors import ExternalShutdownException
    from rclpy.impl.implementation_singleton import rclpy_implementation

    from smplerx_ros.ros.statistics import LOG_PERIOD_S

    logged: dict[tuple[str, int | None], float] = {}  # when, by file and line where it was raised
    while not stop.is_set():
        try:
            executor.spin_once(timeout_sec=SPIN_S)
        except ExternalShutdownException:
            stop.set()
        except rclpy_implementation.InvalidHandle:
            continue  # the worker destroyed an entity that rclpy was about to wait for, such as a publisher
        except Exception as error:
            raised_at = traceback.extract_tb(error.__traceback__)[-1]
            now, key = time.monotonic(), (raised_at.filename, raised_at.lineno)
            if now - logged.get(key, -LOG_PERIOD_S) >= LOG_PERIOD_S:
                logged[key] = now
                traceback.print_exc()


if __name__ == "__main__":
    sys.exit(main())
