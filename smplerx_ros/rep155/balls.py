"""Ball joints as chains of three hinges: angles within limits, without jumps where the chain is singular."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotations import cross

FloatArray = NDArray[np.floating[Any]]

# Sine of the angle to the singular direction below which the first hinge stays rather than turning with every tremor;
# it costs at most this many radians of direction.
_SINGULAR = 0.003
_VIOLATION = 1e6  # weight of radians outside the limits against radians of motion


@dataclass(frozen=True)
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
        first, second, third = (about(self.axes[:, i], angles[..., i]) for i in range(3))
        return np.asarray(first @ second @ third)

    def angles(self, rotations: FloatArray, before: FloatArray) -> FloatArray:
        """`(P, K, 3)` radians, not limited, that give `rotations (P, K, 3, 3)`; the nearest way from `before`.

        A direction has two solutions, half a turn of the first hinge apart; the one within the limits is taken, and the
        nearer where both are. Once a first angle is chosen, the others fit best.
        """
        first, second, third = (self.axes[:, i] for i in range(3))
        pointed = np.einsum("pkij,kj->pki", rotations, third)
        along, aside = np.sum(pointed * second, axis=-1), np.sum(pointed * cross(first, second), axis=-1)
        one = _near(np.arctan2(-along, aside), before[..., 0])
        other = _near(one + np.pi, before[..., 0])
        cost = [self._cost(turn, pointed, before) for turn in (one, other)]
        turn = np.where(cost[0] <= cost[1], one, other)
        sine2 = along**2 + aside**2
        turn = before[..., 0] + (turn - before[..., 0]) * sine2 / (sine2 + _SINGULAR**2)
        return self._following(turn, rotations, pointed, before)

    def limited(self, angles: FloatArray, rotations: FloatArray, before: FloatArray) -> FloatArray:
        """`(P, K, 3)` within the limits: each hinge that has to stop is made up for by those after it."""
        pointed = np.einsum("pkij,kj->pki", rotations, self.axes[:, 2])
        turn = np.clip(angles[..., 0], self.lower[:, 0], self.upper[:, 0])
        limited = self._following(turn, rotations, pointed, before, stop=True)
        return np.asarray(np.clip(limited, self.lower, self.upper))

    def _cost(self, turn: FloatArray, pointed: FloatArray, before: FloatArray) -> FloatArray:
        lift = self._lift(turn, pointed)
        outside = np.zeros_like(turn)
        for i, angle in ((0, turn), (1, lift)):
            outside += np.maximum(self.lower[:, i] - angle, 0) + np.maximum(angle - self.upper[:, i], 0)
        return np.asarray(_VIOLATION * outside + np.abs(turn - before[..., 0]))

    def _lift(self, turn: FloatArray, pointed: FloatArray) -> FloatArray:
        """The second angle once the first is `turn`, in the turn round the middle of its limits."""
        second, third = self.axes[:, 1], self.axes[:, 2]
        seen = np.einsum("pkji,pkj->pki", about(self.axes[:, 0], turn), pointed)
        lift = np.arctan2(np.sum(seen * cross(second, third), axis=-1), np.sum(seen * third, axis=-1))
        return _near(lift, self._middle[:, 1])

    def _following(
        self, turn: FloatArray, rotations: FloatArray, pointed: FloatArray, before: FloatArray, stop: bool = False
    ) -> FloatArray:
        lift = self._lift(turn, pointed)
        if stop:
            lift = np.clip(lift, self.lower[:, 1], self.upper[:, 1])
        done = about(self.axes[:, 0], turn) @ about(self.axes[:, 1], lift)
        roll = _near(_best_about(self.axes[:, 2], np.swapaxes(done, -1, -2) @ rotations), before[..., 2])
        inside = (roll >= self.lower[:, 2]) & (roll <= self.upper[:, 2])
        roll = np.where(inside, roll, _near(roll, self._middle[:, 2]))
        return np.stack([turn, lift, roll], axis=-1)

    @property
    def _middle(self) -> FloatArray:
        return np.asarray((self.lower + self.upper) / 2)


def about(axes: FloatArray, angles: FloatArray) -> FloatArray:
    """Rotations `(..., 3, 3)` about unit `axes (..., 3)` by `angles (...)`, radians (Rodrigues' formula)."""
    cosine, sine = np.cos(angles)[..., None, None], np.sin(angles)[..., None, None]
    x, y, z = axes[..., 0], axes[..., 1], axes[..., 2]
    zero = np.zeros_like(x)
    turn = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    outer = axes[..., :, None] * axes[..., None, :]
    return np.asarray(cosine * np.eye(3) + sine * turn + (1 - cosine) * outer)


def _best_about(axes: FloatArray, rotations: FloatArray) -> FloatArray:
    """The angle about `axes` that comes nearest to `rotations`: it maximises the trace of their quotient."""
    r = rotations
    vee = np.stack([r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0], r[..., 1, 0] - r[..., 0, 1]], axis=-1)
    across = np.trace(r, axis1=-2, axis2=-1) - np.einsum("...i,...ij,...j->...", axes, r, axes)
    return np.asarray(np.arctan2(np.sum(vee * axes, axis=-1), across))


def _near(angles: FloatArray, reference: FloatArray) -> FloatArray:
    """The same angles in the turn round `reference`."""
    return np.asarray(reference + np.remainder(angles - reference + np.pi, 2 * np.pi) - np.pi)
