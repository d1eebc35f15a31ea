"""Landmarks of a body with known parameters, as from perfect networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from smplerx_ros.backbones.lite.landmarks import BodyLandmarks, HandLandmarks, PersonLandmarks
from smplerx_ros.backbones.lite.points import POINTS
from smplerx_ros.body.model import BodyModel
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.rotations import matrix_from_rotvec, rotation_between, rotvec_from_matrix
from smplerx_ros.types import SmplxParams

STANDING = np.array([np.pi, 0.0, 0.0])  # upright and facing the camera, in the optical frame
# Landmark of each finger's first joint, that joint of the left hand, and the left tip in the 144-joint list.
_FINGERS = ((5, 25, 67), (9, 28, 68), (17, 31, 70), (13, 34, 69), (1, 37, 66))


def random_params(seed: int, hand_scale: float = 0.3) -> SmplxParams:
    """Draw a person standing about 4 m away in a moderate random pose."""
    rng = np.random.default_rng(seed)
    body = rng.normal(0, 0.12, (21, 3))
    body[[3, 4]] = np.abs(rng.normal(0.4, 0.2, (2, 1))) * [1, 0, 0]  # knees
    for elbow, wrist, shoulder, side in ((17, 19, 15, 1), (18, 20, 16, -1)):
        body[elbow] = [0, -side * abs(rng.normal(0.7, 0.3)), 0]
        body[wrist] = rng.normal(0, 0.1, 3)
        body[shoulder] = [0, 0, -side * rng.uniform(0.4, 1.2)]
    body[[9, 10]] = 0  # toes: the fit leaves them straight
    fingers = np.zeros((2, 5, 3, 3))
    fingers[0, :4, :, 2] = -np.abs(rng.normal(0, hand_scale, (4, 3)))
    fingers[1, :4, :, 2] = np.abs(rng.normal(0, hand_scale, (4, 3)))
    tilt = rotation_between([0, 0, 1], [rng.uniform(-0.3, 0.3), rng.uniform(-0.1, 0.1), 1])
    return replace(
        SmplxParams.rest(),
        global_orient=rotvec_from_matrix(tilt @ matrix_from_rotvec(STANDING)),
        body_pose=body.reshape(-1),
        left_hand_pose=fingers[0].reshape(-1),
        right_hand_pose=fingers[1].reshape(-1),
        transl=np.array([rng.uniform(-0.5, 0.5), rng.uniform(-0.2, 0.2), rng.uniform(3, 5)]),
    )


def landmarks_of(body: BodyModel, params: SmplxParams, camera: Camera, hands: bool = True) -> PersonLandmarks:
    """Compute the output of perfect landmark networks, with perspective: world points are in the axes of the ray.

    Points that the camera does not see (e.g. behind it) have visibility 0.
    """
    points = body.landmarks144(params)[0].astype(np.float64)
    pixels = camera.project(points)
    low, high = np.nanmin(pixels[:55], axis=0), np.nanmax(pixels[:55], axis=0)
    roi = np.array([*(low + high) / 2, 1.25 * max(high - low), 0.0])
    ray_from_optical = rotation_between([0, 0, 1], [*camera.normalize(roi[:2]), 1.0]).T
    centre = points[[1, 2]].mean(0)
    image, world, visibility = np.zeros((39, 3)), np.zeros((33, 3)), np.ones(33)
    for point in POINTS:
        if point.body is not None:
            visibility[point.body] = np.isfinite(pixels[point.number]).all()
            image[point.body, :2] = np.where(visibility[point.body], pixels[point.number], roi[:2])
            world[point.body] = ray_from_optical @ (points[point.number] - centre)
    found = BodyLandmarks(1.0, image, visibility, np.ones(33), world, roi)
    sides = [_hand(points, pixels, ray_from_optical, side, roi) if hands else None for side in (0, 1)]
    return PersonLandmarks(found, sides[0], sides[1], None)


def _hand(
    points: np.ndarray, pixels: np.ndarray, ray_from_optical: np.ndarray, side: int, roi: np.ndarray
) -> HandLandmarks:
    wrist = 20 + side
    image, world = np.zeros((21, 3)), np.zeros((21, 3))
    numbers = {0: wrist}
    for landmark, joint, tip in _FINGERS:
        numbers.update({landmark + k: joint + 15 * side + k for k in range(3)})
        numbers[landmark + 3] = tip + 5 * side
    for landmark, number in numbers.items():
        image[landmark, :2] = pixels[number]
        world[landmark] = ray_from_optical @ (points[number] - points[wrist])
    return HandLandmarks(1.0, float(side), image, world, roi)
