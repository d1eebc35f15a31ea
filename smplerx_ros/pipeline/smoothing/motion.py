"""Motion of people: optional filters of their parameters, and velocities."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.model import BodyModel
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.config.options import Options
from smplerx_ros.types import SmplxParams

from .one_euro import Cutoff
from .person_smoother import PeopleSmoother, Sample, SmoothingOptions
from .velocity import VelocityEstimator

VELOCITY_JOINTS = tuple(JOINT_INDEX[name] for name in ("pelvis", "left_wrist", "right_wrist"))
_VELOCITY_ROWS = np.array(VELOCITY_JOINTS)


class Motion:
    """Filters and velocities by id; with `smoothing` None, parameters are not filtered."""

    def __init__(self, smoothing: SmoothingOptions | None, body: BodyModel) -> None:
        self._body = body
        self._smoother = None if smoothing is None else PeopleSmoother(smoothing, body)
        self._velocities = VelocityEstimator()
        self._size_sources: dict[str, int] = {}

    def update(self, smoothing: SmoothingOptions | None) -> None:
        """Change the options; filters keep their state, so that people do not jump."""
        if smoothing is None or self._smoother is None:
            self._smoother = None if smoothing is None else PeopleSmoother(smoothing, self._body)
        else:
            self._smoother.update(smoothing)

    def smooth(self, samples: Sequence[Sample]) -> Sequence[SmplxParams]:
        """Filter the parameters (unbatched) of the samples."""
        return [sample.params for sample in samples] if self._smoother is None else self._smoother.smooth(samples)

    def velocities(self, sample: Sample, joints: FloatArray) -> FloatArray:
        """Velocities `(3, 3)` in m/s of the VELOCITY_JOINTS, from `joints (>= 55, 3)` in metres.

        NaN in the first frame in which the size comes from another source, since that moves the person in space.
        """
        if self._size_sources.get(sample.person) != sample.size_source:
            self._velocities.forget([sample.person])
        self._size_sources[sample.person] = sample.size_source
        return self._velocities.update(sample.person, joints[_VELOCITY_ROWS], sample.stamp_ns, sample.max_gap_ns)

    def forget(self, people: Collection[str]) -> None:
        """Drop the filters and velocities of these people."""
        self._velocities.forget(people)
        for person in people:
            self._size_sources.pop(person, None)
        if self._smoother is not None:
            self._smoother.forget(people)

    def reset(self) -> None:
        """Drop all filters and velocities."""
        self._velocities.reset()
        self._size_sources.clear()
        if self._smoother is not None:
            self._smoother.reset()


def smoothing_options(options: Options) -> SmoothingOptions | None:
    """The smoothing parameters among the options; None if smoothing is disabled."""
    if not options.smoothing_enabled:
        return None
    rotation = Cutoff(options.smoothing_rotation_cutoff, options.smoothing_rotation_per_speed)
    distance = Cutoff(options.smoothing_distance_cutoff, options.smoothing_distance_per_speed)
    return SmoothingOptions(rotation, distance)
