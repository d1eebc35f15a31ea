"""The One-Euro filter: steady when slow, prompt when fast. For vectors, and for rotations on SO(3).

Casiez, Roussel, Vogel: 1 Euro filter, CHI 2012. A low pass whose cutoff frequency rises with the speed of the signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix

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


class Vectors(NamedTuple):
    """Values `(..., n)` in groups, each filtered by the speed of the whole group.

    What is NaN stays so, says nothing of its group, and begins anew.
    """

    filtered: FloatArray
    raw: FloatArray
    velocity: FloatArray  # 1/s

    @classmethod
    def begin(cls, value: FloatArray) -> Vectors:
        """The first value passes through."""
        return cls(value, value, np.zeros_like(value))

    def begun_anew(self, part: slice) -> Vectors:
        """As if these values had never been: the next ones pass through."""
        filtered = self.filtered.copy()
        filtered[..., part] = np.nan
        return self._replace(filtered=filtered)

    def followed_by(
        self, value: FloatArray, seconds: FloatArray | float, cutoffs: Sequence[Cutoff], sizes: Sequence[int]
    ) -> Vectors:
        """The state `seconds` (> 0; scalar or `(..., 1)`) later; `cutoffs` of groups of `sizes` neighbours."""
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
    """Rotations `(..., 3, 3)`, each along its shortest way: no jump at half a turn.

    Beyond the paper: speeds below `_STILL_SPEED` are noise and raise no cutoff, so that rest is steadier; and what the
    output lags behind for more than `_STILL_LAG` raises it, so that slow turns are not held back for it.
    """

    filtered: FloatArray
    raw: FloatArray
    velocity: FloatArray  # (..., 3) rad/s
    lag: FloatArray  # (..., 3) rad, low-passed

    @classmethod
    def begin(cls, value: FloatArray) -> Rotations:
        """The first value passes through."""
        none = np.zeros(value.shape[:-1])
        return cls(value, value, none, none)

    def followed_by(self, value: FloatArray, seconds: FloatArray | float, cutoff: Cutoff) -> Rotations:
        """The state `seconds` (> 0; scalar or `(..., 1)`) later."""
        turn, behind = rotvec_from_matrix(np.stack([self.raw, self.filtered]).swapaxes(-1, -2) @ value)
        velocity = self.velocity + smoothing_factor(_SPEED_CUTOFF, seconds) * (turn / seconds - self.velocity)
        lag = self.lag + smoothing_factor(_LAG_CUTOFF, seconds) * (behind - self.lag)
        cutoffs = (
            cutoff.least + cutoff.per_speed * _beyond(velocity, _STILL_SPEED) + _PER_LAG * _beyond(lag, _STILL_LAG)
        )
        turned = matrix_from_rotvec(smoothing_factor(cutoffs, seconds) * behind)
        return Rotations(self.filtered @ turned, value, velocity, lag)


def _beyond(vectors: FloatArray, least: float) -> FloatArray:
    """`(..., 1)` by how much the length of `(..., n)` exceeds `least`."""
    lengths = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))[..., None]
    return np.asarray(np.maximum(lengths - least, 0.0))


def smoothing_factor(cutoff: FloatArray | float, seconds: FloatArray | float) -> Any:
    """Share of a new value in the output of a first-order low pass of `cutoff` Hz sampled every `seconds`."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * seconds))
