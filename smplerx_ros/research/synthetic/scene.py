"""Random scenes: one or several people in an environment, with camera and ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.model import BodyModel
from smplerx_ros.errors import ConfigError
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.types import SmplxParams

from .clothing import CLOTHES, random_clothes
from .environment import SceneCamera, random_background
from .people import POSE_SPREAD, place_on_floor, random_params, to_optical_frame
from .render import Light, Sensor, render

MIN_HEIGHT_FRACTION, MAX_HEIGHT_FRACTION = 0.4, 0.9  # of the image that a person of TYPICAL_HEIGHT_M fills
TYPICAL_HEIGHT_M, MIN_DISTANCE_M = 1.7, 1.8
MIN_SPACING_M = 0.7  # between pelvises, on the floor
MIN_VISIBLE_FRACTION = 0.6  # of a person's pixels; people who are occluded more are not annotated
_MIN_JOINTS_INSIDE = 0.9  # fraction of the joints in the image
_MAX_ATTEMPTS = 200


@dataclass(frozen=True)
class SceneOptions:
    """Options of the scenes of a data set."""

    width: int = 384  # pixels
    height: int = 384  # pixels
    people: int = 1  # maximum per image
    turn_deg: float = 180.0  # maximum yaw; 0: people face the camera
    pose_spread: float = POSE_SPREAD  # 0: mean pose; 1: the full spread of the pose prior
    clothes: str = "random"  # or "suit": each limb has its own colour, the same on all people

    def __post_init__(self) -> None:
        if self.width < 64 or self.height < 64:
            raise ConfigError(f"size {self.width}x{self.height}: must be at least 64x64 pixels")
        if not 1 <= self.people <= 5:
            raise ConfigError(f"people {self.people}: choose 1 to 5 per image")
        if not 0 <= self.turn_deg <= 180:
            raise ConfigError(f"turn_deg {self.turn_deg:g}: choose 0 to 180 degrees")
        if not 0 <= self.pose_spread <= 1:
            raise ConfigError(f"pose_spread {self.pose_spread:g}: choose 0 to 1")
        if self.clothes not in CLOTHES:
            raise ConfigError(f"clothes {self.clothes!r}: choose one of {', '.join(CLOTHES)}")


@dataclass(frozen=True, eq=False)
class Scene:
    """A rendered image with its ground truth."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    camera: Camera
    people: tuple[SmplxParams, ...]  # the sufficiently visible people, optical frame


def random_scene(body: BodyModel, options: SceneOptions, seed: int, index: int) -> Scene:
    """Render scene `index` of the data set `seed`, a function of both only."""
    rng = np.random.default_rng([seed, index])
    view = SceneCamera.random(rng, options.width, options.height)
    people = _random_people(rng, body, view, options)
    outfits = [random_clothes(rng, body, options.clothes) for _ in people]
    meshes = [body.vertices(params)[0] for params in people]
    background, light, sensor = random_background(rng, view), Light.random(rng), Sensor.random(rng)
    rendered = render(rng, body, meshes, outfits, view, background, light, sensor)
    kept = tuple(
        params for params, share in zip(people, rendered.visible, strict=True) if share >= MIN_VISIBLE_FRACTION
    )
    return Scene(rendered.image, view.camera, kept)


def _random_people(
    rng: np.random.Generator, body: BodyModel, view: SceneCamera, options: SceneOptions
) -> list[SmplxParams]:
    """Draw at least one person, in the optical frame, with a minimum spacing between people."""
    count = int(rng.integers(1, options.people + 1))
    people: list[SmplxParams] = []
    positions: list[FloatArray] = []
    for _ in range(_MAX_ATTEMPTS):
        params, position = _random_person(rng, body, view, options)
        apart = all(np.linalg.norm(position - other) >= MIN_SPACING_M for other in positions)
        if apart and _inside(body, params, view.camera):
            people.append(params)
            positions.append(position)
        if len(people) == count:
            return people
    if people:
        return people
    raise ConfigError(f"size {options.width}x{options.height}: nobody fits into such an image; choose another size")


def _random_person(
    rng: np.random.Generator, body: BodyModel, view: SceneCamera, options: SceneOptions
) -> tuple[SmplxParams, FloatArray]:
    """Draw a person; returns parameters in the optical frame and the position (x, z) on the floor, metres."""
    params = random_params(rng, pose_spread=options.pose_spread, max_yaw=np.radians(options.turn_deg))
    filled = rng.uniform(MIN_HEIGHT_FRACTION, MAX_HEIGHT_FRACTION) * options.height
    z = max(MIN_DISTANCE_M, TYPICAL_HEIGHT_M * view.camera.k[1, 1] / filled)
    half_width = 0.5 * options.width / view.camera.k[0, 0]
    position = np.array([rng.uniform(-0.8, 0.8) * half_width * z, z])
    standing = place_on_floor(body, params, position[0], view.height, position[1])
    return to_optical_frame(body, standing, view.optical_from_level), position


def _inside(body: BodyModel, params: SmplxParams, camera: Camera) -> bool:
    pixels = camera.project(body.joints(params)[0])
    inside = (pixels > 0) & (pixels < [camera.width - 1, camera.height - 1])  # False for NaN
    return bool(inside.all(axis=1).mean() >= _MIN_JOINTS_INSIDE)
