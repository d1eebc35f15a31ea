"""Frames in, people out: detection, tracking, a backbone and a body; no ROS."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from itertools import count
from logging import getLogger
from time import perf_counter
from typing import Any, overload

import numpy as np

from .backbones import Backbone, known_height, load_backbones
from .body import BodyModel, load_body
from .body.placement import Placement
from .config import PARAMETERS, check_live, validate
from .detection import Detector, OneAtATime, load_detectors
from .detection.clean import clean_boxes
from .distance import Distances
from .errors import ConfigError, InputError
from .frames import listed_frames, named_frames
from .geometry.camera import Camera
from .persons import persons
from .scheduling.beside import END_S, Beside
from .scheduling.budget import FULL, Effort, LatencyBudget
from .scheduling.camera import CameraState, Search
from .scheduling.crowd import nearest, size
from .scheduling.detection import ConfidenceWatch
from .smoothing.motion import Motion, smoothing_options, smoothing_values
from .smoothing.people import LONGEST_GAP_NS, RAREST_GAP_NS, Sample, SmoothingOptions
from .tracking.tracker import MAX_AGE, TrackedBox, Tracker
from .types import BodyEstimate, Box, Degradation, Frame, Observation, Person

log = getLogger(__name__)

_WARM_UP_WIDTH, _WARM_UP_HEIGHT = 640, 480
# Without detections for so long, people whom the backbone cannot confirm are given up: others' detectors may be dead.
_LONGEST_UNCONFIRMED_NS = 2_000_000_000
_MOST_CAMERAS = 64  # that are remembered: drivers may give each image a frame_id of its own


@dataclass(frozen=True, eq=False)
class People:
    """The people of one frame, and how they were found."""

    frame: Frame
    people: tuple[Person, ...]
    camera: Camera  # `calibrated` is False where a field of view was assumed
    backbone: str
    body_model: str
    runtime: str
    stage_seconds: dict[str, float] = field(default_factory=dict)  # of the call that the frame was part of
    num_not_estimated: int = 0  # people in view above `max_people`
    degraded: Degradation = Degradation.NONE  # what is done less because of `latency.budget_ms`
    degraded_text: str = ""  # the same in words; empty: nothing
    warnings: Mapping[str, str] = field(default_factory=dict)  # what is wrong with the frames, by a short name


@dataclass(frozen=True)
class Options:
    """When to detect, how many people to follow, and what is known of camera and people.

    The ranges are those of the parameters of the same names. Raises ConfigError, which names the option, beyond them.
    """

    detection_interval: int = 10
    max_people: int = 10
    default_fov: float = 60.0  # degrees, across the longer side of the image
    person_height: float | None = None  # metres, as the backbone was told: how sure distances are
    max_age: float = MAX_AGE  # seconds for which somebody who is not found keeps the id
    smoothing: SmoothingOptions | None = None  # None: raw estimates
    detection_threshold: float = 0.0  # of the boxes that come with frames; the detector has its own
    latency_budget_ms: float = 0.0  # 0: none, and nothing depends on how long anything takes
    id_prefix: str = "p"  # ids are p1, p2, ...

    def __post_init__(self) -> None:
        table = {
            _LIVE.get(parameter.name, parameter.name): parameter
            for parameter in PARAMETERS
            if parameter.name != "smoothing.enabled"
        }
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name in table and not (option.name == "person_height" and value is None):
                object.__setattr__(self, option.name, table[option.name].check(value))
        if self.person_height == 0:
            raise ConfigError("Options.person_height is 0: None is for a height that is not known")
        if not isinstance(self.smoothing, SmoothingOptions | None):
            got = type(self.smoothing).__name__
            raise ConfigError(f"Options.smoothing must be SmoothingOptions, or None for raw estimates, got {got}")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Options:
        """From all of `config.PARAMETERS`."""
        return cls(
            **_live_options(config),
            default_fov=config["default_fov"],
            person_height=known_height(config),
            smoothing=smoothing_options(config),
            id_prefix=config["id_prefix"] or cls.id_prefix,
        )


# Options by the live parameters that set them, at the start and later.
_LIVE = {
    "detection.interval": "detection_interval",
    "max_people": "max_people",
    "detection.threshold": "detection_threshold",
    "latency.budget_ms": "latency_budget_ms",
    "tracker.max_age": "max_age",
}


def _live_options(values: Mapping[str, Any]) -> dict[str, Any]:
    return {option: values[name] for name, option in _LIVE.items() if name in values}


@dataclass(frozen=True, eq=False)
class _Task:
    """One frame of a call: its camera, and the people who are estimated in it."""

    frame: Frame  # with a camera
    state: CameraState
    people: list[Observation]
    not_estimated: list[TrackedBox]


class Estimator:
    """Estimates the people of one or several cameras (`Frame.source` or else `frame_id`); people keep their ids.

    `detector` None: boxes come with the frames alone. `detector_beside`: for detections beside the estimation, by
    default the same. `fallbacks` are smaller backbones for `latency.budget_ms`. `close` it, or use it in a `with`
    statement, to free networks and thread at a certain time. Not for several threads at once.
    """

    def __init__(
        self,
        backbone: Backbone,
        detector: Detector | None,
        body: BodyModel,
        options: Options,
        *,
        detector_beside: Detector | None = None,
        fallbacks: Sequence[Backbone] = (),
        config: Mapping[str, object] | None = None,
    ) -> None:
        self.body = body
        self._config = validate(config or {}) | smoothing_values(options.smoothing)  # where `update` starts from
        self._backbones: tuple[Backbone, ...] = (backbone, *fallbacks)
        if detector is not None and detector_beside in (None, detector):
            detector = detector_beside = OneAtATime(detector)
        self._detector = detector
        self._detector_beside = detector_beside
        self._beside = Beside("smplerx_detector")
        self._closed = False
        self._options = options
        self._ids: Iterator[str] = (f"{options.id_prefix}{n}" for n in count(1))
        self._cameras: dict[str, CameraState] = {}
        self._distances = Distances(body)
        self._motion = Motion(options.smoothing, body)
        self._confidence = ConfidenceWatch()
        self._budget = self._budget_of(options)

    @classmethod
    def from_config(cls, values: Mapping[str, object], *, bundles_only: bool = False) -> Estimator:
        """From the parameters of `config.PARAMETERS` by name; the others take their defaults.

        A checkpoint as `weights` is converted into the user's cache when ONNX Runtime runs it, unless `bundles_only`.
        Raises ConfigError for an unknown name or unusable value, ModelFileError for an unusable file.
        """
        config = validate(values)
        body = load_body(config["body_model"] or None)
        threads = config["threads"] or None
        backbone, *fallbacks = load_backbones(config, body, threads, bundles_only=bundles_only)
        options = Options.from_config(config)
        detector, beside = load_detectors(config, threads)
        return cls(backbone, detector, body, options, detector_beside=beside, fallbacks=fallbacks, config=config)

    def update(self, values: Mapping[str, object]) -> None:
        """Change live parameters of `config.PARAMETERS` by name; from the next `process` on, people keep their ids.

        Raises ConfigError for a name that is unknown or not live, and for an unusable value; then nothing changes.
        """
        changes = check_live(values)
        self._check_open()
        wait([state.search.boxes for state in self._cameras.values() if state.search])  # it began as things were
        self._config |= changes
        self._options = replace(self._options, **_live_options(changes))
        for state in self._cameras.values():
            state.tracker.max_age = self._options.max_age
        if any(name.startswith("smoothing.") for name in changes):
            self._motion.update(smoothing_options(self._config))
        if "detection.threshold" in changes:
            for detector in self._detectors:
                detector.threshold = changes["detection.threshold"]
        if "latency.budget_ms" in changes:
            self._budget = self._budget_of(self._options)

    @property
    def _detectors(self) -> set[Detector]:
        return {detector for detector in (self._detector, self._detector_beside) if detector is not None}

    def estimate(self, frame: Frame) -> list[Person]:
        """The people in one frame. What is wrong with the frames of a camera is logged once."""
        result = self.process(frame)
        key = frame.source or frame.frame_id
        logged = self._cameras[key].logged
        for name in sorted(result.warnings.keys() - logged):
            log.warning("camera %r: %s", key, result.warnings[name])
        logged.update(result.warnings)
        return list(result.people)

    @overload
    def process(self, frames: Frame) -> People: ...

    @overload
    def process(self, frames: Mapping[str, Frame]) -> dict[str, People]: ...

    @overload
    def process(self, frames: Sequence[Frame]) -> list[People]: ...

    def process(
        self, frames: Frame | Mapping[str, Frame] | Sequence[Frame]
    ) -> People | dict[str, People] | list[People]:
        """The people of one frame, of each of several, or of each camera's by its name; one batch for each network.

        The names of a mapping become `Frame.source`. No frames, no people: the answer is empty as well.

        Raises InputError for two frames of one camera, for a frame whose own `source` is another one than its name in
        the mapping, and for anything but frames; then nothing has changed. Raises RuntimeError after `close`.
        """
        self._check_open()
        if isinstance(frames, Frame):
            return self._processed([frames])[0]
        if isinstance(frames, Mapping):
            named = named_frames(frames)
            return dict(zip(named, self._processed(list(named.values())), strict=True))
        return self._processed(listed_frames(frames))

    def _processed(self, frames: Sequence[Frame]) -> list[People]:
        if not frames:
            return []
        began = perf_counter()
        effort = FULL if self._budget is None else self._budget.effort
        backbone = self._backbones[effort.backbone]
        seconds: dict[str, float] = {}
        with _timed(seconds, "detection"):
            states = self._states(frames)
            self._detect(frames, states, effort.spared)
        tasks = [self._task(frame, state, effort) for frame, state in zip(frames, states, strict=True)]
        observations = [observation for task in tasks for observation in task.people]
        with _timed(seconds, "backbone"):
            bodies = backbone.estimate(observations)
        with _timed(seconds, "body"):
            found = iter(self._persons(tasks, bodies))
            people = [self._concluded(task, {o.id: next(found) for o in task.people}) for task in tasks]
        if self._budget is not None:
            self._budget.spent(perf_counter() - began, max((len(task.people) for task in tasks), default=0))
        return [
            People(
                frame=frame,
                people=_placed(mine, frame.camera),
                camera=frame.camera or _camera(task.frame),
                backbone=backbone.name,
                body_model=self.body.name,
                runtime=backbone.runtime,
                stage_seconds=seconds,
                num_not_estimated=len(task.not_estimated),
                degraded=effort.degradation,
                degraded_text=effort.described(backbone.name),
                warnings=task.state.warnings,
            )
            for frame, task, mine in zip(frames, tasks, people, strict=True)
        ]

    def warm_up(self) -> None:
        """Run detector and backbones once on an empty image, so that the first real one is not the slowest."""
        self._check_open()
        image = np.zeros((_WARM_UP_HEIGHT, _WARM_UP_WIDTH, 3), np.uint8)
        frame = Frame(image, Camera.from_fov(_WARM_UP_WIDTH, _WARM_UP_HEIGHT))
        for detector in self._detectors:
            detector.detect([image])
        for backbone in self._backbones:
            backbone.estimate([Observation(frame, "warm_up", Box(0, 0, _WARM_UP_WIDTH, _WARM_UP_HEIGHT))])
            backbone.reset()

    def reset(self) -> None:
        """Forget everybody; ids are not used again."""
        self._check_open()
        self._cameras.clear()
        for backbone in self._backbones:
            backbone.reset()
        self._distances.reset()
        self._motion.reset()
        self._confidence.clear()

    def close(self, timeout: float = END_S) -> bool:
        """End the detection's thread and free the networks; nothing happens where that is done already.

        False where a detection did not return within `timeout` seconds and was abandoned: its network stays until it
        returns. A closed estimator raises RuntimeError where it is used.
        """
        self._closed = True
        ended = self._beside.close(timeout)
        self._cameras.clear()
        self._backbones, self._detector, self._detector_beside = (), None, None
        gc.collect()  # networks lie in cycles: their memory, the device's too, would stay until some later day
        return ended

    def __enter__(self) -> Estimator:
        self._check_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the estimator is closed: make another one")

    def _states(self, frames: Sequence[Frame]) -> list[CameraState]:
        """The frames' cameras; one whose time went back or whose images have another size than before starts anew.

        Those not seen for longest are forgotten.

        Raises InputError for two frames of one camera.
        """
        keys = [frame.source or frame.frame_id for frame in frames]
        for i, key in enumerate(keys):
            if key in keys[:i]:
                raise InputError(
                    f"frames {keys.index(key)} and {i} are both of camera {key!r} (Frame.source, or else frame_id): "
                    "give one frame a camera, or each camera its own name"
                )
        states = [self._state(key, frame) for key, frame in zip(keys, frames, strict=True)]
        for key in list(self._cameras)[: -max(_MOST_CAMERAS, len(keys))]:
            self._forget(self._cameras.pop(key).tracker.clear())
        return states

    def _state(self, key: str, frame: Frame) -> CameraState:
        state = self._cameras.pop(key, None)
        size = frame.image.shape[:2]
        if state is not None and (0 != frame.stamp_ns < state.stamp_ns or size != state.size):
            self._forget(state.tracker.clear())
            state = None
        if state is None:
            state = CameraState(Tracker(self._ids, self._options.max_age), size)
        self._cameras[key] = state  # at the end: the last ones seen
        state.begin(frame.stamp_ns)
        return state

    def _forget(self, people: Collection[str]) -> None:
        for backbone in self._backbones:
            backbone.forget(people)
        self._distances.forget(people)
        self._motion.forget(people)
        self._confidence.forget(people)

    def _detect(self, frames: Sequence[Frame], states: Sequence[CameraState], spared: int) -> None:
        """Boxes of an earlier frame, those that come with the frames, and the detector's where they cannot wait.

        A frame that is given again, because its batch failed, is not detected twice.
        """
        confirm = not self._backbones[0].confirms_people
        new = [i for i, state in enumerate(states) if state.undetected]
        for i in new:
            search = states[i].found_beside()
            if search is not None and frames[i].detections is None:
                states[i].detected(search.boxes.result(), search.stamp_ns, confirm=confirm)
        found = {i: self._given(frames[i]) for i in new if frames[i].detections is not None}
        if self._detector is not None:
            found |= self._detected([i for i in new if i not in found], frames, states, spared)
        for i, state in enumerate(states):
            if i in found:
                state.schedule.begun()
                state.detected(found[i], state.stamp_ns, confirm=confirm)
            elif confirm and state.stamp_ns - state.schedule.detected_ns > _LONGEST_UNCONFIRMED_NS:
                state.tracker.detected([], state.stamp_ns, confirm=True)

    def _detected(
        self, asked: Sequence[int], frames: Sequence[Frame], states: Sequence[CameraState], spared: int
    ) -> dict[int, list[Box]]:
        """The detector's boxes where they are due and cannot wait; searches begin where they can."""
        assert self._detector is not None
        every, now = self._options.detection_interval, []
        for i in asked:
            if not states[i].due(every, spared) or states[i].search is not None:
                continue
            if states[i].may_wait(every):
                states[i].search = self._search(frames[i])
                states[i].schedule.begun()
            else:
                now.append(i)
        return dict(zip(now, self._detector.detect([frames[i].image for i in now]), strict=True)) if now else {}

    def _search(self, frame: Frame) -> Search:
        """Look for people in another thread, in a copy: the caller may use the image's memory again."""
        assert self._detector_beside is not None
        detect, image = self._detector_beside.detect, frame.image.copy()
        return Search(frame.stamp_ns, self._beside.submit(lambda: detect([image])[0]))

    def _given(self, frame: Frame) -> list[Box]:
        height, width = frame.image.shape[:2]
        boxes = clean_boxes(frame.detections or (), width, height)
        return [box for box in boxes if box.score >= self._options.detection_threshold]

    def _task(self, frame: Frame, state: CameraState, effort: Effort) -> _Task:
        """The nearest people in view, as many as may be."""
        if frame.camera is None:
            height, width = frame.image.shape[:2]
            frame = replace(frame, camera=Camera.from_fov(width, height, self._options.default_fov))
        elif frame.camera.centre.any():  # estimated where the camera is; `_placed` brings people into its frame
            frame = replace(frame, camera=replace(frame.camera, centre=np.zeros(3)))
        if state.unstamped:
            frame = replace(frame, stamp_ns=state.stamp_ns)  # of the frame before: time stands still
        if state.looks_through(_camera(frame)):
            self._distances.forget(state.tracker.known)
            self._motion.forget(state.tracker.known)
        following = state.tracker.following
        most = min(self._options.max_people, effort.people or self._options.max_people)
        boxes = {track.id: track.box for track in following}
        chosen = set(nearest(boxes, most, state.at_a_metre, state.estimated))
        people = [
            Observation(frame, track.id, track.box, state.seconds_since(track.detected_ns))
            for track in following
            if track.id in chosen
        ]
        return _Task(frame, state, people, [track for track in following if track.id not in chosen])

    def _persons(self, tasks: Sequence[_Task], bodies: Sequence[BodyEstimate | None]) -> list[Person | None]:
        """The tasks' people: placed by depth, smoothed, and with velocities."""
        observations = [observation for task in tasks for observation in task.people]
        of = {o.id: task.state for task in tasks for o in task.people}
        bodies = self._distances.placed(observations, bodies)
        found = {o.id: body for o, body in zip(observations, bodies, strict=True) if body is not None}
        for task in tasks:
            readings = [found[o.id].depth for o in task.people if o.id in found]
            task.state.look_at_depth([reading for reading in readings if reading is not None])
        samples = {
            o.id: _sample(o.id, body, of[o.id])
            for o, body in zip(observations, bodies, strict=True)
            if body is not None
        }
        smooth = dict(zip(samples, self._motion.smoothed(list(samples.values())), strict=True))
        bodies = [body and replace(body, params=smooth[o.id]) for o, body in zip(observations, bodies, strict=True)]
        people = persons(self.body, observations, bodies, self._options.person_height)
        return [person and self._with_velocities(person, samples[person.id]) for person in people]

    def _with_velocities(self, person: Person, sample: Sample) -> Person:
        root, left, right = self._motion.velocities(sample, person.joints)
        return replace(person, root_velocity=root, left_wrist_velocity=left, right_wrist_velocity=right)

    def _concluded(self, task: _Task, people: Mapping[str, Person | None]) -> tuple[Person, ...]:
        """What the tracker and the schedule learn of the people who were estimated; those who stay."""
        state = task.state
        boxes = {identity: None if person is None else person.box for identity, person in people.items()}
        falling = [p for p in people.values() if p and self._confidence.falls(p.id, p.score * _mean_confidence(p))]
        if falling or None in boxes.values():
            state.schedule.soon()
        # Those beyond `max_people` are not estimated: only detections say that they are still there.
        boxes |= {track.id: None for track in task.not_estimated if track.seen_ns < state.schedule.detected_ns}
        gone = state.tracker.estimated(boxes, task.frame.stamp_ns)
        self._forget(gone)
        state.estimated = frozenset(people)
        stay = tuple(person for person in people.values() if person is not None and person.id not in gone)
        state.at_a_metre |= {person.id: size(person.box) * float(np.linalg.norm(person.joints[0])) for person in stay}
        for identity in gone:
            state.at_a_metre.pop(identity, None)
        return stay

    def _budget_of(self, options: Options) -> LatencyBudget | None:
        if not options.latency_budget_ms:
            return None
        return LatencyBudget(options.latency_budget_ms * 1e-3, len(self._backbones) - 1)


def _sample(person: str, body: BodyEstimate, state: CameraState) -> Sample:
    longest_gap_ns = state.interval.longest_gap_ns(LONGEST_GAP_NS, RAREST_GAP_NS)
    return Sample(person, body.params, 0 if state.unstamped else state.stamp_ns, longest_gap_ns, body.size_source)


def _mean_confidence(person: Person) -> float:
    """Of the joints of which it is known; NaN: of none."""
    known = person.confidence[np.isfinite(person.confidence)]
    return float(known.mean()) if len(known) else float("nan")


def _placed(people: tuple[Person, ...], camera: Camera | None) -> tuple[Person, ...]:
    """People whose places are known from the camera's centre, in the frame in which that centre is given."""
    if camera is None or not camera.centre.any():
        return people
    placement = Placement(np.eye(3), camera.centre)
    return tuple(placement.place(person) for person in people)


def _camera(frame: Frame) -> Camera:
    assert frame.camera is not None
    return frame.camera


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = perf_counter()
    yield
    seconds[stage] = perf_counter() - start
