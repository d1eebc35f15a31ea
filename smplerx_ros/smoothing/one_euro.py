"""The One-Euro filter: steady when slow, prompt when fast. For vectors, and for rotations on SO(3).

Casiez, Roussel, Vogel: 1 Euro filter, CHI 2012. A low pass whose cutoff frequency rises with the speed of the signal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotations import matrix_from_rotvec, rotvec_from_matrix

FloatArray = NDArray[np.floating[Any]]

_SPEED_CUTOFF = 2.0  # Hz, of the low pass on the speed; at the paper's 1 Hz legs that walk lag behind
# Of rotations. Chosen on joints with 0.02 rad of noise at 30 Hz, a walk and a man on a beam.
_STILL_SPEED = 0.35  # rad/s
_STILL_LAG, _LAG_CUTOFF = 0.03, 4.0  # rad, Hz
_PER_LAG = 200.0  # Hz for each rad


@dataclass(frozen=True)
class Cutoff:
    """`least` Hz at rest, and `per_speed` Hz more for each unit a second."""

    least: float
    per_speed: float


class VectorFilter:
    """Values `(..., n)`, each row filtered by the speed of the whole row."""

    def __init__(self, cutoff: Cutoff) -> None:
        self.cutoff = cutoff
        self._state: tuple[FloatArray, FloatArray, FloatArray] | None = None  # filtered, raw, velocity

    def __call__(self, value: FloatArray, seconds: float) -> FloatArray:
        """The filtered value, `seconds` (> 0) after the one before; the first passes through."""
        if self._state is None:
            self._state = value, value, np.zeros_like(value)
            return value
        filtered, raw, velocity = self._state
        velocity = velocity + smoothing_factor(_SPEED_CUTOFF, seconds) * ((value - raw) / seconds - velocity)
        speed = np.linalg.norm(velocity, axis=-1, keepdims=True)
        share = smoothing_factor(self.cutoff.least + self.cutoff.per_speed * speed, seconds)
        filtered = np.asarray(filtered + share * (value - filtered))
        self._state = filtered, value, velocity
        return filtered


class RotationFilter:
    """Rotations `(n, 3, 3)`, each along its shortest way: no jump at half a turn.

    Beyond the paper: speeds below `_STILL_SPEED` are noise and raise no cutoff, so that rest is steadier; and what the
    output lags behind for more than `_STILL_LAG` raises it, so that slow turns are not held back for it.
    """

    def __init__(self, cutoff: Cutoff) -> None:
        self.cutoff = cutoff
        # Filtered and raw rotations; velocity (n, 3) rad/s; low-passed lag (n, 3) rad.
        self._state: tuple[FloatArray, FloatArray, FloatArray, FloatArray] | None = None

    def __call__(self, value: FloatArray, seconds: float) -> FloatArray:
        """The filtered rotations, `seconds` (> 0) after those before; the first pass through."""
        if self._state is None:
            none = np.zeros(value.shape[:-1])
            self._state = value, value, none, none
            return value
        filtered, raw, velocity, lag = self._state
        turn, behind = rotvec_from_matrix(np.swapaxes(np.stack([raw, filtered]), -1, -2) @ value)
        velocity = velocity + smoothing_factor(_SPEED_CUTOFF, seconds) * (turn / seconds - velocity)
        lag = lag + smoothing_factor(_LAG_CUTOFF, seconds) * (behind - lag)
        cutoff = self.cutoff.least + self.cutoff.per_speed * _beyond(velocity, _STILL_SPEED)
        share = smoothing_factor(cutoff + _PER_LAG * _beyond(lag, _STILL_LAG), seconds)
        filtered = np.asarray(filtered @ matrix_from_rotvec(share * behind))
        self._state = filtered, value, velocity, lag
        return filtered


def _beyond(vectors: FloatArray, least: float) -> FloatArray:
    """`(..., 1)` by how much the length of `(..., n)` exceeds `least`."""
    return np.asarray(np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True) - least, 0.0))


def smoothing_factor(cutoff: FloatArray | float, seconds: float) -> Any:
    """Share of a new value in the output of a first-order low pass of `cutoff` Hz sampled every `seconds`."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * seconds))
