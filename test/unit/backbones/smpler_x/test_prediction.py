"""From raw outputs to SMPL-X parameters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from smplerx_ros.backbones.smpler_x.prediction import CAMERA_DEPTH_M, Prediction, camera_translation, rotvec_from_6d
from smplerx_ros.types import Estimated
from support import parity

PARALLEL = 5  # the vectors' row with two equal columns: the reference's answer is its rounding error


def test_rotations_equal_the_reference() -> None:
    expected = parity.vectors("preproc")
    rows = np.arange(64) != PARALLEL
    answer = rotvec_from_6d(expected["rot6d_in"])
    np.testing.assert_allclose(answer[rows], expected["rot6d_axis_angle"][rows], atol=1e-5)
    assert np.isfinite(answer).all()


def test_three_rotations_at_once() -> None:
    """The reference crosses vectors over the batch here."""
    expected = parity.vectors("preproc")
    np.testing.assert_allclose(rotvec_from_6d(expected["rot6d_in"][8:11]), expected["rot6d_batch3_correct"], atol=1e-5)


@given(arrays(np.float64, (3,), elements=st.floats(-1.8, 1.8)))
def test_6d_is_the_first_two_columns_row_by_row(rotvec: np.ndarray) -> None:
    matrix = Rotation.from_rotvec(rotvec).as_matrix()
    back = Rotation.from_rotvec(rotvec_from_6d(matrix[:, :2].reshape(6)))
    assert (back.inv() * Rotation.from_rotvec(rotvec)).magnitude() < 1e-6


@given(arrays(np.float32, (4, 6), elements=st.floats(-100, 100, width=32)))
def test_any_6d_gives_a_finite_rotation_of_at_most_half_a_turn(values: np.ndarray) -> None:
    rotvec = rotvec_from_6d(values)
    assert np.isfinite(rotvec).all()
    assert (np.linalg.norm(rotvec, axis=-1) <= np.pi + 1e-6).all()


def test_camera_depth_is_a_sigmoid() -> None:
    np.testing.assert_allclose(CAMERA_DEPTH_M, 56.3819, atol=1e-4)
    transl = camera_translation([[0.1, -0.2, 0.0], [0, 0, 900.0], [0, 0, -900.0]])
    np.testing.assert_allclose(transl, [[0.1, -0.2, 28.19095], [0, 0, 56.3819], [0, 0, 0]], atol=1e-4)


@pytest.mark.parametrize("batch", [0, 1, 3])
def test_params_say_that_eyes_are_unknown(batch: int) -> None:
    outputs = {"pose_6d": np.tile([1, 0, 0, 1, 0, 0], (batch, 53, 1)).astype(np.float32)}
    outputs |= {name: np.zeros((batch, size), np.float32) for name, size in (("betas", 10), ("expression", 10))}
    prediction = Prediction.from_outputs(outputs | {"camera": np.zeros((batch, 3), np.float32)})
    params = prediction.params
    assert params.body_pose.shape == (batch, 63)
    assert params.left_hand_pose.shape == (batch, 45)
    assert np.isnan(params.leye_pose).all()
    assert np.isnan(params.reye_pose).all()
    assert not params.estimated & (Estimated.LEYE_POSE | Estimated.REYE_POSE)
    assert params.estimated & Estimated.EXPRESSION
    assert prediction.joint_img is None
