"""The lifecycle node `smplerx`: images in, people out. Each transition's docstring says what it allocates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import wraps
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from std_srvs.srv import SetBool, Trigger

from smplerx_ros.errors import missing_package
from smplerx_ros.ros.input.camera_input import InputOptions
from smplerx_ros.ros.output.output import Output, OutputOptions
from smplerx_ros.ros.parameters import NodeParameters
from smplerx_ros.ros.qos import PUBLISHER, overriding_options, warn_of_unknown_overrides

from .bond import Bond
from .diagnostics import SUPERSEDED, CameraHealth, NodeHealth, diagnostics
from .frame_processor import EstimatorLike, FrameProcessor, PendingRequests
from .id_prefix import random_prefix
from .lifecycle import answer_invalid_transitions
from .memory import memory_in_use
from .stream import Arrival, CameraStream
from .watchdog import PeriodicThread, Watchdog
from .worker import LatestWorker

EstimatorFactory = Callable[[Mapping[str, object]], EstimatorLike]
Transition = Callable[["SmplerxNode", LifecycleState], TransitionCallbackReturn]

DIAGNOSTICS_PERIOD_S = 1.0
TRANSITION_LIMIT_S = 30.0  # a transition (large networks load slowly) that takes longer is reported as hanging
ESTIMATION_LIMIT_S = 3.0  # the same for the estimation of one image
STOP_TIMEOUT_S = 1.0  # for the running estimation; then it is abandoned, so that a shutdown takes less than 2 s
LAST_TIMEOUT_S = 0.3  # after that, for a detection in its own thread
DIAGNOSTICS = "/diagnostics"


def load_estimator(values: Mapping[str, object]) -> EstimatorLike:
    """The package's own estimator; `weights` must be a bundle, since the node converts no checkpoints."""
    from smplerx_ros.pipeline.estimator import Estimator

    return Estimator.from_config(values, bundles_only=True)


def _guarded(transition: Transition) -> Transition:
    """Turn exceptions of a transition into ERROR and log them; rclpy would drop them, or end the process.

    `on_error` then frees everything, which leaves the node unconfigured and ready to be configured again.
    """

    @wraps(transition)
    def guarded(self: SmplerxNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            self._failure = ""
            with self._watch.over(transition.__name__, TRANSITION_LIMIT_S):
                result = transition(self, state)
            if result != TransitionCallbackReturn.SUCCESS:
                raise RuntimeError(f"rclpy answered {result}")
            return result
        except Exception as error:
            self._failure = (
                f"{transition.__name__} failed: {missing_package(error) or f'{type(error).__name__}: {error}'}"
            )
            self.get_logger().error(self._failure)
            return TransitionCallbackReturn.ERROR

    return guarded


@dataclass(frozen=True)
class _Loaded:
    """Objects that exist from configure to cleanup."""

    estimator: EstimatorLike
    requests: PendingRequests
    streams: dict[str, CameraStream]  # by the camera's name
    output: Output


@dataclass(frozen=True)
class _Running:
    """Objects that exist from activate to deactivate."""

    processor: FrameProcessor
    worker: LatestWorker[Arrival]


class SmplerxNode(LifecycleNode):
    """Estimates the people in the newest image of each camera, in a worker thread.

    Callbacks of subscriptions, services, parameters and transitions run in the executor's thread.

    Args:
        estimator_factory: Creates the estimator from the values of `config.PARAMETERS`.
        **kwargs: Passed on to `LifecycleNode`.

    Raises:
        ConfigError: A parameter override is invalid.
    """

    def __init__(self, *, estimator_factory: EstimatorFactory = load_estimator, **kwargs: Any) -> None:
        super().__init__("smplerx", **kwargs)
        answer_invalid_transitions(self)
        self._factory = estimator_factory
        self._failure = ""
        self._taking_images = True
        self._loaded: _Loaded | None = None
        self._running: _Running | None = None
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._watch = Watchdog(self._seconds, self.get_logger().error)
        self._config = NodeParameters(self, lambda: self._state() != "unconfigured")
        options = overriding_options(self, DIAGNOSTICS, PUBLISHER)
        self._diagnostics_publisher = self.create_publisher(
            DiagnosticArray, DIAGNOSTICS, QoSProfile(depth=10), qos_overriding_options=options
        )
        self._reporter = PeriodicThread(DIAGNOSTICS_PERIOD_S, self._publish_diagnostics, "smplerx_diagnostics")
        self.context.on_shutdown(self._reporter.stop)
        self.create_service(Trigger, "~/reset", self._on_reset)
        self.create_service(SetBool, "~/enable", self._on_enable)
        backwards = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True)
        self._jump_handle = self.get_clock().create_jump_callback(backwards, post_callback=self._on_time_jump)
        self._bond = None if self._config["autostart"] else Bond.create(self)  # for a lifecycle manager
        if self._config["autostart"]:
            self._autostart_timer = self.create_timer(0.0, self._autostart, clock=self._steady)

    def set_parameters_atomically(self, parameter_list: list[Parameter]) -> SetParametersResult:
        """Called by the parameter services: converts to the table's types, and names the parameter on refusal."""
        return self._config.set(parameter_list, super().set_parameters_atomically)

    @_guarded
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm up the estimator; create the publishers and camera inputs."""
        live = self._config.live_of_estimator()
        values = self._config.of_estimator()
        values["id_prefix"] = values["id_prefix"] or random_prefix()
        estimator = self._factory(values)
        with ExitStack() as made:  # frees what was created if the configuration fails
            made.callback(estimator.close, STOP_TIMEOUT_S)
            estimator.warm_up()
            names = self._config["cameras"] or ("",)
            options, max_age = InputOptions.from_config(self._config), self._config["image_max_age"]
            streams = {name: CameraStream(self, name, self._put, self._seconds, options, max_age) for name in names}
            output = Output(self, estimator.body, names, self._config)
            self._loaded = _Loaded(estimator, PendingRequests(self._config.live_of_estimator, live), streams, output)
            made.pop_all()
        warn_of_unknown_overrides(self, (name for s in streams.values() for name in s.input.qos_overrides))
        self.get_logger().info(f"configured: backbone {self._config['backbone']}, body {estimator.body.name}")
        return super().on_configure(state)

    @_guarded
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the worker and subscribe."""
        loaded = self._loaded
        assert loaded is not None
        loaded.estimator.reset()
        processor = FrameProcessor(
            loaded.estimator, loaded.requests, loaded.streams, loaded.output, self._output_options, self.get_logger()
        )
        worker = LatestWorker(self._watched(processor), lambda name: loaded.streams[name].statistics.drop(SUPERSEDED))
        processor.wanted = lambda: not worker.stopping
        self._running = _Running(processor, worker)
        result = super().on_activate(state)
        loaded.output.resume()
        for stream in loaded.streams.values():
            stream.begin(taking_images=self._taking_images)
            self.get_logger().info(f"active: {stream.input.image_topic} and {stream.input.info_topic}")
        if self._bond is not None:
            self._bond.start()
        return result

    @_guarded
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and end the worker; the estimator stays warm."""
        self._stop_taking_images()
        self.get_logger().info("inactive: images are ignored, the networks stay loaded")
        return super().on_deactivate(state)

    @_guarded
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the estimator and the publishers."""
        self._release()
        self.get_logger().info("unconfigured: the networks are freed")
        return super().on_cleanup(state)

    @_guarded
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything, from any state."""
        self._stop_taking_images()
        self._release()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything; the node is then unconfigured, or finalized if that fails."""
        try:
            self._release()
        except Exception as error:
            self.get_logger().fatal(f"cannot free everything after an error, finalized: {error}")
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def stop(self) -> bool:
        """Stop taking images before the process ends; False if an estimation or detection did not return in time."""
        loaded = self._loaded
        try:
            self._stop_taking_images()
        except RuntimeError as error:
            self.get_logger().error(str(error))
            return False
        return loaded is None or loaded.estimator.close(LAST_TIMEOUT_S)

    def destroy_node(self) -> None:
        """Stop the diagnostics before their publisher is destroyed."""
        self._reporter.stop()
        super().destroy_node()

    def _watched(self, processor: FrameProcessor) -> Callable[[dict[str, Arrival]], None]:
        def handle(arrivals: dict[str, Arrival]) -> None:
            with self._watch.over("the estimation of an image", ESTIMATION_LIMIT_S):
                processor.handle(arrivals)

        return handle

    def _stop_taking_images(self) -> None:
        if self._bond is not None:
            self._bond.stop()
        loaded, running, self._running = self._loaded, self._running, None
        for stream in loaded.streams.values() if loaded else ():
            stream.input.stop()
        returned = running is None or running.worker.stop(STOP_TIMEOUT_S)
        if loaded is not None:
            loaded.output.pause()
        if not returned:
            raise RuntimeError(f"the estimation did not return within {STOP_TIMEOUT_S:g} s and is abandoned")

    def _release(self) -> None:
        if self._bond is not None:
            self._bond.stop()
        running, self._running = self._running, None
        if running is not None:
            running.worker.stop(0.0)
        self._watch.clear()
        if self._loaded is not None:
            for stream in self._loaded.streams.values():
                stream.input.stop()
            self._loaded.output.destroy()
            if not self._loaded.estimator.close(STOP_TIMEOUT_S):
                self.get_logger().error(
                    f"a detection did not return within {STOP_TIMEOUT_S:g} s and is abandoned; its network's memory "
                    "stays in use until it returns"
                )
            self._loaded = None  # last, so that `on_error` tries again what could not be freed

    def _autostart(self) -> None:
        self.destroy_timer(self._autostart_timer)
        if self._state() == "unconfigured" and self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _put(self, camera: str, arrival: Arrival) -> None:
        running = self._running  # read once: other threads may reset it
        if running is not None:
            running.worker.put(camera, arrival)

    def _on_time_jump(self, _: Any) -> None:
        loaded = self._loaded
        if loaded is not None:
            for stream in loaded.streams.values():
                stream.statistics.clear_ages()
            loaded.requests.reset()

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._running is not None
        response.message = "people get new ids from the next image on" if response.success else "the node is not active"
        loaded = self._loaded
        if loaded is not None:
            loaded.requests.reset()
        self.get_logger().info(f"~/reset: {response.message}")
        return response

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._taking_images = request.data
        loaded, running = self._loaded, self._running
        if loaded is not None and running is not None:
            for stream in loaded.streams.values():
                stream.enable(request.data)
            loaded.output.resume() if request.data else loaded.output.pause()
        response.success = True
        response.message = (
            f"{'taking' if request.data else 'ignoring'} images while active; the node is {self._state()}"
        )
        self.get_logger().info(f"~/enable: {response.message}")
        return response

    def _publish_diagnostics(self) -> None:
        if not self.context.ok():
            return
        running, loaded = self._running, self._loaded
        for stream in loaded.streams.values() if loaded else ():
            stream.check_silence()
        last = running.processor.last if running else None
        node = NodeHealth(
            state=self._state(),
            enabled=self._taking_images,
            failure=self._failure or self._watch.overdue(),
            backend={"backbone": last.backbone, "body model": last.body_model, "runtime": last.runtime} if last else {},
            figures=loaded.output.figures() if loaded else {},
            degraded=running.processor.degraded if running else "",
            memory=memory_in_use(),
        )
        cameras = [
            CameraHealth(
                name=stream.name,
                image_topic=stream.input.image_topic,
                silent_s=stream.silent_s,
                camera_assumed=stream.camera_assumed,
                counts=stream.statistics.snapshot(),
            )
            for stream in (loaded.streams.values() if loaded else ())
        ]
        stamp = self.get_clock().now().to_msg()
        message = diagnostics(self.get_fully_qualified_name(), stamp, node, cameras, DIAGNOSTICS_PERIOD_S)
        self._diagnostics_publisher.publish(message)

    def _output_options(self) -> OutputOptions:
        return OutputOptions.from_config(self._config)

    def _seconds(self) -> float:
        return self._steady.now().nanoseconds * 1e-9

    def _state(self) -> str:
        return str(self._state_machine.current_state[1])
