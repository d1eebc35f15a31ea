"""How fast the root and the wrists of people move: differences, low-passed."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from smplerx_ros.arrays import FloatArray

from .one_euro import smoothing_factor
from .person_smoother import MAX_GAP_NS

_CUTOFF = 4.0  # Hz: a hand that waves at 1 Hz keeps more than 90 % of its speed also at 15 frames a second; lag 45 ms


class VelocityEstimator:
    """Velocities of a few points `(n, 3)` per person; NaN until two frames have been seen."""

    def __init__(self) -> None:
        self._people: dict[str, tuple[int, FloatArray, FloatArray]] = {}  # stamp, places, velocities

    def update(self, person: str, places: FloatArray, stamp_ns: int, max_gap_ns: int = MAX_GAP_NS) -> FloatArray:
        """`(n, 3)` m/s at `stamp_ns` of a person whose points are at `places (n, 3)` metres.

        NaN where the person was not seen within `max_gap_ns` before, and where a stamp is 0: not known.
        """
        velocity = np.full(places.shape, np.nan)
        if person in self._people:
            last_ns, last, smooth = self._people[person]
            seconds = (stamp_ns - last_ns) * 1e-9
            if last_ns and 0 < stamp_ns - last_ns <= max_gap_ns:
                velocity = (places - last) / seconds
                if np.isfinite(smooth).all():
                    velocity = smooth + smoothing_factor(_CUTOFF, seconds) * (velocity - smooth)
        self._people[person] = stamp_ns, places, velocity
        return velocity

    def forget(self, people: Collection[str]) -> None:
        """Drop people who have left."""
        for person in people:
            self._people.pop(person, None)

    def forget_before(self, stamp_ns: int) -> None:
        """Drop people who were seen last before that time."""
        self._people = {person: state for person, state in self._people.items() if state[0] >= stamp_ns}

    def reset(self) -> None:
        """Forget everybody."""
        self._people.clear()
