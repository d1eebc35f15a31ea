"""Velocities of people by low-pass filtered differences of positions."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from smplerx_ros.arrays import FloatArray

from .one_euro import smoothing_factor
from .person_smoother import MAX_GAP_NS

_CUTOFF = 4.0  # Hz; a hand that waves at 1 Hz keeps 90 % of its speed, also at 15 frames per second; lag 45 ms


class VelocityEstimator:
    """Velocities of a few points `(n, 3)` per person; NaN in a person's first frame."""

    def __init__(self) -> None:
        self._people: dict[str, tuple[int, FloatArray, FloatArray]] = {}  # stamp, positions, velocities

    def update(self, person: str, positions: FloatArray, stamp_ns: int, max_gap_ns: int = MAX_GAP_NS) -> FloatArray:
        """Update a person's velocities.

        Args:
            person: The person's id.
            positions: `(n, 3)` metres.
            stamp_ns: Time of the positions; 0: unknown.
            max_gap_ns: The velocities restart if the person was not seen for longer.

        Returns:
            `(n, 3)` m/s; NaN if they restart or a stamp is unknown.
        """
        velocity = np.full(positions.shape, np.nan)
        if person in self._people:
            last_ns, last, smooth = self._people[person]
            seconds = (stamp_ns - last_ns) * 1e-9
            if last_ns and 0 < stamp_ns - last_ns <= max_gap_ns:
                velocity = (positions - last) / seconds
                if np.isfinite(smooth).all():
                    velocity = smooth + smoothing_factor(_CUTOFF, seconds) * (velocity - smooth)
        self._people[person] = stamp_ns, positions, velocity
        return velocity

    def forget(self, people: Collection[str]) -> None:
        """Drop these people."""
        for person in people:
            self._people.pop(person, None)

    def forget_before(self, stamp_ns: int) -> None:
        """Drop people last seen before `stamp_ns`."""
        self._people = {person: state for person, state in self._people.items() if state[0] >= stamp_ns}

    def reset(self) -> None:
        """Drop all people."""
        self._people.clear()
