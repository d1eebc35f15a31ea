"""Finishing: localization by depth, smoothing, joints, covariances and velocities of estimated bodies."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from smplerx_ros.body import BodyModel
from smplerx_ros.body.placement import Placement
from smplerx_ros.config.options import Options
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.types import BodyEstimate, Person

from .localization.distance import Distances
from .localization.persons import build_persons
from .smoothing.motion import Motion, smoothing_options
from .smoothing.person_smoother import Sample
from .stages import EstimatedFrame, FinishedFrame, TrackedFrame


class Finishing:
    """Makes people of estimated bodies; keeps the sizes, filters and velocities of people by id."""

    def __init__(self, body: BodyModel, options: Options) -> None:
        self._body = body
        self._known_height = options.known_height
        self._distances = Distances(body)
        self._motion = Motion(smoothing_options(options), body)

    def update(self, options: Options) -> None:
        """Change the smoothing options; filters keep their state."""
        self._motion.update(smoothing_options(options))

    def finish(self, frames: Sequence[EstimatedFrame]) -> list[FinishedFrame]:
        """Make people of the bodies of all frames in one batch."""
        observations = [observation for frame in frames for observation in frame.tracked.observations]
        bodies = self._distances.localize(observations, [body for frame in frames for body in frame.bodies])
        tracked = [frame.tracked for frame in frames for _ in frame.bodies]
        samples = {
            observation.id: _sample(observation.id, body, frame)
            for observation, body, frame in zip(observations, bodies, tracked, strict=True)
            if body is not None
        }
        smooth = dict(zip(samples, self._motion.smooth(list(samples.values())), strict=True))
        smoothed = [body and replace(body, params=smooth[o.id]) for o, body in zip(observations, bodies, strict=True)]
        people = iter(build_persons(self._body, observations, smoothed, self._known_height))
        measured = iter(bodies)
        return [
            FinishedFrame(
                frame.tracked,
                {o.id: self._with_velocities(next(people), samples.get(o.id)) for o in frame.tracked.observations},
                tuple(body.depth for body in (next(measured) for _ in frame.bodies) if body and body.depth),
            )
            for frame in frames
        ]

    def forget(self, ids: Collection[str]) -> None:
        """Drop the sizes, filters and velocities of these people."""
        self._distances.forget(ids)
        self._motion.forget(ids)

    def reset(self) -> None:
        """Drop the sizes, filters and velocities of all people."""
        self._distances.reset()
        self._motion.reset()

    def _with_velocities(self, person: Person | None, sample: Sample | None) -> Person | None:
        if person is None or sample is None:
            return None
        root, left, right = self._motion.velocities(sample, person.joints)
        return replace(person, root_velocity=root, left_wrist_velocity=left, right_wrist_velocity=right)


def in_frame_of_centre(people: Sequence[Person], camera: Camera | None) -> tuple[Person, ...]:
    """Transform people from the frame with the optical centre at the origin to that of `camera.centre`."""
    if camera is None or not camera.centre.any():
        return tuple(people)
    placement = Placement(np.eye(3), camera.centre)
    return tuple(placement.place(person) for person in people)


def _sample(identity: str, body: BodyEstimate, frame: TrackedFrame) -> Sample:
    return Sample(identity, body.params, frame.filter_stamp_ns, frame.max_gap_ns, body.size_source)
