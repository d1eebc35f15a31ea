"""Blend shapes move jaw, eyes and expression the right way, and only expressions that the body has."""

from __future__ import annotations

import numpy as np
import pytest

from smplerx_ros.backbones.lite.face import face_pose
from smplerx_ros.backbones.lite.topology import BLENDSHAPE_INDEX
from support.bodies import standin

STANDIN = standin().expression_names


def weights(**values: float) -> np.ndarray:
    blendshapes = np.zeros(52)
    for name, value in values.items():
        blendshapes[BLENDSHAPE_INDEX[name]] = value
    return blendshapes


def test_a_face_at_rest_is_at_rest():
    pose = face_pose(weights(), STANDIN)
    for part in (pose.jaw_pose, pose.leye_pose, pose.reye_pose, pose.expression):
        assert not np.any(part)


def test_the_mouth_opens_about_positive_x():
    assert face_pose(weights(jawOpen=1), STANDIN).jaw_pose[0] > 0.3


def test_both_eyes_turn_to_the_persons_left_about_positive_y():
    pose = face_pose(weights(eyeLookOutLeft=1, eyeLookInRight=1), STANDIN)
    assert pose.leye_pose[1] == pytest.approx(pose.reye_pose[1])
    assert pose.leye_pose[1] > 0.3


def test_eyes_look_up_about_negative_x():
    pose = face_pose(weights(eyeLookUpLeft=1, eyeLookUpRight=1), STANDIN)
    assert pose.leye_pose[0] < -0.2
    assert pose.reye_pose[0] < -0.2


def test_a_smile_is_the_standins_smile():
    expression = face_pose(weights(mouthSmileLeft=0.8, mouthSmileRight=0.6), STANDIN).expression
    assert expression is not None
    assert expression[STANDIN.index("smile")] == pytest.approx(0.7)
    assert np.count_nonzero(expression) == 1


def test_expressions_without_names_are_not_guessed():
    assert face_pose(weights(jawOpen=1), ()).expression is None
