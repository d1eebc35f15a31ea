"""Every person's parameters over time: rotations, place, size, shape and expression, each with its own filter."""

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

MAX_GAP_NS = 500_000_000  # after that the last pose says nothing of the next, unless images are rare
MAX_SLOW_GAP_NS = 12_500_000_000  # two and a half of the intervals of an image every 5 s; rarer ones show no motion
# In `SmplxParams.flat`: all axis-angle vectors, shape, expression, and the place.
_ROTATIONS = slice(0, PARAM_SLICES["reye_pose"].stop)
_BETAS, _EXPRESSION_PART, _TRANSL = (PARAM_SLICES[name] for name in ("betas", "expression", "transl"))
# What is filtered together. Places are image ray (x/z, y/z) and logarithm of the distance, which one camera knows
# least. The logarithm of the stature goes with it, through one filter: the picture of the person is their difference.
_SIZES = (2, 2, PARAM_SIZES["betas"], PARAM_SIZES["expression"])
_DISTANCE_PART, _STATURE_PART = 2, 3
_SCALE_PARTS = slice(2, 4 + PARAM_SIZES["betas"])  # distance, stature and shape: what another measure of size changes
_SHAPE_PARTS = slice(4, 4 + PARAM_SIZES["betas"])
_RAY = Cutoff(least=8.0, per_speed=100.0)
_SHAPE = Cutoff(least=0.2, per_speed=0.0)
_EXPRESSION = Cutoff(least=2.0, per_speed=2.0)
_DEFAULT = Options()
_ROTATION = Cutoff(_DEFAULT.smoothing_rotation_cutoff, _DEFAULT.smoothing_rotation_per_speed)
_DISTANCE = Cutoff(_DEFAULT.smoothing_distance_cutoff, _DEFAULT.smoothing_distance_per_speed)


@dataclass(frozen=True)
class SmoothingOptions:
    """Cutoff frequencies. `per_speed`: Hz for each rad/s of a joint, or for each unit a second of log(distance)."""

    rotation: Cutoff = _ROTATION
    distance: Cutoff = _DISTANCE


@dataclass(frozen=True, eq=False)
class Sample:
    """A person's parameters (unbatched) in one image; `max_gap_ns`: filters that are older begin anew."""

    person: str
    params: SmplxParams
    stamp_ns: int
    max_gap_ns: int = MAX_GAP_NS
    size_source: int = 0  # as `BodyEstimate` has it


@dataclass(frozen=True)
class _State:
    """One person's filters at `stamp_ns`."""

    stamp_ns: int
    size_source: int
    rotations: Rotations  # (55, 3, 3)
    values: Vectors  # (24,)


class PeopleSmoother:
    """Filters of any number of people, told apart by id. A gap or a step back in time starts a person anew.

    What is measured in another way than before (`size_source`) starts the person's size and distance anew.
    """

    def __init__(self, options: SmoothingOptions, body: BodyModel) -> None:
        self._options = options
        self._body = body
        zeros = np.zeros(PARAM_SIZES["betas"])
        shape = growth(body, zeros, zeros)
        # (10,) betas for each metre of stature: how a shape is made a little taller.
        self._per_metre = shape / float(np.diff(body.stature(np.stack([zeros, shape])))[0])
        self._people: dict[str, _State] = {}

    def update(self, options: SmoothingOptions) -> None:
        """Other cutoffs from now on; filters keep their state."""
        self._options = options

    def smooth(self, samples: Sequence[Sample]) -> list[SmplxParams]:
        """Smoothed parameters (unbatched) of people at their images' times; what is NaN stays NaN."""
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
        turned = _joined([state.rotations for state in before]).followed_by(
            matrices, seconds[..., None], self._options.rotation
        )
        moved = _joined([state.values for state in before]).followed_by(values, seconds, cutoffs, _SIZES)
        for i, sample in enumerate(samples):
            self._people[sample.person] = _State(sample.stamp_ns, sample.size_source, _row(turned, i), _row(moved, i))
        flat[:, _ROTATIONS] = np.where(known, rotvec_from_matrix(turned.filtered), np.nan).reshape(len(samples), -1)
        self._write_values(flat, moved.filtered)
        return [SmplxParams.from_flat(row, s.params.estimated) for row, s in zip(flat, samples, strict=True)]

    def forget(self, people: Collection[str]) -> None:
        """Drop the filters of people who have left."""
        for person in people:
            self._people.pop(person, None)

    def reset(self) -> None:
        """Forget everybody."""
        self._people.clear()

    def _before(self, sample: Sample, matrices: FloatArray, values: FloatArray) -> _State:
        """The person's filters; new ones where the last are too old, without time (stamp 0) or from the future."""
        state = self._people.get(sample.person)
        if state is None or not state.stamp_ns or not 0 < sample.stamp_ns - state.stamp_ns <= sample.max_gap_ns:
            return _State(sample.stamp_ns - 1, sample.size_source, Rotations.begin(matrices), Vectors.begin(values))
        if state.size_source == sample.size_source:
            return state
        return replace(state, values=state.values.begun_anew(_SCALE_PARTS))

    def _values(self, flat: FloatArray) -> FloatArray:
        """`(P, 24)` what is filtered of parameters `(P, 188)`, besides rotations.

        Of a pelvis beside or behind the camera neither ray nor distance (NaN): such a place passes as it is. At the
        camera's plane rays are infinite, and a distance that lags behind its ray would put people metres aside.
        """
        pelvis = flat[:, _TRANSL] + self._rest_pelvis(flat)
        depth = np.where(pelvis[:, 2:] >= NEAR, pelvis[:, 2:], np.nan)
        statures = np.maximum(self._body.stature(flat[:, _BETAS]), LEAST_STATURE)[:, None]
        parts = (pelvis[:, :2] / depth, np.log(depth), np.log(statures), flat[:, _BETAS], flat[:, _EXPRESSION_PART])
        return np.concatenate(parts, axis=1)

    def _write_values(self, flat: FloatArray, values: FloatArray) -> None:
        """The inverse of `_values`: the shape is made as tall as the filtered stature says."""
        pelvis = flat[:, _TRANSL] + self._rest_pelvis(flat)
        ahead = pelvis[:, 2] >= NEAR
        depth = np.exp(values[:, _DISTANCE_PART, None])
        pelvis[ahead] = np.concatenate([values[:, :2] * depth, depth], axis=1)[ahead]
        betas = values[:, _SHAPE_PARTS]
        missing = np.exp(values[:, _STATURE_PART]) - self._body.stature(betas)
        flat[:, _BETAS] = betas + missing[:, None] * self._per_metre
        flat[:, _EXPRESSION_PART] = values[:, _SHAPE_PARTS.stop :]
        flat[:, _TRANSL] = pelvis - self._rest_pelvis(flat)

    def _rest_pelvis(self, flat: FloatArray) -> FloatArray:
        """`(P, 3)` metres."""
        return self._body.rest_joints(flat[:, _BETAS], flat[:, _EXPRESSION_PART])[:, 0]


def _joined(states: Sequence[State]) -> State:
    """One state of all people."""
    return type(states[0])(*map(np.stack, zip(*states, strict=True)))


def _row(state: State, index: int) -> State:
    """The state of one of the people."""
    return type(state)(*(part[index] for part in state))
