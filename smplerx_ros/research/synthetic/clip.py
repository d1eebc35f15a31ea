"""Synthetic video clips: one person who moves smoothly between random poses in a fixed environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, RotationSpline

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.model import BodyModel
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.types import SmplxParams

from .clothing import random_clothes
from .environment import SceneCamera, random_background
from .people import place_on_floor, random_params, to_optical_frame
from .render import Light, Sensor, render
from .scene import TYPICAL_HEIGHT_M, SceneOptions

_KEY_SECONDS = 1.0  # between random key poses
_STEP_M = 0.5  # maximum step between key poses, in x and z each
_HEIGHT_FRACTION = 0.65  # of the image that a person in the middle of the walking area fills
_AREA_M = 0.6  # half the side of the walking area
_ROTATIONS = ("body_pose", "left_hand_pose", "right_hand_pose", "jaw_pose", "global_orient")


@dataclass(frozen=True, eq=False)
class ClipFrame:
    """A frame of a clip with its ground truth."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    camera: Camera
    params: SmplxParams  # optical frame
    seconds: float


def random_clip(body: BodyModel, options: SceneOptions, seed: int, frames: int, rate: float) -> Iterator[ClipFrame]:
    """Render a random clip.

    Args:
        body: Body model.
        options: Image size, pose distribution and clothes.
        seed: Determines the clip.
        frames: Number of frames.
        rate: Frame rate, Hz.
    """
    rng = np.random.default_rng([seed, frames])
    view = SceneCamera.random(rng, options.width, options.height)
    outfit, light, sensor = random_clothes(rng, body, options.clothes), Light.random(rng), Sensor.random(rng)
    background = random_background(rng, view)
    times = np.arange(frames) / rate
    keys = np.arange(0, times[-1] + 2 * _KEY_SECONDS, _KEY_SECONDS)
    motion = _interpolate(_key_poses(rng, options, len(keys)), keys, times)
    positions = CubicSpline(keys, _key_positions(rng, view, options, len(keys)))(times)
    for params, (x, z), seconds in zip(motion, positions, times, strict=True):
        seen = to_optical_frame(body, place_on_floor(body, params, x, view.height, z), view.optical_from_level)
        mesh = body.vertices(seen)[0]
        rendered = render(rng, body, [mesh], [outfit], view, background.copy(), light, sensor)
        yield ClipFrame(rendered.image, view.camera, seen, float(seconds))


def _key_poses(rng: np.random.Generator, options: SceneOptions, count: int) -> list[SmplxParams]:
    max_yaw = np.radians(options.turn_deg)
    poses = [random_params(rng, pose_spread=options.pose_spread, max_yaw=max_yaw) for _ in range(count)]
    return [replace(pose, betas=poses[0].betas) for pose in poses]


def _key_positions(rng: np.random.Generator, view: SceneCamera, options: SceneOptions, count: int) -> FloatArray:
    """Return `(count, 2)` x and z on the floor, metres: a random walk around the middle of the image."""
    middle = np.array([0.0, TYPICAL_HEIGHT_M * view.camera.k[1, 1] / (_HEIGHT_FRACTION * options.height)])
    positions = np.cumsum(rng.uniform(-_STEP_M, _STEP_M, (count, 2)), axis=0)
    return np.asarray(middle + (positions - positions.mean(axis=0)).clip(-_AREA_M, _AREA_M))


def _interpolate(poses: list[SmplxParams], keys: FloatArray, times: FloatArray) -> list[SmplxParams]:
    """Interpolate `poses` at the times `keys` by rotation splines, at `times`; seconds."""
    interpolated: dict[str, FloatArray] = {}
    for name in _ROTATIONS:
        rotvecs = np.stack([getattr(pose, name) for pose in poses]).reshape(len(poses), -1, 3)
        splines = [RotationSpline(keys, Rotation.from_rotvec(rotvecs[:, joint])) for joint in range(rotvecs.shape[1])]
        interpolated[name] = np.concatenate([spline(times).as_rotvec() for spline in splines], axis=1)
    expression = CubicSpline(keys, np.stack([pose.expression for pose in poses]))(times)
    return [
        replace(poses[0], **{name: value[k] for name, value in interpolated.items()}, expression=expression[k])
        for k in range(len(times))
    ]
