"""The estimator: from frames of cameras to tracked SMPL-X people, without ROS."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from logging import getLogger
from time import perf_counter
from typing import overload

import numpy as np

from smplerx_ros.backbones.backbone import Backbone
from smplerx_ros.body import BodyModel, load_body
from smplerx_ros.config.options import Options
from smplerx_ros.detection import Detector
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.types import Frame, People, Person

from .estimation import Estimation
from .finishing import Finishing, in_frame_of_centre
from .identification import Conclusion, Identification
from .inputs import listed_frames, named_frames
from .loading import load_backbones, load_detectors
from .scheduling.background import EXIT_TIMEOUT_S
from .scheduling.budget import Effort
from .scheduling.cameras import camera_name
from .stages import TrackedFrame
from .tracking.events import TrackEvent, without_history, without_metric_history

log = getLogger(__name__)

_WARM_UP_WIDTH, _WARM_UP_HEIGHT = 640, 480
_ID_PREFIX = "p"  # unless configured; the node draws a random one


class Estimator:
    """Estimates and tracks the people of one or several cameras, named by `Frame.source` or else `frame_id`.

    It composes three parts: identification (detection and tracking), estimation (the backbone), and finishing
    (localization, smoothing, velocities). `close` it, or use it as a context manager, to release networks and thread.
    Not thread-safe.

    Args:
        backbone: Estimates bodies.
        detector: Detects people; None: detections come with the frames only.
        body: The body model.
        options: The parameters.
        detector_beside: For detections in a background thread; None: `detector`.
        fallbacks: Faster backbones for `latency.budget_ms`.
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
        self._closed = False
        new_ids = (f"{options.id_prefix or _ID_PREFIX}{n}" for n in count(1))
        self._identification = Identification(detector, detector_beside, options, new_ids)
        self._estimation = Estimation((backbone, *fallbacks), options.latency_budget_ms)
        self._finishing = Finishing(body, options)

    @classmethod
    def from_config(cls, values: Options | Mapping[str, object], *, bundles_only: bool = False) -> Estimator:
        """Load an estimator by its options.

        Args:
            values: Options, or parameters by name (docs/reference/parameters.md); the rest have their defaults.
            bundles_only: Whether to refuse a checkpoint as `weights`, rather than to convert it into the user's cache.

        Raises:
            ConfigError: If a name is unknown or a value unusable.
            ModelFileError: If a file is unusable.
        """
        options = values if isinstance(values, Options) else Options.from_config(values)
        body = load_body(options.body_model or None)
        backbone, *fallbacks = load_backbones(options, body, bundles_only=bundles_only)
        detector, background = load_detectors(options)
        return cls(backbone, detector, body, options, detector_beside=background, fallbacks=fallbacks)

    @property
    def options(self) -> Options:
        """The current options: those of the constructor, with the changes of `update`."""
        return self._options

    def update(self, values: Mapping[str, object]) -> None:
        """Change live parameters by name, from the next `process` on; people keep their ids.

        Raises:
            ConfigError: If a name is unknown or not live, or a value unusable; then nothing has changed.
        """
        self._check_open()
        self._options = options = self._options.updated(values)
        self._identification.update(options)
        self._estimation.set_budget(options.latency_budget_ms)
        self._finishing.update(options)

    def estimate(self, frame: Frame) -> list[Person]:
        """Estimate the people in one frame; each warning about a camera's frames is logged once."""
        result = self.process(frame)
        for text in self._identification.new_warnings(frame, result.warnings):
            log.warning("camera %r: %s", camera_name(frame), text)
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
        """Estimate the people of one frame, or of one frame per camera with each network in one batch.

        Args:
            frames: A frame, a sequence of frames of different cameras, or a mapping by camera name, which becomes
                `Frame.source`.

        Returns:
            The people of each frame, in the same form; empty for an empty sequence or mapping.

        Raises:
            InputError: If two frames are of one camera, if a frame's `source` differs from its name in the mapping, or
                for anything but frames; then nothing has changed.
            RuntimeError: After `close`.
        """
        self._check_open()
        if isinstance(frames, Frame):
            return self._process([frames])[0]
        if isinstance(frames, Mapping):
            named = named_frames(frames)
            return dict(zip(named, self._process(list(named.values())), strict=True))
        return self._process(listed_frames(frames))

    def _process(self, frames: Sequence[Frame]) -> list[People]:
        if not frames:
            return []
        began = perf_counter()
        identification, estimation = self._identification, self._estimation
        effort = estimation.effort
        seconds: dict[str, float] = {}
        with _timed(seconds, "detection"):
            self._react(identification.begin(frames))
            tracked = identification.identify(frames, effort, confirm=not estimation.confirms_people)
        self._react(event for frame in tracked for event in frame.events)
        with _timed(seconds, "backbone"):
            estimated = estimation.estimate(tracked, effort)
        with _timed(seconds, "body"):
            concluded = [identification.conclude(frame) for frame in self._finishing.finish(estimated)]
            self._react(event for conclusion in concluded for event in conclusion.events)
        estimation.record(perf_counter() - began, tracked)
        return [self._people(*each, effort, seconds) for each in zip(frames, tracked, concluded, strict=True)]

    def _people(
        self, frame: Frame, tracked: TrackedFrame, conclusion: Conclusion, effort: Effort, seconds: dict[str, float]
    ) -> People:
        backbone = self._estimation.backbone(effort)
        return People(
            frame=frame,
            people=in_frame_of_centre(conclusion.people, frame.camera),
            camera=frame.camera or tracked.camera,
            backbone=backbone.name,
            body_model=self.body.name,
            runtime=backbone.runtime,
            stage_seconds=seconds,
            num_not_estimated=len(tracked.not_estimated),
            degraded=effort.degradation,
            degraded_text=effort.describe(backbone.name),
            warnings=conclusion.warnings,
        )

    def _react(self, events: Iterable[TrackEvent]) -> None:
        """Log the events, and drop all memory that they invalidate."""
        events = tuple(events)
        for event in events:
            log.debug("track %s: %s", event.id, event.kind.name.lower())
        people = without_history(events)
        self._identification.forget(people)
        self._estimation.forget(people)
        self._finishing.forget(without_metric_history(events))

    def warm_up(self) -> None:
        """Run detectors and backbones once on an empty image, so that the first real one is not slower."""
        self._check_open()
        image = np.zeros((_WARM_UP_HEIGHT, _WARM_UP_WIDTH, 3), np.uint8)
        frame = Frame(image, Camera.from_fov(_WARM_UP_WIDTH, _WARM_UP_HEIGHT))
        self._identification.warm_up(image)
        self._estimation.warm_up(frame)

    def reset(self) -> None:
        """End all tracks; ids are not used again."""
        self._check_open()
        self._identification.reset()
        self._estimation.reset()
        self._finishing.reset()

    def close(self, timeout: float = EXIT_TIMEOUT_S) -> bool:
        """End the detection thread and release the networks; a closed estimator raises RuntimeError if used.

        Args:
            timeout: Seconds to wait for a running detection.

        Returns:
            False if a detection did not return in time; its network is released when it does.
        """
        self._closed = True
        ended = self._identification.close(timeout)
        self._estimation.close()
        gc.collect()  # networks are in reference cycles, which would keep their memory, also the GPU's
        return ended

    def __enter__(self) -> Estimator:
        self._check_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the estimator is closed: make another one")


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = perf_counter()
    yield
    seconds[stage] = perf_counter() - start
