"""Every person's parameters over time: rotations, place, shape and expression, each with its own filter."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from ..types import SmplxParams
from .one_euro import Cutoff, RotationFilter, VectorFilter

FloatArray = NDArray[np.floating[Any]]

LONGEST_GAP_NS = 500_000_000  # after that the last pose says nothing of the next
_ROTATIONS = ("global_orient", "body_pose", "left_hand_pose", "right_hand_pose", "jaw_pose", "leye_pose", "reye_pose")
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


@dataclass
class _Filters:
    """One person's."""

    rotation: RotationFilter
    distance: VectorFilter
    ray: VectorFilter = field(default_factory=lambda: VectorFilter(_RAY))
    betas: VectorFilter = field(default_factory=lambda: VectorFilter(_SHAPE))
    expression: VectorFilter = field(default_factory=lambda: VectorFilter(_EXPRESSION))
    stamp_ns: int = 0


class PeopleSmoother:
    """Filters of any number of people, told apart by id. A gap or a step back in time starts a person anew."""

    def __init__(self, options: SmoothingOptions) -> None:
        self._options = options
        self._people: dict[str, _Filters] = {}

    def update(self, options: SmoothingOptions) -> None:
        """Other cutoffs from now on; filters keep their state."""
        self._options = options
        for filters in self._people.values():
            filters.rotation.cutoff, filters.distance.cutoff = options.rotation, options.distance

    def smooth(self, person: str, params: SmplxParams, stamp_ns: int) -> SmplxParams:
        """Smoothed parameters of one person (unbatched) at `stamp_ns`; what is NaN stays NaN."""
        filters = self._people.get(person)
        elapsed = 0 if filters is None else stamp_ns - filters.stamp_ns
        if filters is None or not 0 < elapsed <= LONGEST_GAP_NS:
            filters = _Filters(RotationFilter(self._options.rotation), VectorFilter(self._options.distance))
            self._people[person], elapsed = filters, 1
        filters.stamp_ns = stamp_ns
        return _smoothed(filters, params, elapsed * 1e-9)

    def forget(self, people: Collection[str]) -> None:
        """Drop the filters of people who have left."""
        for person in people:
            self._people.pop(person, None)

    def reset(self) -> None:
        """Forget everybody."""
        self._people.clear()


def _smoothed(filters: _Filters, params: SmplxParams, seconds: float) -> SmplxParams:
    vectors = np.concatenate([getattr(params, name) for name in _ROTATIONS]).reshape(-1, 3)
    known = np.isfinite(vectors).all(axis=-1, keepdims=True)
    turned = filters.rotation(matrix_from_rotvec(np.where(known, vectors, 0.0)), seconds)
    flat = np.where(known, rotvec_from_matrix(turned), np.nan).reshape(-1)
    ends = np.cumsum([getattr(params, name).size for name in _ROTATIONS])[:-1]
    rotations: dict[str, Any] = dict(zip(_ROTATIONS, np.split(flat, ends), strict=True))
    return replace(
        params,
        **rotations,
        transl=_place(filters, params.transl.astype(np.float64), seconds),
        betas=filters.betas(params.betas.astype(np.float64), seconds),
        expression=filters.expression(params.expression.astype(np.float64), seconds),
    )


def _place(filters: _Filters, transl: FloatArray, seconds: float) -> FloatArray:
    """Filtered translation; one behind the camera passes as it is."""
    if not transl[2] > 0:
        return transl
    distance = np.exp(filters.distance(np.log(transl[2:]), seconds))
    return np.asarray(np.append(filters.ray(transl[:2] / transl[2], seconds), 1.0) * distance)
