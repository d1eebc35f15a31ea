"""People of a moving camera in a target frame, with velocities relative to that frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from smplerx_ros.body.placement import Placement
from smplerx_ros.pipeline.scheduling.image_interval import ImageInterval
from smplerx_ros.types import Person

from .motion import VELOCITY_JOINTS
from .person_smoother import MAX_GAP_NS, MAX_SLOW_GAP_NS
from .velocity import VelocityEstimator


class MovingCamera:
    """Transforms one camera's people to a target frame.

    Velocities in the camera's frame are relative to the camera: a standing person has one if the robot moves. So they
    are computed from the positions in the target frame instead.
    """

    def __init__(self) -> None:
        self._interval = ImageInterval()
        self._velocities = VelocityEstimator()

    def transform(self, people: Sequence[Person], placement: Placement, stamp_ns: int) -> tuple[Person, ...]:
        """Transform the people of an image by the camera's placement; velocities are NaN in the first image."""
        if stamp_ns:
            self._interval.seen(stamp_ns)
        max_gap_ns = self._interval.max_gap_ns(MAX_GAP_NS, MAX_SLOW_GAP_NS)
        # Velocities that restarted in the camera's frame (another size source) restart here as well.
        self._velocities.forget([person.id for person in people if np.isnan(person.root_velocity).any()])
        self._velocities.forget_before(stamp_ns - max_gap_ns)
        return tuple(self._transform(person, placement, stamp_ns, max_gap_ns) for person in people)

    def _transform(self, person: Person, placement: Placement, stamp_ns: int, max_gap_ns: int) -> Person:
        # In float64, since the target frame's origin may be far away.
        points = np.asarray(person.joints, np.float64)[list(VELOCITY_JOINTS)]
        points = points @ placement.target_from_optical.T + placement.position
        root, left, right = self._velocities.update(person.id, points, stamp_ns, max_gap_ns)
        transformed = placement.place(person)
        return replace(transformed, root_velocity=root, left_wrist_velocity=left, right_wrist_velocity=right)
