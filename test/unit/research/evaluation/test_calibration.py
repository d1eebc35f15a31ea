"""Errors in their standard deviations, and by confidence: the measures themselves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplerx_ros.geometry.uncertainty import position_covariance
from smplerx_ros.research.evaluation.calibration import (
    NORMAL_COVERAGE,
    coverage,
    errors_by_confidence,
    max_coverage_deviation,
    ray_axes,
    rotation_error,
    standardized_error,
)

PLACE = np.array([0.5, -0.3, 4.0])


def test_axes_are_square_and_begin_along_the_ray() -> None:
    axes = ray_axes(PLACE)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(axes[0], PLACE / np.linalg.norm(PLACE))
    assert axes[1, 1] == 0  # level


def test_errors_of_a_true_covariance_are_normal() -> None:
    covariance = position_covariance(PLACE, 0.2, 0.03, np.zeros(3))
    errors = np.random.default_rng(1).multivariate_normal(np.zeros(3), covariance, 5000)
    values = np.array([standardized_error(error, covariance, ray_axes(PLACE)) for error in errors])
    assert values.std(axis=0) == pytest.approx(np.ones(3), abs=0.04)
    for column in values.T:
        assert max_coverage_deviation(coverage(column)) < 0.02
        assert max_coverage_deviation(coverage(2 * column)) > 0.25
    assert coverage([0.5, -1.5, 2.5, 9]) == (0.25, 0.5, 0.75)
    assert max_coverage_deviation(NORMAL_COVERAGE) == 0


def test_a_turn_is_from_the_truth_about_the_cameras_axes() -> None:
    truth = Rotation.from_rotvec([0.4, -2.0, 0.3])
    wrong = Rotation.from_rotvec([0.0, 0.2, 0.1])
    np.testing.assert_allclose(
        rotation_error((wrong * truth).as_rotvec(), truth.as_rotvec()), [0, 0.2, 0.1], atol=1e-12
    )


def test_bins_of_confidence() -> None:
    confidence = [0.0, 0.1, 0.5, 0.9, 1.0, np.nan, 0.95]
    errors = [10.0, 20.0, 5.0, 1.0, 3.0, 99.0, np.nan]
    rows = errors_by_confidence(confidence, errors, [0, 0.25, 0.5, 0.75, 1])
    assert [count for count, _, _ in rows] == [2, 0, 1, 2]
    assert [median for _, median, _ in rows][::2] == [15, 5]
    assert rows[3][1:] == (2, pytest.approx(2.8))
    assert np.isnan(rows[1][1])
