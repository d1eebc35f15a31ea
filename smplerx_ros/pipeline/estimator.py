"""Frames in, people out: detection, tracking, a backbone and a body; no ROS."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from logging import getLogger
from time import perf_counter
from typing import overload

import numpy as np

from smplerx_ros.backbones.backbone import Backbone
from smplerx_ros.body import BodyModel, load_body
from smplerx_ros.body.placement import Placement
from smplerx_ros.config.options import Options
from smplerx_ros.detection import Detector
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.types import BodyEstimate, Frame, Observation, People, Person

from .frames import listed_frames, named_frames
from .loading import load_backbones, load_detectors
from .localization.distance import Distances
from .localization.persons import persons
from .scheduling.beside import END_S
from .scheduling.budget import FULL, Effort, LatencyBudget
from .scheduling.camera import CameraState
from .scheduling.cameras import Cameras, camera_name
from .scheduling.crowd import nearest, size
from .scheduling.detection import ConfidenceWatch
from .scheduling.finder import Finder
from .smoothing.motion import Motion, smoothing_options
from .smoothing.people import LONGEST_GAP_NS, RAREST_GAP_NS, Sample
from .tracking.tracker import TrackedBox

log = getLogger(__name__)

_WARM_UP_WIDTH, _WARM_UP_HEIGHT = 640, 480
_ID_PREFIX = "p"  # where none is chosen; the node draws one


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
    ) -> None:
        self.body = body
        self._options = options
        self._backbones: tuple[Backbone, ...] = (backbone, *fallbacks)
        self._finder = Finder(detector, detector_beside, options)
        self._closed = False
        prefix = options.id_prefix or _ID_PREFIX
        self._cameras = Cameras((f"{prefix}{n}" for n in count(1)), options.tracker_max_age)
        self._distances = Distances(body)
        self._motion = Motion(smoothing_options(options), body)
        self._confidence = ConfidenceWatch()
        self._budget = self._budget_of(options)

    @classmethod
    def from_config(cls, values: Options | Mapping[str, object], *, bundles_only: bool = False) -> Estimator:
        """From options, or from the parameters of docs/reference/parameters.md by name; the others take their defaults.

        A checkpoint as `weights` is converted into the user's cache when ONNX Runtime runs it, unless `bundles_only`.
        Raises ConfigError for an unknown name or unusable value, ModelFileError for an unusable file.
        """
        options = values if isinstance(values, Options) else Options.from_config(values)
        body = load_body(options.body_model or None)
        backbone, *fallbacks = load_backbones(options, body, bundles_only=bundles_only)
        detector, beside = load_detectors(options)
        return cls(backbone, detector, body, options, detector_beside=beside, fallbacks=fallbacks)

    @property
    def options(self) -> Options:
        """As they stand: what the estimator was made with, and what `update` has changed since."""
        return self._options

    def update(self, values: Mapping[str, object]) -> None:
        """Change live parameters by name; from the next `process` on, people keep their ids.

        Raises ConfigError for a name that is unknown or not live, and for an unusable value; then nothing changes.
        """
        self._check_open()
        before, options = self._options, self._options.updated(values)
        wait([state.search.boxes for state in self._cameras if state.search])  # it began as things were
        self._options = options
        self._cameras.max_age = options.tracker_max_age
        self._finder.update(options)
        self._motion.update(smoothing_options(options))
        if options.latency_budget_ms != before.latency_budget_ms:
            self._budget = self._budget_of(options)

    def estimate(self, frame: Frame) -> list[Person]:
        """The people in one frame. What is wrong with the frames of a camera is logged once."""
        result = self.process(frame)
        logged = self._cameras[frame].logged
        for name in sorted(result.warnings.keys() - logged):
            log.warning("camera %r: %s", camera_name(frame), result.warnings[name])
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
            states, gone = self._cameras.begin(frames)
            self._forget(gone)
            self._finder.find(frames, states, effort.spared, confirm=not self._backbones[0].confirms_people)
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
        self._finder.warm_up(image)
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
        ended = self._finder.close(timeout)
        self._cameras.clear()
        self._backbones = ()
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

    def _forget(self, people: Collection[str]) -> None:
        for backbone in self._backbones:
            backbone.forget(people)
        self._distances.forget(people)
        self._motion.forget(people)
        self._confidence.forget(people)

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
        people = persons(self.body, observations, bodies, self._options.known_height)
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
