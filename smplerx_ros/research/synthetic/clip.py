"""Somebody who moves: one person in one place, from pose to pose, for as many frames as are wanted."""

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

_KEY_SECONDS = 1.0  # from one random pose to the next
_STEP_M = 0.5  # largest way from one to the next, across and in depth
_FILLED, _PLAY_M = 0.65, 0.6  # of the picture's height by somebody in the middle of the walk; metres from there
_TURNED = ("body_pose", "left_hand_pose", "right_hand_pose", "jaw_pose", "global_orient")


@dataclass(frozen=True, eq=False)
class ClipFrame:
    """A picture `(H, W, 3) uint8 RGB`, its camera and the person in it, in the camera's optical frame."""

    image: NDArray[np.uint8]
    camera: Camera
    params: SmplxParams
    seconds: float


def random_clip(body: BodyModel, options: SceneOptions, seed: int, frames: int, rate: float) -> Iterator[ClipFrame]:
    """`frames` pictures at `rate` Hz; the same for the same seed."""
    rng = np.random.default_rng([seed, frames])
    view = SceneCamera.random(rng, options.width, options.height)
    outfit, light, sensor = random_clothes(rng, body, options.clothes), Light.random(rng), Sensor.random(rng)
    background = random_background(rng, view)
    times = np.arange(frames) / rate
    keys = np.arange(0, times[-1] + 2 * _KEY_SECONDS, _KEY_SECONDS)
    motion = _between(_key_poses(rng, options, len(keys)), keys, times)
    places = CubicSpline(keys, _key_places(rng, view, options, len(keys)))(times)
    for params, (x, z), seconds in zip(motion, places, times, strict=True):
        seen = to_optical_frame(body, place_on_floor(body, params, x, view.height, z), view.optical_from_level)
        mesh = body.vertices(seen)[0]
        picture = render(rng, body, [mesh], [outfit], view, background.copy(), light, sensor)
        yield ClipFrame(picture.image, view.camera, seen, float(seconds))


def _key_poses(rng: np.random.Generator, options: SceneOptions, count: int) -> list[SmplxParams]:
    turn = np.radians(options.turn_deg)
    poses = [random_params(rng, pose_spread=options.pose_spread, turn=turn) for _ in range(count)]
    return [replace(pose, betas=poses[0].betas) for pose in poses]


def _key_places(rng: np.random.Generator, view: SceneCamera, options: SceneOptions, count: int) -> FloatArray:
    """`(count, 2)` x and z on the floor: a walk about the picture's middle."""
    middle = np.array([0.0, TYPICAL_HEIGHT_M * view.camera.k[1, 1] / (_FILLED * options.height)])
    places = np.cumsum(rng.uniform(-_STEP_M, _STEP_M, (count, 2)), axis=0)
    return np.asarray(middle + (places - places.mean(axis=0)).clip(-_PLAY_M, _PLAY_M))


def _between(poses: list[SmplxParams], keys: FloatArray, times: FloatArray) -> list[SmplxParams]:
    """Smooth rotations through `poses` at `keys`, looked at at `times`; seconds."""
    turned: dict[str, FloatArray] = {}
    for name in _TURNED:
        rotvecs = np.stack([getattr(pose, name) for pose in poses]).reshape(len(poses), -1, 3)
        splines = [RotationSpline(keys, Rotation.from_rotvec(rotvecs[:, joint])) for joint in range(rotvecs.shape[1])]
        turned[name] = np.concatenate([spline(times).as_rotvec() for spline in splines], axis=1)
    expression = CubicSpline(keys, np.stack([pose.expression for pose in poses]))(times)
    return [
        replace(poses[0], **{name: value[k] for name, value in turned.items()}, expression=expression[k])
        for k in range(len(times))
    ]
