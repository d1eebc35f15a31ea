"""Procedural colour patterns for clothes, floors and walls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smplerx_ros.arrays import FloatArray

KINDS = ("plain", "stripes", "checks", "blotches")
_WAVES = 5  # sine waves of a blotchy pattern


def random_color(rng: np.random.Generator, low: float = 20, high: float = 235) -> FloatArray:
    """Draw an RGB colour `(3,)` between `low` and `high`, mostly of low saturation like cloth and paint."""
    bright = rng.uniform(low, high)
    return np.asarray((bright + rng.beta(1, 2.5) * (rng.uniform(low, high, 3) - bright)).clip(0, 255))


@dataclass(frozen=True, eq=False)
class Pattern:
    """A pattern of two colours, a function from points to colours."""

    kind: str  # one of KINDS
    colors: FloatArray  # (2, 3) RGB 0..255
    axes: FloatArray  # (2, 3) wave vectors of stripes and checks, cycles per metre
    waves: FloatArray  # (_WAVES, 4) wave vectors, cycles per metre, and phases, cycles, of blotches
    grain: float  # amplitude of a smooth variation, 0..255

    @classmethod
    def random(cls, rng: np.random.Generator, *, period: float, low: float = 20, high: float = 235) -> Pattern:
        """Draw a pattern.

        Args:
            rng: Random generator.
            period: Period of the coarsest pattern, metres.
            low: Lower bound of the colours.
            high: Upper bound of the colours.
        """
        first = random_color(rng, low, high)
        second = (first + rng.normal(0, 40) + rng.normal(0, 20, 3)).clip(low, high)
        random_axes = np.linalg.qr(rng.standard_normal((3, 3)))[0]
        upright = np.eye(3)[rng.permutation([0, 1, 1])[:2]]  # patterns are mostly aligned with the body or room
        axes = (upright if rng.uniform() < 0.7 else random_axes[:2]) / (period * rng.uniform(0.25, 1.0))
        waves = np.column_stack([rng.standard_normal((_WAVES, 3)) / period, rng.uniform(0, 1, _WAVES)])
        kind = KINDS[rng.choice(len(KINDS), p=(0.4, 0.2, 0.15, 0.25))]
        return cls(kind, np.stack([first, second]), axes, waves, rng.uniform(0, 12))

    def __call__(self, points: FloatArray) -> FloatArray:
        """Return the colours `(N, 3)`, RGB, at `points (N, 3)`, metres."""
        mix = self._mix(points)[:, None]
        wave = np.sin(2 * np.pi * (points @ self.waves[:2, :3].T + self.waves[:2, 3])).sum(axis=1, keepdims=True)
        return np.asarray(self.colors[0] * (1 - mix) + self.colors[1] * mix + self.grain * wave)

    def _mix(self, points: FloatArray) -> FloatArray:
        """Return the fraction `(N,)` of the second colour."""
        if self.kind == "plain":
            return np.zeros(len(points))
        if self.kind == "blotches":
            waves = np.sin(2 * np.pi * (points @ self.waves[:, :3].T + self.waves[:, 3])).sum(axis=1)
            return np.asarray((0.5 + waves / 2).clip(0, 1))
        stripes = np.floor(points @ self.axes.T).astype(np.int64) % 2
        return np.asarray(stripes[:, 0] if self.kind == "stripes" else stripes.mean(axis=1), np.float64)
