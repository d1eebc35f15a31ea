"""Camera and background of a scene: a room with floor, wall and clutter, in perspective."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.rotations import matrix_from_rotvec

from .patterns import Pattern, random_color

_CLUTTER = (0, 7)  # range of the number of objects on the wall
_HAZE_M = 25.0  # distance at which patterns have faded to their mean colour, against aliasing
_FLOOR_PERIOD, _WALL_PERIOD = 1.2, 1.5  # metres


@dataclass(frozen=True, eq=False)
class SceneCamera:
    """A camera at the origin of the level frame (x right, y down, z forward, gravity-aligned)."""

    camera: Camera
    optical_from_level: FloatArray  # (3, 3) rotation
    height: float  # metres above the floor

    @classmethod
    def random(cls, rng: np.random.Generator, width: int, height: int) -> SceneCamera:
        """Draw a camera: focal length of phones and webcams, between hip height and ceiling, level or tilted down."""
        focal = rng.uniform(0.75, 1.4) * max(width, height)
        k = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
        above_floor = rng.uniform(0.7, 2.4)
        pitch = np.arctan2(above_floor - 0.9, 4.0) + rng.uniform(-0.08, 0.08)  # towards a pelvis at 4 m
        rotation = matrix_from_rotvec([0, 0, rng.normal(0, 0.04)]) @ matrix_from_rotvec([pitch, 0, 0])
        return cls(Camera(width, height, k), rotation, above_floor)

    def rays_level(self) -> FloatArray:
        """Return the rays `(H * W, 3)` of all pixels in the level frame, scaled to z = 1 in the optical frame."""
        rows, columns = np.indices((self.camera.height, self.camera.width)).reshape(2, -1)
        rays = self.camera.normalize(np.stack([columns, rows], axis=1).astype(np.float64))
        return np.asarray(np.column_stack([rays, np.ones(len(rays))]) @ self.optical_from_level)


def random_background(rng: np.random.Generator, view: SceneCamera) -> FloatArray:
    """Render a room with floor, wall and clutter: `(H, W, 3)` RGB 0..255, float64."""
    rays = view.rays_level()
    shape = (view.camera.height, view.camera.width, 3)
    wall_distance = rng.uniform(6.5, 12.0)
    with np.errstate(divide="ignore"):
        to_floor = np.where(rays[:, 1] > 1e-6, view.height / rays[:, 1], np.inf)
        to_wall = wall_distance / np.maximum(rays[:, 2], 1e-6)
    on_floor = to_floor < to_wall
    distance = np.minimum(to_floor, to_wall)
    points = rays * distance[:, None]
    floor, wall = (Pattern.random(rng, period=p, low=40) for p in (_FLOOR_PERIOD, _WALL_PERIOD))
    colors = np.where(on_floor[:, None], floor(points), wall(points))
    mean = np.where(on_floor[:, None], floor.colors.mean(axis=0), wall.colors.mean(axis=0))
    haze = (distance / _HAZE_M).clip(0, 1)[:, None]
    image = (colors * (1 - haze) + mean * haze).reshape(shape)
    _add_clutter(rng, image)
    return np.asarray(image * _uneven_light(rng, shape))


def _add_clutter(rng: np.random.Generator, image: FloatArray) -> None:
    """Draw rectangles and ellipses in random colours (posters, doors, lamps), in place."""
    height, width = image.shape[:2]
    for _ in range(rng.integers(*_CLUTTER)):
        x, y = (int(v) for v in rng.uniform([0, 0], [width, 0.75 * height]))
        w, h = (int(v) for v in rng.uniform(0.04, 0.3, 2) * min(width, height))
        color = tuple(random_color(rng).tolist())
        if rng.uniform() < 0.7:
            cv2.rectangle(image, (x, y), (x + w, y + h), color, cv2.FILLED)
        else:
            cv2.ellipse(image, (x, y), (w // 2, h // 2), rng.uniform(0, 180), 0, 360, color, cv2.FILLED)


def _uneven_light(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Return smooth illumination factors `(H, W, 1)` around 1."""
    coarse = rng.uniform(0.75, 1.2, (3, 3))
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)[..., None])
