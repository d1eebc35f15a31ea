"""Torch's rotations and body agree with NumPy's, and gradients exist where angles are extreme."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

torch = pytest.importorskip("torch")

from smplerx_ros.backbones.smpler_x.prediction import ROTATIONS, rotvec_from_6d  # noqa: E402
from smplerx_ros.research.synthetic.people import random_params  # noqa: E402
from smplerx_ros.research.training.body import TorchBody  # noqa: E402
from smplerx_ros.research.training.rotations import (  # noqa: E402
    matrix_from_6d,
    matrix_from_rotvec,
    nearest_equivalent,
    rotvec_from_matrix,
)
from smplerx_ros.types import SmplxParams  # noqa: E402
from support.bodies import standin  # noqa: E402


def test_axis_angle_of_6d_is_what_the_runtimes_compute() -> None:
    raw = np.random.default_rng(0).normal(size=(500, 6)).astype(np.float64)
    ours = rotvec_from_matrix(matrix_from_6d(torch.from_numpy(raw))).numpy()
    np.testing.assert_allclose(ours, rotvec_from_6d(raw), atol=1e-9)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 1.0, 3.1, np.pi - 1e-7, np.pi])
def test_matrix_and_axis_angle_are_inverse_with_finite_gradients(angle: float) -> None:
    axes = np.random.default_rng(1).normal(size=(50, 3))
    rotvec = torch.from_numpy(angle * axes / np.linalg.norm(axes, axis=1, keepdims=True)).requires_grad_()
    matrix = matrix_from_rotvec(rotvec)
    np.testing.assert_allclose(
        matrix.detach().numpy(), Rotation.from_rotvec(rotvec.detach().numpy()).as_matrix(), atol=1e-9
    )
    back = rotvec_from_matrix(matrix)
    turn = Rotation.from_rotvec(back.detach().numpy()).inv() * Rotation.from_rotvec(rotvec.detach().numpy())
    assert turn.magnitude().max() < 1e-6
    back.sum().backward()
    assert torch.isfinite(rotvec.grad).all()


def test_nearest_equivalent_is_the_same_rotation_and_never_farther() -> None:
    rng = np.random.default_rng(2)
    rotvec, reference = (torch.from_numpy(rng.normal(0, 1.2, (200, 3))) for _ in range(2))
    chosen = nearest_equivalent(rotvec, reference)
    same = Rotation.from_rotvec(chosen.numpy()).inv() * Rotation.from_rotvec(rotvec.numpy())
    assert same.magnitude().max() < 1e-9
    assert ((chosen - reference).abs().sum(1) <= (rotvec - reference).abs().sum(1) + 1e-12).all()
    upright, slightly_over = torch.tensor([np.pi - 0.01, 0, 0]), torch.tensor([-np.pi + 0.01, 0, 0])
    assert (nearest_equivalent(upright, slightly_over) - slightly_over).abs().max() == pytest.approx(0.02, abs=1e-6)


def test_torch_body_has_the_137_joints_of_the_body_model() -> None:
    body = standin()
    rng = np.random.default_rng(3)
    params = SmplxParams.stack([random_params(rng) for _ in range(4)])
    rotvecs = np.concatenate([getattr(params, name).reshape(4, -1, 3) for name in ROTATIONS], axis=1)
    given = torch.from_numpy(rotvecs)
    joints = TorchBody(body)(
        matrix_from_rotvec(given), given, torch.from_numpy(params.betas), torch.from_numpy(params.expression)
    )
    np.testing.assert_allclose(joints.numpy(), body.landmarks137(params), atol=2e-6)


def test_torch_body_is_not_saved_with_a_network() -> None:
    assert not TorchBody(standin()).state_dict()
