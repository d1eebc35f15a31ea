"""People of a camera that may move, seen from a frame that does not move with it."""

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
    """One camera's people in a target frame, with velocities relative to that frame.

    Velocities that were measured in the camera's frame are those against the camera: whoever stands still before a
    robot that drives has one. So they are taken anew from where people are in the target frame.
    """

    def __init__(self) -> None:
        self._interval = ImageInterval()
        self._velocities = VelocityEstimator()

    def placed(self, people: Sequence[Person], placement: Placement, stamp_ns: int) -> tuple[Person, ...]:
        """An image's people, and where the camera was; velocities are NaN in the first of them that is placed."""
        if stamp_ns:
            self._interval.seen(stamp_ns)
        max_gap_ns = self._interval.max_gap_ns(MAX_GAP_NS, MAX_SLOW_GAP_NS)
        # Whose velocity begins anew in the camera's frame (another source of the distance) has none here either.
        self._velocities.forget([person.id for person in people if np.isnan(person.root_velocity).any()])
        self._velocities.forget_before(stamp_ns - max_gap_ns)
        return tuple(self._placed(person, placement, stamp_ns, max_gap_ns) for person in people)

    def _placed(self, person: Person, placement: Placement, stamp_ns: int, max_gap_ns: int) -> Person:
        # In float64: a map's origin may be far away.
        points = np.asarray(person.joints, np.float64)[list(VELOCITY_JOINTS)]
        points = points @ placement.target_from_optical.T + placement.position
        root, left, right = self._velocities.update(person.id, points, stamp_ns, max_gap_ns)
        moved = placement.place(person)
        return replace(moved, root_velocity=root, left_wrist_velocity=left, right_wrist_velocity=right)
