"""Every person's parameters over time: rotations, place, shape and expression, each with its own filter."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from ..types import PARAM_SIZES, PARAM_SLICES, SmplxParams
from .one_euro import Cutoff, Rotations, Vectors

FloatArray = NDArray[np.floating[Any]]
State = TypeVar("State", Rotations, Vectors)

LONGEST_GAP_NS = 500_000_000  # after that the last pose says nothing of the next
# In `SmplxParams.flat`: all axis-angle vectors, betas with expression, and the place.
_ROTATIONS = slice(0, PARAM_SLICES["reye_pose"].stop)
_SHAPES = slice(PARAM_SLICES["betas"].start, PARAM_SLICES["expression"].stop)
_TRANSL = PARAM_SLICES["transl"]
_SIZES = (2, 1, PARAM_SIZES["betas"], PARAM_SIZES["expression"])  # of what is filtered together, ray and distance first
# Places are filtered as image ray (x/z, y/z) and logarithm of the distance: distance is what one camera knows least.
_RAY = Cutoff(least=8.0, per_speed=100.0)
_SHAPE = Cutoff(least=0.2, per_speed=0.0)
_EXPRESSION = Cutoff(least=2.0, per_speed=2.0)
_ROTATION = Cutoff(least=0.5, per_speed=9.0)
_DISTANCE = Cutoff(least=0.5, per_speed=5.0)


@dataclass(frozen=True)
class SmoothingOptions:
    """Cutoff frequencies. `per_speed`: Hz for each rad/s of a joint, or for each unit a second of log(distance)."""

    rotation: Cutoff = _ROTATION
    distance: Cutoff = _DISTANCE


@dataclass(frozen=True)
class _State:
    """One person's filters at `stamp_ns`."""

    stamp_ns: int
    rotations: Rotations  # (55, 3, 3)
    values: Vectors  # (23,)


class PeopleSmoother:
    """Filters of any number of people, told apart by id. A gap or a step back in time starts a person anew."""

    def __init__(self, options: SmoothingOptions) -> None:
        self._options = options
        self._people: dict[str, _State] = {}

    def update(self, options: SmoothingOptions) -> None:
        """Other cutoffs from now on; filters keep their state."""
        self._options = options

    def smooth(
        self, people: Sequence[str], params: Sequence[SmplxParams], stamps_ns: Sequence[int]
    ) -> list[SmplxParams]:
        """Smoothed parameters (unbatched) of people at their images' times; what is NaN stays NaN."""
        if not people:
            return []
        flat = np.stack([one.flat for one in params]).astype(np.float64)
        vectors = flat[:, _ROTATIONS].reshape(len(people), -1, 3)
        known = np.isfinite(vectors).all(axis=-1, keepdims=True)
        matrices = matrix_from_rotvec(np.where(known, vectors, 0.0))
        places = _rays(flat[:, _TRANSL])
        values = np.concatenate([places, flat[:, _SHAPES]], axis=1)
        before = [
            self._recent(person, stamp) or _State(stamp - 1, Rotations.begin(turns), Vectors.begin(numbers))
            for person, stamp, turns, numbers in zip(people, stamps_ns, matrices, values, strict=True)
        ]
        seconds = 1e-9 * np.array([[stamp - state.stamp_ns] for stamp, state in zip(stamps_ns, before, strict=True)])
        cutoffs = (_RAY, self._options.distance, _SHAPE, _EXPRESSION)
        turned = _joined([state.rotations for state in before]).followed_by(
            matrices, seconds[..., None], self._options.rotation
        )
        moved = _joined([state.values for state in before]).followed_by(values, seconds, cutoffs, _SIZES)
        for i, person in enumerate(people):
            self._people[person] = _State(stamps_ns[i], _row(turned, i), _row(moved, i))
        flat[:, _ROTATIONS] = np.where(known, rotvec_from_matrix(turned.filtered), np.nan).reshape(len(people), -1)
        flat[:, _SHAPES] = moved.filtered[:, 3:]
        ahead = flat[:, _TRANSL.stop - 1] > 0
        flat[ahead, _TRANSL] = _places(moved.filtered[ahead, :3])
        return [SmplxParams.from_flat(row, one.estimated) for row, one in zip(flat, params, strict=True)]

    def forget(self, people: Collection[str]) -> None:
        """Drop the filters of people who have left."""
        for person in people:
            self._people.pop(person, None)

    def reset(self) -> None:
        """Forget everybody."""
        self._people.clear()

    def _recent(self, person: str, stamp_ns: int) -> _State | None:
        """The person's filters, unless too old or from the future."""
        state = self._people.get(person)
        return state if state is not None and 0 < stamp_ns - state.stamp_ns <= LONGEST_GAP_NS else None


def _joined(states: Sequence[State]) -> State:
    """One state of all people."""
    return type(states[0])(*map(np.stack, zip(*states, strict=True)))


def _row(state: State, index: int) -> State:
    """The state of one of the people."""
    return type(state)(*(part[index] for part in state))


def _rays(transl: FloatArray) -> FloatArray:
    """Places `(P, 3)` as ray and logarithm of the distance; NaN behind the camera: such a place passes as it is."""
    depth = np.where(transl[:, 2:] > 0, transl[:, 2:], np.nan)
    return np.concatenate([transl[:, :2] / depth, np.log(depth)], axis=1)


def _places(rays: FloatArray) -> FloatArray:
    """The inverse of `_rays`."""
    depth = np.exp(rays[:, 2:])
    return np.concatenate([rays[:, :2] * depth, depth], axis=1)
