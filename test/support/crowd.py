"""A simulated crowd with known identities: people walk, stand, cross, occlude each other, leave and come back.

People walk in lanes of different depth and do not collide. Visibility follows from silhouettes drawn back to front.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.model import BodyModel
from smplerx_ros.body.skeleton import EXTRA_JOINT_INDEX, JOINT_INDEX, JOINT_NAMES
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from smplerx_ros.pipeline.localization.persons import box_around
from smplerx_ros.types import SmplxParams

_FOV = 75.0  # degrees
CAMERA = Camera.from_fov(640, 480, _FOV)
RATE = 30.0  # Hz
VISIBLE = 0.4  # fraction of a silhouette that must be visible for a person to count as in view

_GROUND = 1.5  # metres below the camera
_NEAREST, _BETWEEN = 3.0, 0.75  # metres, distance of the nearest lane and between lanes
_STRIDE = 1.4  # metres, two steps
_ACCELERATION = 4.0  # m/s^2
_LEAVING = 0.25  # fraction of the walks that lead out of view
_SCALE = 4  # silhouettes are drawn in an image smaller by this factor
# Limbs as pairs of joints with a radius in metres, an approximation of the silhouette.
_LIMBS = tuple(
    (JOINT_INDEX[a], JOINT_INDEX[b], radius)
    for a, b, radius in (
        ("pelvis", "neck", 0.17),
        ("left_hip", "left_knee", 0.09),
        ("right_hip", "right_knee", 0.09),
        ("left_knee", "left_ankle", 0.06),
        ("right_knee", "right_ankle", 0.06),
        ("left_shoulder", "left_elbow", 0.05),
        ("right_shoulder", "right_elbow", 0.05),
        ("left_elbow", "left_wrist", 0.045),
        ("right_elbow", "right_wrist", 0.045),
        ("neck", "head", 0.11),
    )
)


@dataclass(frozen=True)
class Sighting:
    """Ground truth of one person in one frame, visible or not."""

    name: int
    params: SmplxParams
    box: Box  # of the whole body, including occluded parts
    visible: float  # fraction of the silhouette


@dataclass(frozen=True)
class Crowd:
    """`frames[k]` are the people at `stamps_ns[k]`; the camera is CAMERA."""

    stamps_ns: tuple[int, ...]
    frames: tuple[tuple[Sighting, ...], ...]

    def seen(self, k: int) -> list[Sighting]:
        """Return the people in view in frame `k`."""
        return [person for person in self.frames[k] if person.visible >= VISIBLE]

    def identities(self, max_age: float) -> list[dict[int, str]]:
        """Return the true identities of people in view per frame; a new one after `max_age` seconds out of view."""
        last: dict[int, int] = {}
        visits: dict[int, int] = {}
        rows = []
        for k, stamp in enumerate(self.stamps_ns):
            for person in self.seen(k):
                if stamp - last.get(person.name, stamp) > max_age * 1e9:
                    visits[person.name] = visits.get(person.name, 0) + 1
                last[person.name] = stamp
            rows.append({person.name: f"{person.name}.{visits.get(person.name, 0)}" for person in self.seen(k)})
        return rows


def make_crowd(body: BodyModel, people: int, seconds: float, seed: int, rate: float = RATE) -> Crowd:
    """Simulate `people` walkers for `seconds`; a function of the seed."""
    rng = np.random.default_rng(seed)
    times = np.arange(0, seconds, 1 / rate)
    lanes = _NEAREST + _BETWEEN * rng.permutation(people)
    walkers = [_walk(rng, lane, times) for lane in lanes]
    frames = []
    for k in range(len(times)):
        params = [walker[k] for walker in walkers]
        frames.append(_sightings(body, params))
    stamps = tuple(round(1e9 * (1 + time)) for time in times)
    return Crowd(stamps, tuple(frames))


def _walk(rng: np.random.Generator, lane: float, times: FloatArray) -> list[SmplxParams]:
    """Walk back and forth along a lane, with stops, sometimes out of view."""
    reach = lane * np.tan(np.radians(_FOV) / 2)
    positions, heading, phase = _route(rng, reach, times)
    betas = np.append(rng.normal(0, 1, 2), np.zeros(8))
    offset = rng.uniform(0, 2 * np.pi)
    people = []
    for x, yaw, step in zip(positions, heading, phase, strict=True):
        upright = matrix_from_rotvec([np.pi, 0, 0]) @ matrix_from_rotvec([0, yaw, 0])
        depth = lane + 0.1 * np.sin(step / 5 + offset)
        people.append(
            replace(
                SmplxParams.rest(),
                global_orient=rotvec_from_matrix(upright),
                body_pose=_gait(step + offset).reshape(-1),
                betas=betas,
                transl=np.array([x, _GROUND - 0.9, depth]),
            )
        )
    return people


def _route(rng: np.random.Generator, reach: float, times: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the position along the lane (metres), heading (rad) and phase of the gait (rad) at each time."""
    x, halt, speed = rng.uniform(-0.8, 0.8) * reach, 0.0, 1.0
    goal, velocity, yaw, phase = x, 0.0, 0.0, 0.0
    rows = []
    for seconds in np.diff(times, prepend=times[0]):
        halt -= seconds
        if halt <= 0 and abs(goal - x) < 0.1:
            halt = rng.choice([0.0, rng.uniform(0.3, 2.5)])
            outside = rng.random() < _LEAVING
            goal = rng.choice([-1, 1]) * rng.uniform(1.15, 1.6) * reach if outside else rng.uniform(-0.85, 0.85) * reach
            speed = rng.uniform(0.7, 1.6)
        target = 0.0 if halt > 0 else speed * np.sign(goal - x)
        velocity += np.clip(target - velocity, -_ACCELERATION * seconds, _ACCELERATION * seconds)
        x, phase = x + velocity * seconds, phase + 2 * np.pi * abs(velocity) * seconds / _STRIDE
        target_yaw = np.sign(target) * np.pi / 2
        yaw += np.clip(target_yaw - yaw, -6 * seconds, 6 * seconds)
        rows.append((x, yaw, phase))
    positions, heading, phases = np.array(rows).T
    return positions, heading, phases


def _gait(phase: float) -> FloatArray:
    """Return the body pose `(21, 3)` at a phase of the gait."""
    pose = np.zeros((21, 3))
    swing = np.sin(phase)
    joint = {name: JOINT_INDEX[name] - 1 for name in JOINT_NAMES[1:22]}
    pose[joint["left_hip"], 0], pose[joint["right_hip"], 0] = -0.45 * swing, 0.45 * swing
    pose[joint["left_knee"], 0] = 0.5 * max(0.0, np.sin(phase + 1.9)) + 0.1
    pose[joint["right_knee"], 0] = 0.5 * max(0.0, -np.sin(phase + 1.9)) + 0.1
    pose[joint["left_shoulder"]], pose[joint["right_shoulder"]] = (0, 0.4 * -swing, -1.2), (0, 0.4 * -swing, 1.2)
    return pose


def _sightings(body: BodyModel, params: Sequence[SmplxParams]) -> tuple[Sighting, ...]:
    points = body.landmarks144(SmplxParams.stack(list(params)))[:, : len(JOINT_NAMES) + len(EXTRA_JOINT_INDEX)]
    pixels = CAMERA.project(points)
    boxes = [box_around(pixel, 1.0) for pixel in pixels]
    fractions = _visible(points, pixels)
    return tuple(
        Sighting(name, person, box, visible)
        for name, (person, box, visible) in enumerate(zip(params, boxes, fractions, strict=True))
    )


def _visible(points: FloatArray, pixels: FloatArray) -> list[float]:
    """Return the fraction of each silhouette that is inside the image and not occluded."""
    pad = CAMERA.width // _SCALE  # margin for people partly outside the image
    height = CAMERA.height // _SCALE
    whole = np.full((height + 2 * pad, 3 * pad), -1, np.int32)
    sizes = np.zeros(len(points))
    for i in np.argsort(-points[:, 0, 2]):
        alone = np.zeros(whole.shape, np.uint8)
        for a, b, radius in _LIMBS:
            ends = [tuple(np.round(pixels[i, j] / _SCALE + pad).astype(int).tolist()) for j in (a, b)]
            width = 2 * radius * CAMERA.k[0, 0] / points[i, a, 2] / _SCALE
            cv2.line(alone, ends[0], ends[1], 1, max(1, round(width)))
        sizes[i] = alone.sum()
        whole[alone > 0] = i
    inside = whole[pad : pad + height, pad : 2 * pad]
    return [float((inside == i).sum() / sizes[i]) for i in range(len(points))]
