"""A crowd with known identities: bodies that walk, stand, cross, hide behind each other, leave and come back.

Everybody walks in a lane of their own depth, so that nobody walks through anybody. Who is seen follows from silhouettes
painted from far to near.
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
VISIBLE = 0.4  # share of a silhouette that has to be seen for a person to count as in view

_GROUND = 1.5  # metres below the camera
_NEAREST, _BETWEEN = 3.0, 0.75  # metres, lanes
_STRIDE = 1.4  # metres, both steps
_ACCELERATION = 4.0  # m/s^2
_LEAVING = 0.25  # share of the walks that lead out of view
_SCALE = 4  # silhouettes are painted in an image so much smaller
# Limbs as pairs of joints and their radius in metres: enough of a silhouette to hide who is behind.
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
    """One true person in one frame, in view or hidden."""

    name: int
    params: SmplxParams
    box: Box  # the whole body's, hidden parts too
    visible: float  # share of the silhouette


@dataclass(frozen=True)
class Crowd:
    """`frames[k]` are the people at `stamps_ns[k]`; the camera is CAMERA."""

    stamps_ns: tuple[int, ...]
    frames: tuple[tuple[Sighting, ...], ...]

    def seen(self, k: int) -> list[Sighting]:
        """Who is in view in frame `k`."""
        return [person for person in self.frames[k] if person.visible >= VISIBLE]

    def identities(self, max_age: float) -> list[dict[int, str]]:
        """True identity of each person in view, per frame: a new one after more than `max_age` seconds out of view."""
        last: dict[int, int] = {}
        turns: dict[int, int] = {}
        rows = []
        for k, stamp in enumerate(self.stamps_ns):
            for person in self.seen(k):
                if stamp - last.get(person.name, stamp) > max_age * 1e9:
                    turns[person.name] = turns.get(person.name, 0) + 1
                last[person.name] = stamp
            rows.append({person.name: f"{person.name}.{turns.get(person.name, 0)}" for person in self.seen(k)})
        return rows


def make_crowd(body: BodyModel, people: int, seconds: float, seed: int, rate: float = RATE) -> Crowd:
    """`people` walkers for `seconds`; the same seed makes the same crowd."""
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
    """To and fro along a lane, with halts, sometimes out of view."""
    reach = lane * np.tan(np.radians(_FOV) / 2)
    places, heading, phase = _route(rng, reach, times)
    betas = np.append(rng.normal(0, 1, 2), np.zeros(8))
    offset = rng.uniform(0, 2 * np.pi)
    people = []
    for x, turn, step in zip(places, heading, phase, strict=True):
        upright = matrix_from_rotvec([np.pi, 0, 0]) @ matrix_from_rotvec([0, turn, 0])
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
    """Place along the lane (metres), direction the body faces (rad) and phase of the gait (rad) at each time."""
    x, halt, speed = rng.uniform(-0.8, 0.8) * reach, 0.0, 1.0
    goal, velocity, turn, phase = x, 0.0, 0.0, 0.0
    rows = []
    for seconds in np.diff(times, prepend=times[0]):
        halt -= seconds
        if halt <= 0 and abs(goal - x) < 0.1:
            halt = rng.choice([0.0, rng.uniform(0.3, 2.5)])
            outside = rng.random() < _LEAVING
            goal = rng.choice([-1, 1]) * rng.uniform(1.15, 1.6) * reach if outside else rng.uniform(-0.85, 0.85) * reach
            speed = rng.uniform(0.7, 1.6)
        wanted = 0.0 if halt > 0 else speed * np.sign(goal - x)
        velocity += np.clip(wanted - velocity, -_ACCELERATION * seconds, _ACCELERATION * seconds)
        x, phase = x + velocity * seconds, phase + 2 * np.pi * abs(velocity) * seconds / _STRIDE
        aim = np.sign(wanted) * np.pi / 2
        turn += np.clip(aim - turn, -6 * seconds, 6 * seconds)
        rows.append((x, turn, phase))
    places, heading, phases = np.array(rows).T
    return places, heading, phases


def _gait(phase: float) -> FloatArray:
    """Body pose `(21, 3)` of a walk."""
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
    shares = _visible(points, pixels)
    return tuple(
        Sighting(name, person, box, share)
        for name, (person, box, share) in enumerate(zip(params, boxes, shares, strict=True))
    )


def _visible(points: FloatArray, pixels: FloatArray) -> list[float]:
    """Share of each silhouette that lies in the image and in front of everybody else's."""
    pad = CAMERA.width // _SCALE  # room for those who are half out of the image
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
