"""One-Euro filters of each person's rotations, position, size, shape and expression."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.model import BodyModel
from smplerx_ros.body.stature import LEAST_STATURE, growth
from smplerx_ros.config.options import Options
from smplerx_ros.geometry.camera import NEAR
from smplerx_ros.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from smplerx_ros.types import PARAM_SIZES, PARAM_SLICES, SmplxParams

from .one_euro import Cutoff, Rotations, Vectors

State = TypeVar("State", Rotations, Vectors)

MAX_GAP_NS = 500_000_000  # after a longer gap filters restart, unless images are rare
MAX_SLOW_GAP_NS = 12_500_000_000  # upper limit for rare images: two and a half intervals of 5 s
# In `SmplxParams.flat`: all axis-angle vectors, shape, expression and translation.
_ROTATIONS = slice(0, PARAM_SLICES["reye_pose"].stop)
_BETAS, _EXPRESSION_PART, _TRANSL = (PARAM_SLICES[name] for name in ("betas", "expression", "transl"))
# Groups of values with a common cutoff. Positions are ray coordinates (x/z, y/z) and the logarithm of the depth, the
# least certain part. It shares a filter with the logarithm of the stature, so that the size in the image stays.
_SIZES = (2, 2, PARAM_SIZES["betas"], PARAM_SIZES["expression"])
_DISTANCE_PART, _STATURE_PART = 2, 3
_SCALE_PARTS = slice(2, 4 + PARAM_SIZES["betas"])  # depth, stature and shape: what changes with the size source
_SHAPE_PARTS = slice(4, 4 + PARAM_SIZES["betas"])
_RAY = Cutoff(least=8.0, per_speed=100.0)
_SHAPE = Cutoff(least=0.2, per_speed=0.0)
_EXPRESSION = Cutoff(least=2.0, per_speed=2.0)
_DEFAULT = Options()
_ROTATION = Cutoff(_DEFAULT.smoothing_rotation_cutoff, _DEFAULT.smoothing_rotation_per_speed)
_DISTANCE = Cutoff(_DEFAULT.smoothing_distance_cutoff, _DEFAULT.smoothing_distance_per_speed)


@dataclass(frozen=True)
class SmoothingOptions:
    """Cutoff frequencies; `per_speed` is in Hz per rad/s of a joint, and per 1/s of the logarithm of the distance."""

    rotation: Cutoff = _ROTATION
    distance: Cutoff = _DISTANCE


@dataclass(frozen=True, eq=False)
class Sample:
    """A person's parameters (unbatched) in one image; filters last updated more than `max_gap_ns` ago restart."""

    person: str
    params: SmplxParams
    stamp_ns: int
    max_gap_ns: int = MAX_GAP_NS
    size_source: int = 0  # see `BodyEstimate`


@dataclass(frozen=True)
class _State:
    """One person's filters at `stamp_ns`."""

    stamp_ns: int
    size_source: int
    rotations: Rotations  # (55, 3, 3)
    values: Vectors  # (24,)


class PeopleSmoother:
    """Filters by id. A gap or a step back in time restarts a person's filters.

    Another `size_source` restarts the filters of size and distance.
    """

    def __init__(self, options: SmoothingOptions, body: BodyModel) -> None:
        self._options = options
        self._body = body
        zeros = np.zeros(PARAM_SIZES["betas"])
        shape = growth(body, zeros, zeros)
        # (10,) betas per metre of stature, to correct a shape's stature
        self._per_metre = shape / float(np.diff(body.stature(np.stack([zeros, shape])))[0])
        self._people: dict[str, _State] = {}

    def update(self, options: SmoothingOptions) -> None:
        """Change the cutoffs; filters keep their state."""
        self._options = options

    def smooth(self, samples: Sequence[Sample]) -> list[SmplxParams]:
        """Filter parameters (unbatched); NaN stays NaN."""
        if not samples:
            return []
        flat = np.stack([sample.params.flat for sample in samples]).astype(np.float64)
        vectors = flat[:, _ROTATIONS].reshape(len(samples), -1, 3)
        known = np.isfinite(vectors).all(axis=-1, keepdims=True)
        matrices = matrix_from_rotvec(np.where(known, vectors, 0.0))
        values = self._values(flat)
        before = [self._before(*each) for each in zip(samples, matrices, values, strict=True)]
        seconds = 1e-9 * np.array([[s.stamp_ns - state.stamp_ns] for s, state in zip(samples, before, strict=True)])
        cutoffs = (_RAY, self._options.distance, _SHAPE, _EXPRESSION)
        rotations = _joined([state.rotations for state in before]).updated(
            matrices, seconds[..., None], self._options.rotation
        )
        filtered = _joined([state.values for state in before]).updated(values, seconds, cutoffs, _SIZES)
        for i, sample in enumerate(samples):
            self._people[sample.person] = _State(
                sample.stamp_ns, sample.size_source, _row(rotations, i), _row(filtered, i)
            )
        flat[:, _ROTATIONS] = np.where(known, rotvec_from_matrix(rotations.filtered), np.nan).reshape(len(samples), -1)
        self._write_values(flat, filtered.filtered)
        return [SmplxParams.from_flat(row, s.params.estimated) for row, s in zip(flat, samples, strict=True)]

    def forget(self, people: Collection[str]) -> None:
        """Drop the filters of these people."""
        for person in people:
            self._people.pop(person, None)

    def reset(self) -> None:
        """Drop all filters."""
        self._people.clear()

    def _before(self, sample: Sample, matrices: FloatArray, values: FloatArray) -> _State:
        """The person's filters; new ones if the last are too old, without a stamp, or from the future."""
        state = self._people.get(sample.person)
        if state is None or not state.stamp_ns or not 0 < sample.stamp_ns - state.stamp_ns <= sample.max_gap_ns:
            return _State(sample.stamp_ns - 1, sample.size_source, Rotations.begin(matrices), Vectors.begin(values))
        if state.size_source == sample.size_source:
            return state
        return replace(state, values=state.values.restarted(_SCALE_PARTS))

    def _values(self, flat: FloatArray) -> FloatArray:
        """Filtered values `(P, 24)` other than rotations, of parameters `(P, 188)`.

        Ray and depth of a pelvis nearer than the near plane are NaN, so that its position is not filtered: rays become
        infinite there, and a depth that lags behind its ray would move people by metres.
        """
        pelvis = flat[:, _TRANSL] + self._rest_pelvis(flat)
        depth = np.where(pelvis[:, 2:] >= NEAR, pelvis[:, 2:], np.nan)
        statures = np.maximum(self._body.stature(flat[:, _BETAS]), LEAST_STATURE)[:, None]
        parts = (pelvis[:, :2] / depth, np.log(depth), np.log(statures), flat[:, _BETAS], flat[:, _EXPRESSION_PART])
        return np.concatenate(parts, axis=1)

    def _write_values(self, flat: FloatArray, values: FloatArray) -> None:
        """Write `values` back to parameters, with the shape corrected to the filtered stature."""
        pelvis = flat[:, _TRANSL] + self._rest_pelvis(flat)
        ahead = pelvis[:, 2] >= NEAR
        depth = np.exp(values[:, _DISTANCE_PART, None])
        pelvis[ahead] = np.concatenate([values[:, :2] * depth, depth], axis=1)[ahead]
        betas = values[:, _SHAPE_PARTS]
        difference = np.exp(values[:, _STATURE_PART]) - self._body.stature(betas)
        flat[:, _BETAS] = betas + difference[:, None] * self._per_metre
        flat[:, _EXPRESSION_PART] = values[:, _SHAPE_PARTS.stop :]
        flat[:, _TRANSL] = pelvis - self._rest_pelvis(flat)

    def _rest_pelvis(self, flat: FloatArray) -> FloatArray:
        """Rest positions `(P, 3)` of the pelvis in metres."""
        return self._body.rest_joints(flat[:, _BETAS], flat[:, _EXPRESSION_PART])[:, 0]


def _joined(states: Sequence[State]) -> State:
    """Stack states."""
    return type(states[0])(*map(np.stack, zip(*states, strict=True)))


def _row(state: State, index: int) -> State:
    """One state of a stack."""
    return type(state)(*(part[index] for part in state))
