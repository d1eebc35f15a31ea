"""Verify a conversion: compare the converted network with the torch network in float32, on generated images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.spatial.transform import Rotation

from smplerx_ros.arrays import FloatArray
from smplerx_ros.errors import ModelFileError
from smplerx_ros.geometry.constants import CROP_HEIGHT, CROP_WIDTH

from .model import Network
from .prediction import camera_translation, rotvec_from_6d

Outputs = Mapping[str, FloatArray]

IMAGES = 4
BATCHES = (4, 3, 1)  # 3 reveals cross products along the wrong axis
_SEED = 2023
# Maximum differences of a valid conversion: rotations in radians, the camera relative, the others absolute.
_FP32_LIMITS = {
    "rotation": 1e-3,
    "mean_rotation": 1e-4,
    "pose_6d": 2e-4,
    "betas": 1e-3,
    "expression": 1e-3,
    "camera": 1e-4,
    "cells": 1e-3,
    "spread": 1e-3,
}
# Half precision changes most rotations by milliradians, but those of an uncertain finger by tenths of a radian; the
# mean distinguishes a valid conversion from a broken one.
_FP16_LIMITS = {
    "rotation": 0.5,
    "mean_rotation": 0.05,
    "pose_6d": 0.1,
    "betas": 0.05,
    "expression": 0.05,
    "camera": 1e-2,
    "cells": 1.0,
    "spread": 1.0,
}
# With synthetic weights, errors of 8 bits are larger (S32 and B32: 0.11 rad on average) than with trained ones (0.006).
_INT8_LIMITS = {
    "rotation": 3.2,  # unlimited
    "mean_rotation": 0.3,
    "pose_6d": 0.5,
    "betas": 0.5,
    "expression": 0.5,
    "camera": 0.1,
    "cells": 4.0,
    "spread": 4.0,
}
LIMITS = {"fp32": _FP32_LIMITS, "fp16": _FP16_LIMITS, "int8": _INT8_LIMITS}


def check_images() -> FloatArray:
    """Random images with gradients and edges `(4, 256, 192, 3) float32`, 0..255; identical on all machines."""
    generator = np.random.default_rng(_SEED)
    rows, columns = np.mgrid[0 : 1 : CROP_HEIGHT * 1j, 0 : 1 : CROP_WIDTH * 1j]
    images = np.empty((IMAGES, CROP_HEIGHT, CROP_WIDTH, 3))
    for image in images:
        for channel in range(3):
            fx, fy, phase = generator.uniform([0.5, 0.5, 0], [4, 4, 2 * np.pi])
            image[..., channel] = 127 + 100 * np.sin(2 * np.pi * (fx * columns + fy * rows) + phase)
        for x, y, radius, *color in generator.uniform(
            [0.1, 0.1, 0.05, 0, 0, 0], [0.9, 0.9, 0.3, 255, 255, 255], (8, 6)
        ):
            image[np.hypot(columns - x, rows - y) < radius] = color
    return images.astype(np.float32)


def check(network: Network, reference: Outputs, precision: str) -> dict[str, float]:
    """Compare `network` with the reference outputs of torch for `check_images()`, in several batch sizes.

    Returns:
        The maximum differences.

    Raises:
        ModelFileError: If a difference exceeds `LIMITS[precision]`; the message names it.
    """
    images = check_images()
    largest: dict[str, float] = {}
    for batch in BATCHES:
        outputs = network.run({"image": images[:batch]})
        found = differences(outputs, {name: value[:batch] for name, value in reference.items()})
        largest = {name: max(value, largest.get(name, 0.0)) for name, value in found.items()}
    limits = LIMITS[precision]
    wrong = [
        f"{name} by {value:.3g} (at most {limits[name]:g})"
        for name, value in largest.items()
        if not value <= limits[name]
    ]
    if wrong:
        raise ModelFileError(f"conversion refused: the result differs from the torch network in {', '.join(wrong)}")
    return largest


def differences(outputs: Outputs, reference: Outputs) -> dict[str, float]:
    """Maximum differences of raw outputs; NaN if either has a non-finite value."""
    # The length of a 6-D rotation is arbitrary, and no loss bounds it.
    length = np.maximum(1.0, np.linalg.norm(reference["pose_6d"], axis=-1, keepdims=True))
    largest = {"pose_6d": _largest((outputs["pose_6d"] - reference["pose_6d"]) / length)}
    largest |= {name: _largest(outputs[name] - reference[name]) for name in ("betas", "expression")}
    ours, theirs = (rotvec_from_6d(source["pose_6d"]).reshape(-1, 3) for source in (outputs, reference))
    angles = rotation_angles(ours, theirs)
    largest |= {"rotation": _largest(angles), "mean_rotation": float(np.mean(angles))}
    transl, expected = camera_translation(outputs["camera"]), camera_translation(reference["camera"])
    largest["camera"] = _largest((transl - expected) / np.linalg.norm(expected, axis=-1, keepdims=True))
    if "joint_img" in reference:
        largest["cells"] = _largest(outputs["joint_img"] - reference["joint_img"])
        largest["spread"] = _largest(outputs["joint_spread"] - reference["joint_spread"])
    return largest


def rotation_angles(a: FloatArray, b: FloatArray) -> FloatArray:
    """Geodesic distances `(N,)`, radians, of axis-angle rotations `(N, 3)`; NaN where one is NaN."""
    angles = np.full(len(a), np.nan)
    finite = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)  # SciPy refuses non-finite ones
    if finite.any():
        angles[finite] = (Rotation.from_rotvec(a[finite]).inv() * Rotation.from_rotvec(b[finite])).magnitude()
    return angles


def _largest(values: FloatArray) -> float:
    return float(np.max(np.abs(values))) if np.isfinite(values).all() else float("nan")
