"""What the estimator knows of people's motion: filters, if wanted, and velocities."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..body.skeleton import JOINT_INDEX
from ..types import SmplxParams
from .one_euro import Cutoff
from .people import PeopleSmoother, SmoothingOptions
from .velocity import VelocityEstimator

FloatArray = NDArray[np.floating[Any]]

VELOCITY_JOINTS = tuple(JOINT_INDEX[name] for name in ("pelvis", "left_wrist", "right_wrist"))
_VELOCITY_ROWS = np.array(VELOCITY_JOINTS)


class Motion:
    """People are told apart by id; `smoothing` None leaves estimates as they are."""

    def __init__(self, smoothing: SmoothingOptions | None) -> None:
        self._smoother = None if smoothing is None else PeopleSmoother(smoothing)
        self._velocities = VelocityEstimator()

    def update(self, smoothing: SmoothingOptions | None) -> None:
        """Other options from now on; filters go on from where they are, so that nobody jumps."""
        if smoothing is None or self._smoother is None:
            self._smoother = None if smoothing is None else PeopleSmoother(smoothing)
        else:
            self._smoother.update(smoothing)

    def smoothed(
        self, people: Sequence[str], params: Sequence[SmplxParams], stamps_ns: Sequence[int]
    ) -> Sequence[SmplxParams]:
        """The people's parameters (unbatched), filtered."""
        return params if self._smoother is None else self._smoother.smooth(people, params, stamps_ns)

    def velocities(self, person: str, joints: FloatArray, stamp_ns: int) -> FloatArray:
        """`(3, 3)` m/s of the VELOCITY_JOINTS of `joints (>= 55, 3)` metres."""
        return self._velocities.update(person, joints[_VELOCITY_ROWS], stamp_ns)

    def forget(self, people: Collection[str]) -> None:
        """Drop people who have left."""
        self._velocities.forget(people)
        if self._smoother is not None:
            self._smoother.forget(people)

    def reset(self) -> None:
        """Forget everybody."""
        self._velocities.reset()
        if self._smoother is not None:
            self._smoother.reset()


def smoothing_options(config: Mapping[str, Any]) -> SmoothingOptions | None:
    """Of the parameters `smoothing...`."""
    if not config["smoothing"]:
        return None
    rotation = Cutoff(config["smoothing_rotation_cutoff"], config["smoothing_rotation_per_speed"])
    distance = Cutoff(config["smoothing_distance_cutoff"], config["smoothing_distance_per_speed"])
    return SmoothingOptions(rotation, distance)
