"""Confidence of the 55 joints from the spread of the network's heat maps."""

from __future__ import annotations

from math import sqrt

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.backbones.registry import GRID_HEIGHT, GRID_WIDTH
from smplerx_ros.body.skeleton import EXTRA_JOINT_NAMES, JOINT_INDEX, JOINT_NAMES, JOINTS_137
from smplerx_ros.types import NUM_JOINTS

_NUM_BODY, NUM_POINTS = 25, 65  # points of the body; of body, left and right hand
_HAND_CELLS = 16
EYES = [JOINT_INDEX["left_eye"], JOINT_INDEX["right_eye"]]

# Nearby points of joints without a heat map.
_BESIDE: dict[str, tuple[str, ...]] = {
    "spine1": ("pelvis", "neck"),
    "spine2": ("pelvis", "neck"),
    "spine3": ("pelvis", "neck"),
    "left_foot": ("left_big_toe", "left_small_toe"),
    "right_foot": ("right_big_toe", "right_small_toe"),
    "left_collar": ("neck", "left_shoulder"),
    "right_collar": ("neck", "right_shoulder"),
    "head": ("nose", "left_ear", "right_ear"),
    "jaw": ("nose", "left_ear", "right_ear"),
}


def point_confidence(spread: FloatArray) -> FloatArray:
    """Compute confidences `(B, 65)`, 0..1, from the spread of heat maps.

    The confidence is 1 for a heat map in a single cell, and 0 for a uniform one, or a larger spread.

    Args:
        spread: `(B, 65)` standard deviations in cells, RMS over x and y.
    """
    return np.asarray(np.clip(1 - spread / _EVEN, 0, 1))


def joint_confidence(spread: FloatArray) -> FloatArray:
    """Confidences of the joints `(B, 55)`, 0..1; 0 for the eyes, which the networks do not estimate."""
    confidence = np.asarray(point_confidence(spread) @ _MEANS.T, np.float32)
    confidence[:, EYES] = 0
    return confidence


def unknown_confidence(people: int) -> FloatArray:
    """Confidences `(B, 55)` of a network without heat maps: NaN, and 0 for the eyes."""
    confidence = np.full((people, NUM_JOINTS), np.nan, np.float32)
    confidence[:, EYES] = 0
    return confidence


def _even_spread(columns: int, rows: int) -> float:
    """Standard deviation of a uniform distribution over a grid, RMS over both axes; the variance is (n^2 - 1) / 12."""
    return sqrt((columns**2 + rows**2 - 2) / 24)


_EVEN = np.full(NUM_POINTS, _even_spread(_HAND_CELLS, _HAND_CELLS))
_EVEN[:_NUM_BODY] = _even_spread(GRID_WIDTH, GRID_HEIGHT)


def _means() -> FloatArray:
    """Matrix `(55, 65)` from confidences of points to those of joints."""
    names = [*JOINT_NAMES, *EXTRA_JOINT_NAMES]
    points = {names[index]: column for column, index in enumerate(JOINTS_137[:NUM_POINTS])}
    means = np.zeros((NUM_JOINTS, NUM_POINTS))
    for row, joint in enumerate(JOINT_NAMES):
        shown = _BESIDE.get(joint, (joint,) if joint in points else ())
        for name in shown:
            means[row, points[name]] = 1 / len(shown)
    return means


_MEANS = _means()
