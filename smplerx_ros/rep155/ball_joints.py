"""Ball joints as chains of three hinges: angles within limits, without jumps where the chain is singular."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.rotations import cross, skew

# Sine of the angle to the singular direction below which the first hinge stays rather than turning with every tremor;
# it costs at most this many radians of direction.
_SINGULAR = 0.003
_VIOLATION = 1e6  # weight of radians outside the limits against radians of motion


@dataclass(frozen=True, eq=False)
class Hinges:
    """`K` chains of three hinges: unit `axes (K, 3, 3)`, one a row, and `lower`, `upper (K, 3)` radians.

    Neighbouring axes are perpendicular. The rotation of a chain is that of the first hinge times that of the second
    times that of the third.
    """

    axes: FloatArray
    lower: FloatArray
    upper: FloatArray

    def rotations(self, angles: FloatArray) -> FloatArray:
        """`(P, K, 3, 3)` of `angles (P, K, 3)`."""
        turns = self._axes.turned(angles)
        return np.asarray(turns[:, :, 0] @ turns[:, :, 1] @ turns[:, :, 2])

    def angles(self, rotations: FloatArray, before: FloatArray) -> tuple[FloatArray, FloatArray]:
        """`(P, K, 3)` radians that give `rotations (P, K, 3, 3)`, and the same within the limits.

        They go the nearest way from `before (P, K, 3)`. A direction has two solutions, half a turn of the first hinge
        apart; the one within the limits is taken, and the nearer where both are. Once a first angle is chosen, the
        others fit best. A hinge that has to stop at a limit is made up for by those after it.
        """
        seen = _Seen.of(np.swapaxes(self._frames, -1, -2) @ rotations @ self._frames, self._third)
        one = _near(np.arctan2(-seen.pointed[1], seen.pointed[2]), before[..., 0])
        turns = np.stack([one, _near(one + np.pi, before[..., 0])])
        cost = self._cost(turns, seen.lift(turns, self._middle[:, 1]), before)
        turn = np.where(cost[0] <= cost[1], turns[0], turns[1])
        sine2 = seen.pointed[1] ** 2 + seen.pointed[2] ** 2
        turn = before[..., 0] + (turn - before[..., 0]) * (sine2 / (sine2 + _SINGULAR**2))
        free = self._following(turn, seen, before, stop=False)
        if ((free >= self.lower) & (free <= self.upper)).all():
            return free, free
        turn = _within(turn, self.lower[:, 0], self.upper[:, 0])
        return free, _within(self._following(turn, seen, before, stop=True), self.lower, self.upper)

    def _cost(self, turn: FloatArray, lift: FloatArray, before: FloatArray) -> FloatArray:
        outside = np.zeros_like(turn)
        for i, angle in ((0, turn), (1, lift)):
            outside += np.abs(angle - _within(angle, self.lower[:, i], self.upper[:, i]))
        return np.asarray(_VIOLATION * outside + np.abs(turn - before[..., 0]))

    def _following(self, turn: FloatArray, seen: _Seen, before: FloatArray, *, stop: bool) -> FloatArray:
        lift = seen.lift(turn, self._middle[:, 1])
        if stop:
            lift = _within(lift, self.lower[:, 1], self.upper[:, 1])
        roll = _near(seen.roll(turn, lift), before[..., 2])
        inside = (roll >= self.lower[:, 2]) & (roll <= self.upper[:, 2])
        roll = np.where(inside, roll, _near(roll, self._middle[:, 2]))
        return np.stack([turn, lift, roll], axis=-1)

    @cached_property
    def _axes(self) -> Axes:
        return Axes.of(self.axes)

    @cached_property
    def _middle(self) -> FloatArray:
        return np.asarray((self.lower + self.upper) / 2)

    @cached_property
    def _frames(self) -> FloatArray:
        """`(K, 3, 3)`: the first axis, the second, and that perpendicular to both, as columns."""
        first, second = self.axes[:, 0], self.axes[:, 1]
        return np.stack([first, second, cross(first, second)], axis=-1)

    @cached_property
    def _third(self) -> FloatArray:
        """`(2, K)`: the third axis in those frames, where it has no part of the second."""
        return np.asarray(np.einsum("kij,ki->jk", self._frames, self.axes[:, 2])[[0, 2]])


@dataclass(frozen=True, eq=False)
class _Seen:
    """A chain's rotation in the frame of its first two axes: what it does to directions, each three `(P, K)`."""

    third: FloatArray  # (2, K) first and last component of the third axis
    pointed: FloatArray  # (3, P, K) where the third axis goes,
    second: FloatArray  # the second,
    aside: FloatArray  # and that perpendicular to both

    @classmethod
    def of(cls, rotations: FloatArray, third: FloatArray) -> _Seen:
        x, y, z = rotations.transpose(3, 2, 0, 1)  # columns, each (3, P, K)
        return cls(third, third[0] * x + third[1] * z, y, third[0] * z - third[1] * x)

    def lift(self, turn: FloatArray, middle: FloatArray) -> FloatArray:
        """The second angle once the first is `turn`, in the turn round `middle`."""
        x, y, z = self.pointed
        z = np.cos(turn) * z - np.sin(turn) * y
        first, last = self.third
        return _near(np.arctan2(x * last - z * first, x * first + z * last), middle)

    def roll(self, turn: FloatArray, lift: FloatArray) -> FloatArray:
        """The third angle that comes nearest to the rotation: it maximises the trace of their quotient."""
        first, last = self.third
        parts = []
        cosine, sine, cosine_lift, sine_lift = np.cos(turn), np.sin(turn), np.cos(lift), np.sin(lift)
        for x, y, z in (self.second, self.aside):
            y, z = cosine * y + sine * z, cosine * z - sine * y
            x, z = cosine_lift * x - sine_lift * z, sine_lift * x + cosine_lift * z
            parts.append((y, first * z - last * x))
        (second_kept, second_turned), (aside_turned, aside_kept) = parts
        return np.asarray(np.arctan2(second_turned - aside_turned, second_kept + aside_kept))


@dataclass(frozen=True, eq=False)
class Axes:
    """Unit axes `(...)` to turn about, and what Rodrigues' formula makes of them beforehand, each `(..., 3, 3)`."""

    kept: FloatArray
    swung: FloatArray
    crossed: FloatArray

    @classmethod
    def of(cls, axes: FloatArray) -> Axes:
        """Of `axes (..., 3)`."""
        kept = axes[..., :, None] * axes[..., None, :]
        return cls(kept, np.eye(3) - kept, skew(axes))

    def turned(self, angles: FloatArray) -> FloatArray:
        """Rotations `(..., 3, 3)` by `angles (...)`, radians."""
        wide = angles[..., None, None]
        return np.asarray(self.kept + np.cos(wide) * self.swung + np.sin(wide) * self.crossed)


def _near(angles: FloatArray, reference: FloatArray) -> FloatArray:
    """The same angles in the turn round `reference`."""
    return np.asarray(reference + np.remainder(angles - reference + np.pi, 2 * np.pi) - np.pi)


def _within(angles: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """As `np.clip`, which takes three times as long for so few."""
    return np.asarray(np.minimum(np.maximum(angles, lower), upper))
