"""Joints are as sure as the landmarks that show them; what depends on an unseen hand or face hardly counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from smplerx_ros.backbones.lite.confidence import joint_confidence
from smplerx_ros.body.skeleton import JOINT_INDEX, LEFT_HAND, RIGHT_HAND
from smplerx_ros.geometry.camera import Camera
from support.bodies import standin
from support.synthetic import landmarks_of, random_params


def test_hidden_parts_are_told():
    seen = landmarks_of(standin(), random_params(3), Camera.from_fov(1280, 720))
    visibility = seen.body.visibility.copy()
    visibility[25] = 0.05  # left knee
    person = replace(seen, left_hand=None, body=replace(seen.body, visibility=visibility))
    confidence = joint_confidence(person)
    assert confidence[JOINT_INDEX["left_knee"]] < 0.1
    assert confidence[JOINT_INDEX["right_knee"]] > 0.9
    assert np.all(confidence[LEFT_HAND] < 0.2)
    assert np.all(confidence[RIGHT_HAND] > 0.9)
    assert confidence[JOINT_INDEX["jaw"]] < 0.2  # no face was found
