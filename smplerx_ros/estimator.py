"""Frames in, people out: detection, tracking, a backbone and a body; no ROS, no threads."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .body import BodyModel, load_body
from .body.skeleton import EXTRA_JOINT_NAMES, JOINT_NAMES
from .config import check_live, validate
from .distance import measured_by_depth, place_covariance
from .errors import ConfigError
from .geometry.camera import Camera
from .smoothing.motion import Motion, smoothing_options
from .smoothing.people import SmoothingOptions
from .tracking.tracker import Tracker
from .types import BodyEstimate, Box, Frame, Observation, Person, SmplxParams

FloatArray = NDArray[np.floating[Any]]

_WARM_UP_WIDTH, _WARM_UP_HEIGHT = 640, 480
_SEARCH_EVERY = 3  # frames between detections while somebody known is lost
_LONGEST_UNDETECTED_NS = 500_000_000  # at low frame rates people move far from frame to frame
# The box of a person round joints and extremities, as shares of their extent: skin and hair lie outside.
_BOX_MARGIN, _BOX_TOP_MARGIN = 0.05, 0.10


class Backbone(Protocol):
    """Turns observations into bodies; may remember people by their id."""

    name: str
    confirms_people: bool  # answers None where nobody is; otherwise detections have to confirm people

    @property
    def runtime(self) -> str:
        """What runs its networks."""

    def estimate(self, observations: Sequence[Observation]) -> list[BodyEstimate | None]:
        """One answer per observation, in their order; None where no body was found. Every frame has a camera."""

    def forget(self, ids: Collection[str]) -> None:
        """People who have left."""

    def reset(self) -> None:
        """Forget everybody."""


class Detector(Protocol):
    """Finds people in images; `threshold` is the least score of those it answers."""

    threshold: float

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Box]]:
        """Boxes per image, pixels."""


@dataclass(frozen=True)
class People:
    """The people of one frame, and how they were found."""

    frame: Frame
    people: tuple[Person, ...]
    camera: Camera  # `calibrated` is False where a field of view was assumed
    backbone: str
    body_model: str
    runtime: str
    stage_seconds: dict[str, float] = field(default_factory=dict)  # of the call that the frame was part of
    left_out: int = 0  # people in view above `max_people`, not estimated
    degraded: str = ""  # what is done less because of `latency_budget_ms`


@dataclass(frozen=True)
class Options:
    """When to detect, how many people to follow, and what is known of camera and people."""

    detect_every: int = 10
    max_people: int = 10
    default_fov: float = 60.0  # degrees, horizontal
    person_height: float | None = None  # metres, as the backbone was told: how sure distances are
    smoothing: SmoothingOptions | None = None  # None: raw estimates


@dataclass
class _CameraState:
    """One camera: its people, its last stamp, and when the next detection is due."""

    tracker: Tracker
    stamp_ns: int = 0
    frames_to_detection: int = 0
    detected_ns: int = 0

    def due(self) -> bool:
        """Whether to detect now: enough frames or time have passed, or nobody is in view."""
        self.frames_to_detection -= 1
        late = self.stamp_ns - self.detected_ns > _LONGEST_UNDETECTED_NS
        return self.frames_to_detection <= 0 or late or not self.tracker.following


class Estimator:
    """Estimates the people of one or several cameras (`Frame.source` or else `frame_id`); people keep their ids."""

    def __init__(
        self,
        backbone: Backbone,
        detector: Detector,
        body: BodyModel,
        options: Options,
        config: Mapping[str, object] | None = None,
    ) -> None:
        self.body = body
        self._config: dict[str, Any] = validate(config or {})  # where `update` starts from
        self._backbone = backbone
        self._detector = detector
        self._options = options
        self._ids: Iterator[str] = (f"p{n}" for n in count(1))
        self._cameras: dict[str, _CameraState] = {}
        self._motion = Motion(options.smoothing)

    @classmethod
    def from_config(cls, values: Mapping[str, object], *, bundles_only: bool = False) -> Estimator:
        """From the parameters of `config.PARAMETERS` by name; the others take their defaults.

        A checkpoint as `weights` is converted into the user's cache when ONNX Runtime runs it, unless `bundles_only`.
        Raises ConfigError for an unknown name or unusable value, ModelFileError for an unusable file.
        """
        config: dict[str, Any] = validate(values)
        body = load_body(config["body_model"] or None)
        threads = config["threads"] or None
        options = Options(
            detect_every=config["detect_every"],
            max_people=config["max_people"],
            default_fov=config["default_fov"],
            person_height=_height(config),
            smoothing=smoothing_options(config),
        )
        backbone = _backbone(config, body, threads, bundles_only)
        return cls(backbone, _detector(config, threads), body, options, config)

    def update(self, values: Mapping[str, object]) -> None:
        """Change live parameters of `config.PARAMETERS` by name; from the next `process` on, people keep their ids.

        Raises ConfigError for a name that is unknown or not live, and for an unusable value; then nothing changes.
        """
        changes: dict[str, Any] = check_live(values)
        self._config |= changes
        own = {name: changes[name] for name in ("detect_every", "max_people") if name in changes}
        self._options = replace(self._options, **own)
        if any(name.startswith("smoothing") for name in changes):
            self._motion.update(smoothing_options(self._config))
        if "detection_threshold" in changes:
            self._detector.threshold = changes["detection_threshold"]

    def estimate(self, frame: Frame) -> list[Person]:
        """The people in one frame."""
        return list(self.process([frame])[0].people)

    def process(self, frames: Sequence[Frame]) -> list[People]:
        """The people of each frame, at most one frame a camera: all of them in one batch per network."""
        seconds: dict[str, float] = {}
        with _timed(seconds, "detection"):
            states = [self._state(frame) for frame in frames]
            self._detect(frames, states)
        cameras = [frame.camera or self._assumed_camera(frame) for frame in frames]
        counts = [len(state.tracker.following) for state in states]
        observations = [
            (i, Observation(replace(frame, camera=camera), track.id, track.box))
            for i, (frame, camera, state) in enumerate(zip(frames, cameras, states, strict=True))
            for track in state.tracker.following[: self._options.max_people]
        ]
        with _timed(seconds, "backbone"):
            bodies = self._backbone.estimate([observation for _, observation in observations])
        with _timed(seconds, "body"):
            bodies = measured_by_depth(self.body, [o for _, o in observations], bodies)
            bodies = [self._smoothed(o, body) for (_, o), body in zip(observations, bodies, strict=True)]
            people = self._people([o for _, o in observations], bodies)
        results = []
        for i, (frame, camera, state) in enumerate(zip(frames, cameras, states, strict=True)):
            mine = {o.id: people[k] for k, (owner, o) in enumerate(observations) if owner == i}
            boxes = {identity: None if person is None else person.box for identity, person in mine.items()}
            gone = state.tracker.estimated(boxes, frame.stamp_ns)
            if None in boxes.values():
                state.frames_to_detection = 0
            self._forget(gone)
            kept = tuple(person for person in mine.values() if person is not None and person.id not in gone)
            names = self._backbone.name, self.body.name, self._backbone.runtime
            left_out = max(0, counts[i] - self._options.max_people)
            results.append(People(frame, kept, camera, *names, seconds, left_out))
        return results

    def warm_up(self) -> None:
        """Run detector and backbone once on an empty image, so that the first real one is not the slowest."""
        image = np.zeros((_WARM_UP_HEIGHT, _WARM_UP_WIDTH, 3), np.uint8)
        frame = Frame(image, Camera.from_fov(_WARM_UP_WIDTH, _WARM_UP_HEIGHT))
        self._detector.detect([image])
        self._backbone.estimate([Observation(frame, "warm_up", Box(0, 0, _WARM_UP_WIDTH, _WARM_UP_HEIGHT))])
        self._backbone.reset()

    def reset(self) -> None:
        """Forget everybody; ids are not used again."""
        self._cameras.clear()
        self._backbone.reset()
        self._motion.reset()

    def _state(self, frame: Frame) -> _CameraState:
        """The frame's camera; one whose time went back starts anew."""
        key = frame.source or frame.frame_id
        state = self._cameras.get(key)
        if state is not None and frame.stamp_ns < state.stamp_ns:
            self._forget(state.tracker.clear())
            state = None
        if state is None:
            state = self._cameras[key] = _CameraState(Tracker(self._ids))
        state.stamp_ns = frame.stamp_ns
        return state

    def _forget(self, people: Collection[str]) -> None:
        self._backbone.forget(people)
        self._motion.forget(people)

    def _smoothed(self, seen: Observation, body: BodyEstimate | None) -> BodyEstimate | None:
        if body is None:
            return None
        return replace(body, params=self._motion.smoothed(seen.id, body.params, seen.frame.stamp_ns))

    def _detect(self, frames: Sequence[Frame], states: Sequence[_CameraState]) -> None:
        due = [i for i, state in enumerate(states) if state.due()]
        found = self._detector.detect([frames[i].image for i in due]) if due else []
        for i, boxes in zip(due, found, strict=True):
            state = states[i]
            state.tracker.detected(boxes, state.stamp_ns, confirm=not self._backbone.confirms_people)
            state.frames_to_detection = _SEARCH_EVERY if state.tracker.searching else self._options.detect_every
            state.detected_ns = state.stamp_ns

    def _assumed_camera(self, frame: Frame) -> Camera:
        height, width = frame.image.shape[:2]
        return Camera.from_fov(width, height, self._options.default_fov)

    def _people(
        self, observations: Sequence[Observation], bodies: Sequence[BodyEstimate | None]
    ) -> list[Person | None]:
        """Joints of all bodies in one batch, then each person's in the image."""
        found = [i for i, body in enumerate(bodies) if body is not None]
        people: list[Person | None] = [None] * len(bodies)
        if not found:
            return people
        estimates = [body for body in bodies if body is not None]
        points = self.body.landmarks144(SmplxParams.stack([estimate.params for estimate in estimates]))
        points = points[:, : len(JOINT_NAMES) + len(EXTRA_JOINT_NAMES)]
        for i, estimate, places in zip(found, estimates, points, strict=True):
            person = _person(observations[i], estimate, places, self._options.person_height)
            people[i] = person and self._with_velocities(person, observations[i].frame.stamp_ns)
        return people

    def _with_velocities(self, person: Person, stamp_ns: int) -> Person:
        root, left, right = self._motion.velocities(person.id, person.joints, stamp_ns)
        return replace(person, root_velocity=root, left_wrist_velocity=left, right_wrist_velocity=right)


def _person(
    observation: Observation, estimate: BodyEstimate, places: FloatArray, person_height: float | None
) -> Person | None:
    """A person from joints and extremities `places (76, 3)` metres; None if none of them is in front of the camera."""
    camera = observation.frame.camera
    assert camera is not None
    pixels = camera.project(places)
    visible = pixels[np.isfinite(pixels).all(axis=-1)]
    if not len(visible):
        return None
    joints = len(JOINT_NAMES)
    box = _box_round(visible, estimate.score)
    return Person(
        id=observation.id,
        score=estimate.score,
        box=box,
        params=estimate.params,
        joints=places[:joints].astype(np.float32),
        joints_image=pixels[:joints].astype(np.float32),
        confidence=estimate.confidence,
        pose_covariance=place_covariance(observation, estimate.params, places[0], box, person_height),
    )


def _box_round(pixels: FloatArray, score: float) -> Box:
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    margin = np.maximum(_BOX_MARGIN * (high - low), 1.0)
    top = _BOX_TOP_MARGIN * (high - low)[1]
    return Box(low[0] - margin[0], low[1] - top - 1, high[0] + margin[0], high[1] + margin[1], score)


def _backbone(config: dict[str, Any], body: BodyModel, threads: int | None, bundles_only: bool) -> Backbone:
    if config["backbone"] == "lite":
        return _lite(config, body, threads)
    from .models.estimation import NetworkBackbone, load_configured

    return NetworkBackbone(load_configured(config, threads, bundles_only=bundles_only), body, _height(config))


def _lite(config: dict[str, Any], body: BodyModel, threads: int | None) -> Backbone:
    for name, choices in (("runtime", ("auto", "onnx")), ("precision", ("auto", "fp32")), ("weights", ("",))):
        if config[name] not in choices:
            raise ConfigError(f"parameter {name!r}: backbone 'lite' takes {' or '.join(map(repr, choices))} only")
    from .lite.backbone import LiteBackbone
    from .lite.landmarks import LandmarkEstimator

    return LiteBackbone(body, LandmarkEstimator(config["device"], threads), _height(config))


def _height(config: dict[str, Any]) -> float | None:
    """Metres, or None where it is not known."""
    return config["person_height"] or None


def _detector(config: dict[str, Any], threads: int | None) -> Detector:
    if config["detector"] == "full_frame":
        from .detection.full_frame import FullFrameDetector

        return FullFrameDetector()
    from .detection.builtin import BuiltinDetector

    return BuiltinDetector(config["device"], threads, config["detection_threshold"])


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = perf_counter()
    yield
    seconds[stage] = perf_counter() - start
