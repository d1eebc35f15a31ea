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
    """Rotations `(n, 3, 3)`, each along its shortest way: no jump at half a turn."""

    def __init__(self, cutoff: Cutoff) -> None:
        self.cutoff = cutoff
        self._state: tuple[FloatArray, FloatArray, FloatArray] | None = None  # filtered, raw, velocity (n, 3) rad/s

    def __call__(self, value: FloatArray, seconds: float) -> FloatArray:
        """The filtered rotations, `seconds` (> 0) after those before; the first pass through."""
        if self._state is None:
            self._state = value, value, np.zeros(value.shape[:-1])
            return value
        filtered, raw, velocity = self._state
        turns = rotvec_from_matrix(np.swapaxes(np.stack([raw, filtered]), -1, -2) @ value)
        velocity = velocity + smoothing_factor(_SPEED_CUTOFF, seconds) * (turns[0] / seconds - velocity)
        speed = np.linalg.norm(velocity, axis=-1, keepdims=True)
        share = smoothing_factor(self.cutoff.least + self.cutoff.per_speed * speed, seconds)
        filtered = np.asarray(filtered @ matrix_from_rotvec(share * turns[1]))
        self._state = filtered, value, velocity
        return filtered


def smoothing_factor(cutoff: FloatArray | float, seconds: float) -> Any:
    """Share of a new value in the output of a first-order low pass of `cutoff` Hz sampled every `seconds`."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * seconds))
