"""Where a person's box will be: a Kalman filter of its centre and height, at constant velocity."""

from __future__ import annotations

from math import exp

import cv2
import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.boxes import Box

# Standard deviations of a measured box, in heights of it (the last: of the height's logarithm). Arms and legs that
# swing move the centre, above all sideways.
_MEASURED = np.array([0.05, 0.03, 0.03])
# How fast velocities change: spectral density of the acceleration, heights^2/s^3. Walkers stop and turn in a second.
_AGILITY = np.array([0.4, 0.005, 0.002])
_FIRST_SPEED = np.array([0.8, 0.1, 0.08])  # heights/s, of somebody just seen
# Of a height, one pixel to a million: where time jumps by an hour, somebody who came nearer or went away is beyond.
_LEAST_LOG, _LARGEST_LOG = 0.0, 14.0


class BoxMotion:
    """Filtered centre `x`, `y` (pixels) and logarithm of the height of one person's box, and their velocities."""

    def __init__(self, box: Box, stamp_ns: int) -> None:
        self.stamp_ns = stamp_ns
        self._width = box.width / box.height
        self._filter = cv2.KalmanFilter(6, 3, 0, cv2.CV_64F)
        self._filter.measurementMatrix = np.eye(3, 6)
        self._filter.statePost = np.append(_measured(box), np.zeros(3))[:, None]
        unit = _units(box.height)
        self._filter.errorCovPost = np.diag(np.append(unit * _MEASURED, unit * _FIRST_SPEED) ** 2)

    def advance(self, stamp_ns: int) -> None:
        """Go on to a later time."""
        seconds = (stamp_ns - self.stamp_ns) * 1e-9
        if seconds <= 0:
            return
        square = seconds**2 / 2
        self._filter.transitionMatrix = _of_each([[1.0, seconds], [0.0, 1.0]], np.ones(3))
        agility = _AGILITY * _units(self._height) ** 2
        self._filter.processNoiseCov = _of_each([[seconds**3 / 3, square], [square, seconds]], agility)
        self._filter.predict()
        self.stamp_ns = stamp_ns

    def update(self, box: Box) -> None:
        """Take in the person's box at the present time."""
        self._width = box.width / box.height
        self._filter.statePre, self._filter.errorCovPre = self._filter.statePost, self._filter.errorCovPost
        self._filter.measurementNoiseCov = np.diag((_units(box.height) * _MEASURED) ** 2)
        self._filter.correct(_measured(box)[:, None])

    @property
    def box(self) -> Box:
        """At the present time; as wide for its height as the last one."""
        x, y, _ = self._filter.statePost[:3, 0].tolist()
        below = 0.5 * self._height
        aside = below * self._width
        return Box(x - aside, y - below, x + aside, y + below)

    @property
    def _height(self) -> float:
        return exp(min(max(self._filter.statePost[2, 0], _LEAST_LOG), _LARGEST_LOG))

    def surprise(self, boxes: FloatArray) -> FloatArray:
        """`(B,)` how little boxes `(B, 4)` x0, y0, x1, y1 are expected now: -2 log likelihood up to a constant.

        Lengths count in heights of the box, so that near and far people compare.
        """
        heights = boxes[:, 3] - boxes[:, 1]
        measured = np.column_stack([(boxes[:, :2] + boxes[:, 2:]) / 2, np.log(heights)])
        unit = _units(self._height)
        spread = self._filter.errorCovPost[:3, :3] / np.outer(unit, unit) + np.diag(_MEASURED**2)
        offset = (measured - self._filter.statePost[:3, 0]) / unit
        distance = (offset * np.linalg.solve(spread, offset.T).T).sum(axis=1)
        return np.asarray(distance + np.linalg.slogdet(spread)[1])


def _of_each(motion: list[list[float]], scales: FloatArray) -> FloatArray:
    """`(6, 6)`: the matrix `motion (2, 2)` of a value and its velocity for each of three, times `scales (3,)`."""
    return (np.array(motion)[:, None, :, None] * np.diag(scales)[:, None]).reshape(6, 6)


def _measured(box: Box) -> FloatArray:
    return np.array([(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, np.log(box.height)])


def _units(height: float) -> FloatArray:
    return np.array([height, height, 1.0])
