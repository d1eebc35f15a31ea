"""Ball joints as chains of three hinges: angles within limits, and continuous where the chain is singular."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.rotations import cross, skew

# Sine of the angle to the singular direction below which the first angle is kept, since noise would make it jump there.
# Costs at most this many radians of direction.
_SINGULAR = 0.003
_VIOLATION = 1e6  # weight of radians outside the limits relative to radians of motion


@dataclass(frozen=True, eq=False)
class Hinges:
    """`K` chains of three hinges. A chain's rotation is the product of its hinges' rotations, the first on the left.

    Attributes:
        axes: Unit axes `(K, 3, 3)`, one per row; neighbouring axes are perpendicular.
        lower: Lower limits `(K, 3)`, radians.
        upper: Upper limits `(K, 3)`, radians.
    """

    axes: FloatArray
    lower: FloatArray
    upper: FloatArray

    def rotations(self, angles: FloatArray) -> FloatArray:
        """Rotations `(P, K, 3, 3)` of the chains at `angles (P, K, 3)`, radians."""
        hinges = self._axes.rotations(angles)
        return np.asarray(hinges[:, :, 0] @ hinges[:, :, 1] @ hinges[:, :, 2])

    def angles(self, rotations: FloatArray, before: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Inverse kinematics of the chains.

        A direction of the third axis has two solutions, whose first angles differ by pi. The one within the limits is
        taken, or the nearer one if both are. Once the first angle is chosen, the others fit best. If a hinge stops at
        a limit, those after it compensate.

        Args:
            rotations: Wanted rotations `(P, K, 3, 3)`.
            before: Angles of the last frame `(P, K, 3)`, radians, from which the nearest solutions are chosen.

        Returns:
            Angles `(P, K, 3)`, radians, without and with the limits.
        """
        rotated = _RotatedAxes.of(np.swapaxes(self._frames, -1, -2) @ rotations @ self._frames, self._third)
        one = _wrapped(np.arctan2(-rotated.third[1], rotated.third[2]), before[..., 0])
        both = np.stack([one, _wrapped(one + np.pi, before[..., 0])])
        cost = self._cost(both, rotated.second_angle(both, self._middle[:, 1]), before)
        first = np.where(cost[0] <= cost[1], both[0], both[1])
        sine2 = rotated.third[1] ** 2 + rotated.third[2] ** 2
        first = before[..., 0] + (first - before[..., 0]) * (sine2 / (sine2 + _SINGULAR**2))
        free = self._completed(first, rotated, before, stop=False)
        if ((free >= self.lower) & (free <= self.upper)).all():
            return free, free
        first = _clipped(first, self.lower[:, 0], self.upper[:, 0])
        return free, _clipped(self._completed(first, rotated, before, stop=True), self.lower, self.upper)

    def _cost(self, first: FloatArray, second: FloatArray, before: FloatArray) -> FloatArray:
        outside = np.zeros_like(first)
        for i, angle in ((0, first), (1, second)):
            outside += np.abs(angle - _clipped(angle, self.lower[:, i], self.upper[:, i]))
        return np.asarray(_VIOLATION * outside + np.abs(first - before[..., 0]))

    def _completed(self, first: FloatArray, rotated: _RotatedAxes, before: FloatArray, *, stop: bool) -> FloatArray:
        """All angles for given first ones; `stop`: the second stays within its limits."""
        second = rotated.second_angle(first, self._middle[:, 1])
        if stop:
            second = _clipped(second, self.lower[:, 1], self.upper[:, 1])
        third = _wrapped(rotated.third_angle(first, second), before[..., 2])
        inside = (third >= self.lower[:, 2]) & (third <= self.upper[:, 2])
        third = np.where(inside, third, _wrapped(third, self._middle[:, 2]))
        return np.stack([first, second, third], axis=-1)

    @cached_property
    def _axes(self) -> Axes:
        return Axes.of(self.axes)

    @cached_property
    def _middle(self) -> FloatArray:
        return np.asarray((self.lower + self.upper) / 2)

    @cached_property
    def _frames(self) -> FloatArray:
        """`(K, 3, 3)`: the first axis, the second, and their cross product, as columns."""
        first, second = self.axes[:, 0], self.axes[:, 1]
        return np.stack([first, second, cross(first, second)], axis=-1)

    @cached_property
    def _third(self) -> FloatArray:
        """`(2, K)`: first and last component of the third axis in those frames; the second one is zero."""
        return np.asarray(np.einsum("kij,ki->jk", self._frames, self.axes[:, 2])[[0, 2]])


@dataclass(frozen=True, eq=False)
class _RotatedAxes:
    """Directions after the wanted rotation of a chain, in the frame of its first two axes, each `(3, P, K)`."""

    third_axis: FloatArray  # (2, K) first and last component of the third axis before the rotation
    third: FloatArray  # the third axis
    second: FloatArray  # the second axis
    normal: FloatArray  # the direction perpendicular to both

    @classmethod
    def of(cls, rotations: FloatArray, third_axis: FloatArray) -> _RotatedAxes:
        x, y, z = rotations.transpose(3, 2, 0, 1)  # columns, each (3, P, K)
        return cls(third_axis, third_axis[0] * x + third_axis[1] * z, y, third_axis[0] * z - third_axis[1] * x)

    def second_angle(self, first: FloatArray, middle: FloatArray) -> FloatArray:
        """The second angle for given first ones, within pi of `middle`."""
        x, y, z = self.third
        z = np.cos(first) * z - np.sin(first) * y
        start, end = self.third_axis
        return _wrapped(np.arctan2(x * end - z * start, x * start + z * end), middle)

    def third_angle(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """The third angle that brings the chain nearest to the wanted rotation (largest trace of the difference)."""
        start, end = self.third_axis
        parts = []
        cosine_1, sine_1, cosine_2, sine_2 = np.cos(first), np.sin(first), np.cos(second), np.sin(second)
        for x, y, z in (self.second, self.normal):
            y, z = cosine_1 * y + sine_1 * z, cosine_1 * z - sine_1 * y
            x, z = cosine_2 * x - sine_2 * z, sine_2 * x + cosine_2 * z
            parts.append((y, start * z - end * x))
        (second_y, second_normal), (normal_y, normal_normal) = parts
        return np.asarray(np.arctan2(second_normal - normal_y, second_y + normal_normal))


@dataclass(frozen=True, eq=False)
class Axes:
    """Unit axes `(...)` and the constant matrices `(..., 3, 3)` of Rodrigues' rotation formula about them."""

    parallel: FloatArray
    perpendicular: FloatArray
    skew: FloatArray

    @classmethod
    def of(cls, axes: FloatArray) -> Axes:
        """From unit axes `(..., 3)`."""
        parallel = axes[..., :, None] * axes[..., None, :]
        return cls(parallel, np.eye(3) - parallel, skew(axes))

    def rotations(self, angles: FloatArray) -> FloatArray:
        """Rotations `(..., 3, 3)` by `angles (...)`, radians."""
        wide = angles[..., None, None]
        return np.asarray(self.parallel + np.cos(wide) * self.perpendicular + np.sin(wide) * self.skew)


def _wrapped(angles: FloatArray, reference: FloatArray) -> FloatArray:
    """Equivalent angles within pi of `reference`."""
    return np.asarray(reference + np.remainder(angles - reference + np.pi, 2 * np.pi) - np.pi)


def _clipped(angles: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """As `np.clip`, but three times as fast for so few values."""
    return np.asarray(np.minimum(np.maximum(angles, lower), upper))
