"""The One-Euro filter for vectors, and for rotations on SO(3).

Casiez, Roussel, Vogel: 1 Euro Filter, CHI 2012. A low-pass filter whose cutoff frequency rises with the signal's speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix

_SPEED_CUTOFF = 2.0  # Hz, of the low-pass filter of the speed; at the paper's 1 Hz, walking legs lag behind
# For rotations, tuned on joints with 0.02 rad of noise at 30 Hz, and on two videos.
_STILL_SPEED = 0.35  # rad/s
_STILL_LAG, _LAG_CUTOFF = 0.03, 4.0  # rad, Hz
_PER_LAG = 200.0  # Hz for each rad


@dataclass(frozen=True)
class Cutoff:
    """Cutoff frequency: `least` Hz at rest, plus `per_speed` Hz per unit of speed (1/s)."""

    least: float
    per_speed: float


class Vectors(NamedTuple):
    """Filter state of values `(..., n)` in groups, whose cutoff depends on the speed of the whole group.

    NaN stays NaN, does not affect the rest of its group, and restarts the value's filter.
    """

    filtered: FloatArray
    raw: FloatArray
    velocity: FloatArray  # 1/s

    @classmethod
    def begin(cls, value: FloatArray) -> Vectors:
        """Initial state; the first value passes unfiltered."""
        return cls(value, value, np.zeros_like(value))

    def restarted(self, part: slice) -> Vectors:
        """The state with the filters of `part` restarted: the next values pass unfiltered."""
        filtered = self.filtered.copy()
        filtered[..., part] = np.nan
        return self._replace(filtered=filtered)

    def updated(
        self, value: FloatArray, seconds: FloatArray | float, cutoffs: Sequence[Cutoff], sizes: Sequence[int]
    ) -> Vectors:
        """The state after another value.

        Args:
            value: `(..., n)`.
            seconds: Time since the last value, > 0; scalar or `(..., 1)`.
            cutoffs: Cutoff of each group.
            sizes: Number of adjacent values in each group.
        """
        new = np.isnan(self.filtered)
        filtered, raw = np.where(new, value, self.filtered), np.where(new, value, self.raw)
        velocity = np.where(new, 0.0, self.velocity)
        velocity = velocity + smoothing_factor(_SPEED_CUTOFF, seconds) * ((value - raw) / seconds - velocity)
        starts = np.cumsum([0, *sizes[:-1]])
        speed = np.sqrt(np.add.reduceat(np.nan_to_num(velocity * velocity), starts, axis=-1))
        least, per_speed = (np.array([getattr(cutoff, name) for cutoff in cutoffs]) for name in ("least", "per_speed"))
        share = np.repeat(smoothing_factor(least + per_speed * speed, seconds), sizes, axis=-1)
        return Vectors(filtered + share * (value - filtered), value, velocity)


class Rotations(NamedTuple):
    """Filter state of rotations `(..., 3, 3)`, along geodesics, without jumps at 180 degrees.

    Two extensions of the paper: speeds below `_STILL_SPEED` count as noise and do not raise the cutoff, which reduces
    jitter at rest; and a lag of the output above `_STILL_LAG` raises it, so that slow rotations are followed.
    """

    filtered: FloatArray
    raw: FloatArray
    velocity: FloatArray  # (..., 3) rad/s
    lag: FloatArray  # (..., 3) rad, low-pass filtered

    @classmethod
    def begin(cls, value: FloatArray) -> Rotations:
        """Initial state; the first value passes unfiltered."""
        none = np.zeros(value.shape[:-1])
        return cls(value, value, none, none)

    def updated(self, value: FloatArray, seconds: FloatArray | float, cutoff: Cutoff) -> Rotations:
        """The state after another rotation, `seconds` (> 0; scalar or `(..., 1)`) later."""
        change, behind = rotvec_from_matrix(np.stack([self.raw, self.filtered]).swapaxes(-1, -2) @ value)
        velocity = self.velocity + smoothing_factor(_SPEED_CUTOFF, seconds) * (change / seconds - self.velocity)
        lag = self.lag + smoothing_factor(_LAG_CUTOFF, seconds) * (behind - self.lag)
        cutoffs = (
            cutoff.least + cutoff.per_speed * _excess(velocity, _STILL_SPEED) + _PER_LAG * _excess(lag, _STILL_LAG)
        )
        step = matrix_from_rotvec(smoothing_factor(cutoffs, seconds) * behind)
        return Rotations(self.filtered @ step, value, velocity, lag)


def _excess(vectors: FloatArray, least: float) -> FloatArray:
    """By how much the lengths of `vectors (..., n)` exceed `least`, else 0: `(..., 1)`."""
    lengths = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))[..., None]
    return np.asarray(np.maximum(lengths - least, 0.0))


def smoothing_factor(cutoff: FloatArray | float, seconds: FloatArray | float) -> Any:
    """Weight of a new value in a first-order low-pass filter of `cutoff` Hz, sampled every `seconds`."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * seconds))
