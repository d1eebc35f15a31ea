"""Variances and gain of a track's Kalman filter, against the formulas of its model."""

from __future__ import annotations

import numpy as np
import pytest

from smplerx_ros.geometry.boxes import Box
from smplerx_ros.pipeline.tracking.box_motion import BoxMotion

BOX = Box(100, 50, 200, 250)
# Standard deviations in heights of the box: measurement, first velocity (per second), and spectral density of the
# acceleration, of centre x, centre y and logarithm of the height.
MEASURED = np.array([0.05, 0.03, 0.03])
SPEED = np.array([0.8, 0.1, 0.08])
DENSITY = np.array([0.4, 0.005, 0.002])


def negative_log_likelihood(motion: BoxMotion, box: Box) -> float:
    return float(motion.negative_log_likelihood(box.xyxy[None])[0])


@pytest.mark.parametrize("seconds", [0.0, 0.1, 1.0])
def test_the_variances_of_a_new_track_are_those_of_its_model(seconds: float) -> None:
    motion = BoxMotion(BOX, 0)
    motion.advance(round(seconds * 1e9))
    predicted = MEASURED**2 + (SPEED * seconds) ** 2 + DENSITY * seconds**3 / 3
    variances = predicted + MEASURED**2
    at_rest = negative_log_likelihood(motion, BOX)
    assert at_rest == pytest.approx(np.log(variances).sum())
    moved = Box(BOX.x0 + 20, BOX.y0, BOX.x1 + 20, BOX.y1)  # a tenth of the height
    assert negative_log_likelihood(motion, moved) - at_rest == pytest.approx(0.1**2 / variances[0])


def test_a_measurement_moves_the_box_by_the_kalman_gain() -> None:
    motion = BoxMotion(BOX, 0)
    motion.advance(500_000_000)
    motion.update(Box(BOX.x0 + 20, BOX.y0, BOX.x1 + 20, BOX.y1))
    predicted = MEASURED[0] ** 2 + (SPEED[0] * 0.5) ** 2 + DENSITY[0] * 0.5**3 / 3
    gain = predicted / (predicted + MEASURED[0] ** 2)
    np.testing.assert_allclose(motion.box.xyxy, BOX.xyxy + [20 * gain, 0, 20 * gain, 0])
