"""Confidences of networks: how far the heat maps of the right points are spread, and NaN where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from smplerx_ros.backbones.smpler_x.confidence import joint_confidence, unknown_confidence
from smplerx_ros.backbones.smpler_x.prediction import Prediction
from smplerx_ros.body.skeleton import JOINT_INDEX, JOINT_NAMES

EVEN_BODY, EVEN_HAND = np.sqrt((12**2 + 16**2 - 2) / 24), np.sqrt((16**2 + 16**2 - 2) / 24)
EVEN = np.r_[np.full(25, EVEN_BODY), np.full(40, EVEN_HAND)]
EYES = [JOINT_INDEX["left_eye"], JOINT_INDEX["right_eye"]]
OTHERS = [joint for joint in range(55) if joint not in EYES]
# SMPLer-X's order of the 65 points.
SHOWN = {
    "pelvis": [0],
    "left_hip": [1],
    "right_ankle": [6],
    "neck": [7],
    "left_elbow": [10],
    "right_wrist": [13],
    "left_foot": [14, 15],
    "right_foot": [17, 18],
    "head": [20, 21, 24],
    "spine2": [0, 7],
    "left_index1": [29],
    "left_thumb3": [27],
    "right_index1": [49],
    "right_pinky3": [63],
}


def test_from_one_cell_to_evenly_spread() -> None:
    confidence = joint_confidence(np.stack([np.zeros(65), 0.25 * EVEN, EVEN, 3 * EVEN]))
    assert confidence.shape == (4, 55)
    for row, expected in zip(confidence[:, OTHERS], (1.0, 0.75, 0.0, 0.0), strict=True):
        np.testing.assert_allclose(row, expected, atol=1e-6)
    np.testing.assert_array_equal(confidence[:, EYES], 0)


@pytest.mark.parametrize(("joint", "points"), SHOWN.items())
def test_each_joint_has_its_own_points(joint: str, points: list[int]) -> None:
    spread = np.zeros((1, 65))
    spread[0, points] = EVEN[points]
    confidence = joint_confidence(spread)[0]
    assert confidence[JOINT_INDEX[joint]] == pytest.approx(0, abs=1e-6)
    mirrored = joint.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right")
    if mirrored != joint:
        assert confidence[JOINT_INDEX[mirrored]] == 1


def test_every_joint_but_the_eyes_has_a_point() -> None:
    unsure = joint_confidence(EVEN[None])[0]
    sure = joint_confidence(np.zeros((1, 65)))[0]
    assert [name for name, low, high in zip(JOINT_NAMES, unsure, sure, strict=True) if high - low < 0.99] == [
        "left_eye",
        "right_eye",
    ]


def test_a_network_without_heat_maps_tells_nothing() -> None:
    outputs = {"pose_6d": np.tile([1, 0, 0, 1, 0, 0], (2, 53, 1)).astype(np.float32)}
    outputs |= {name: np.zeros((2, size), np.float32) for name, size in (("betas", 10), ("expression", 10))}
    outputs["camera"] = np.zeros((2, 3), np.float32)
    unknown = Prediction.from_outputs(outputs).confidence
    np.testing.assert_array_equal(unknown, unknown_confidence(2))
    assert np.isnan(unknown[:, OTHERS]).all()
    np.testing.assert_array_equal(unknown[:, EYES], 0)
    known = Prediction.from_outputs(outputs | {"joint_spread": np.zeros((2, 65), np.float32)}).confidence
    np.testing.assert_array_equal(known[:, OTHERS], 1)
