"""Pooling, soft-argmax and boxes against the reference's answers, and as differentiable float32 functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from support import parity

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from smplerx_ros.backbones.smpler_x import heads, ops  # noqa: E402


@pytest.fixture(scope="module")
def expected() -> dict[str, NDArray[Any]]:
    return parity.vectors("preproc")


def given(values: NDArray[Any]) -> Any:
    return torch.from_numpy(values.astype(np.float32))


@pytest.mark.parametrize("key", ["sa3", "sa2"])
def test_soft_argmax(expected: dict[str, NDArray[Any]], key: str) -> None:
    probability, points = ops.soft_argmax(given(expected[f"{key}_in"]))
    np.testing.assert_allclose(points.numpy(), expected[f"{key}_out"], atol=1e-5)
    np.testing.assert_allclose(probability.flatten(2).sum(2).numpy(), 1, atol=1e-5)


def test_spread_is_the_standard_deviation_across_the_image() -> None:
    """Not along z, the heat map's first axis."""
    logits = torch.zeros(1, 4, 16, 16, 12)
    logits[0, 0, 3, 5, 7] = 100.0  # in one cell
    logits[0, 2, :, 5, 7] = 100.0  # at any depth
    logits[0, 3, 0, 5, [4, 8]] = 100.0  # in two places of a row
    probability, points = ops.soft_argmax(logits)
    found = ops.spread(probability, points)[0].numpy()
    even = np.sqrt(0.5 * (np.var(np.arange(12)) + np.var(np.arange(16))))
    np.testing.assert_allclose(found, [0, even, 0, 2 / np.sqrt(2)], atol=1e-4)


def test_sample_features_also_outside_the_map(expected: dict[str, NDArray[Any]]) -> None:
    sampled = ops.sample_features(given(expected["sjf_feat"]), given(expected["sjf_xy"]))
    np.testing.assert_allclose(sampled.numpy(), expected["sjf_out"], atol=1e-5)


def test_roi_align_also_outside_inverted_tiny_and_huge(expected: dict[str, NDArray[Any]]) -> None:
    boxes = expected["roi_boxes"]
    feature = given(expected["roi_feat"])[boxes[:, 0].astype(int)]
    pooled = ops.roi_align(feature, given(boxes[:, 1:]), 16)
    np.testing.assert_allclose(pooled.numpy(), expected["roi_out"], atol=2e-5)


def test_square_boxes_also_of_negative_size(expected: dict[str, NDArray[Any]]) -> None:
    center, size = given(expected["rb_center"]), given(expected["rb_size"])
    hands, face = (heads.square_box(center, size, scale).numpy() for scale in (2.0, 1.5))
    np.testing.assert_allclose(hands, expected["rb_hand"], atol=1e-4)
    np.testing.assert_allclose(face, expected["rb_face"], atol=1e-4)


def test_half_input_is_pooled_in_float32() -> None:
    """In half precision an index near 127 would have steps of 1/16 cell."""
    logits = torch.zeros(1, 1, 128, 96)
    logits[0, 0, 100:102, 70] = 20.0
    probability, points = ops.soft_argmax(logits.half())
    assert probability.dtype == points.dtype == torch.float32
    np.testing.assert_allclose(points[0, 0].numpy(), [70, 100.5], atol=1e-2)
    assert ops.roi_align(torch.ones(1, 2, 64, 48).half(), torch.tensor([[1.0, 2, 30, 40]]), 16).dtype == torch.float32


def test_mirroring_a_rotation_negates_y_and_z() -> None:
    from scipy.spatial.transform import Rotation

    from smplerx_ros.backbones.smpler_x.prediction import rotvec_from_6d

    rotvec = np.random.default_rng(0).normal(size=(20, 3))
    columns = Rotation.from_rotvec(rotvec).as_matrix()[:, :, :2].reshape(20, 6)
    mirrored = rotvec_from_6d(heads.mirror_rotations(torch.from_numpy(columns)).numpy())
    np.testing.assert_allclose(mirrored, rotvec_from_6d(columns) * [1, -1, -1], atol=1e-9)


def test_the_network_can_be_trained() -> None:
    """Every tensor that the reference trains gets a gradient, through pooling and soft-argmax."""
    from dataclasses import replace

    from smplerx_ros.backbones.registry import BACKBONES
    from smplerx_ros.backbones.smpler_x.network import build_network

    torch.manual_seed(0)
    network = build_network(replace(BACKBONES["s32"], embed_dim=48, depth=1, heads=2)).train()
    outputs = network(torch.rand(2, 3, 256, 192))
    sum(value.square().mean() for value in outputs.values()).backward()
    without = [name for name, value in network.named_parameters() if value.grad is None]
    assert without == []
