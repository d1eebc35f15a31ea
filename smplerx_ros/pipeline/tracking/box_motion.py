"""Motion model of a track: a Kalman filter of the box's centre and height, at constant velocity."""

from __future__ import annotations

from math import exp

import cv2
import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.boxes import Box

# Standard deviations of a measured box: centre x, y in heights of the box, and logarithm of the height. Arms and legs
# that swing move the centre, mostly sideways.
_MEASUREMENT_SIGMA = np.array([0.05, 0.03, 0.03])
# Spectral density of the white-noise acceleration, heights^2/s^3: people stop or turn within a second.
_ACCELERATION_DENSITY = np.array([0.4, 0.005, 0.002])
_INITIAL_SPEED = np.array([0.8, 0.1, 0.08])  # standard deviation of a new track's velocity, heights/s
# 1 to about a million pixels: after a jump of time, extrapolated heights would overflow.
_MIN_LOG_HEIGHT, _MAX_LOG_HEIGHT = 0.0, 14.0


class BoxMotion:
    """Filtered centre x, y (pixels) and logarithm of the height of a box, and their velocities."""

    def __init__(self, box: Box, stamp_ns: int) -> None:
        self.stamp_ns = stamp_ns
        self._width = box.width / box.height
        self._filter = cv2.KalmanFilter(6, 3, 0, cv2.CV_64F)
        self._filter.measurementMatrix = np.eye(3, 6)
        self._filter.statePost = np.append(_measurement(box), np.zeros(3))[:, None]
        unit = _units(box.height)
        self._filter.errorCovPost = np.diag(np.append(unit * _MEASUREMENT_SIGMA, unit * _INITIAL_SPEED) ** 2)

    def advance(self, stamp_ns: int) -> None:
        """Predict the state at a later time; an earlier one is ignored."""
        seconds = (stamp_ns - self.stamp_ns) * 1e-9
        if seconds <= 0:
            return
        square = seconds**2 / 2
        self._filter.transitionMatrix = _per_component([[1.0, seconds], [0.0, 1.0]], np.ones(3))
        agility = _ACCELERATION_DENSITY * _units(self._height) ** 2
        self._filter.processNoiseCov = _per_component([[seconds**3 / 3, square], [square, seconds]], agility)
        self._filter.predict()
        self.stamp_ns = stamp_ns

    def update(self, box: Box) -> None:
        """Correct the state with a box measured at the current time."""
        self._width = box.width / box.height
        self._filter.statePre, self._filter.errorCovPre = self._filter.statePost, self._filter.errorCovPost
        self._filter.measurementNoiseCov = np.diag((_units(box.height) * _MEASUREMENT_SIGMA) ** 2)
        self._filter.correct(_measurement(box)[:, None])

    @property
    def box(self) -> Box:
        """Box at the current time, with the aspect ratio of the last measurement."""
        x, y, _ = self._filter.statePost[:3, 0].tolist()
        below = 0.5 * self._height
        aside = below * self._width
        return Box(x - aside, y - below, x + aside, y + below)

    @property
    def _height(self) -> float:
        return exp(min(max(self._filter.statePost[2, 0], _MIN_LOG_HEIGHT), _MAX_LOG_HEIGHT))

    def negative_log_likelihood(self, boxes: FloatArray) -> FloatArray:
        """-2 log likelihood of measuring each box now, up to a constant.

        It is the squared Mahalanobis distance plus the logarithm of the innovation covariance's determinant, with
        lengths in heights of the box, so that values of near and far people are comparable.

        Args:
            boxes: `(B, 4)` x0, y0, x1, y1 in pixels.

        Returns:
            `(B,)`, lower for more likely boxes.
        """
        heights = boxes[:, 3] - boxes[:, 1]
        measured = np.column_stack([(boxes[:, :2] + boxes[:, 2:]) / 2, np.log(heights)])
        unit = _units(self._height)
        covariance = self._filter.errorCovPost[:3, :3] / np.outer(unit, unit) + np.diag(_MEASUREMENT_SIGMA**2)
        innovation = (measured - self._filter.statePost[:3, 0]) / unit
        squared_distance = (innovation * np.linalg.solve(covariance, innovation.T).T).sum(axis=1)
        return np.asarray(squared_distance + np.linalg.slogdet(covariance)[1])


def _per_component(motion: list[list[float]], scales: FloatArray) -> FloatArray:
    """`(6, 6)` matrix: `motion (2, 2)` of a value and its velocity for each component, times `scales (3,)`."""
    return (np.array(motion)[:, None, :, None] * np.diag(scales)[:, None]).reshape(6, 6)


def _measurement(box: Box) -> FloatArray:
    return np.array([(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, np.log(box.height)])


def _units(height: float) -> FloatArray:
    return np.array([height, height, 1.0])
