"""One random scene: somebody, or several people, in a place, seen by a camera, with everything known."""

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

MIN_HEIGHT_FRACTION, MAX_HEIGHT_FRACTION = 0.4, 0.9  # of the picture's height that somebody of TYPICAL_HEIGHT_M fills
TYPICAL_HEIGHT_M, MIN_DISTANCE_M = 1.7, 1.8
MIN_SPACING_M = 0.7  # pelvis to pelvis, across
MIN_VISIBLE_FRACTION = 0.6  # share of a body that others may not hide
_LEAST_INSIDE = 0.9  # share of the joints in the image
_ATTEMPTS = 200


@dataclass(frozen=True)
class SceneOptions:
    """What the scenes of a set have in common."""

    width: int = 384  # pixels
    height: int = 384
    people: int = 1  # at most, in one picture
    turn_deg: float = 180.0  # people are turned from facing the camera by up to this
    pose_spread: float = POSE_SPREAD  # 0: all stand relaxed; 1: everything that the pose prior allows
    clothes: str = "random"  # or "suit": every limb has a colour of its own, the same on everybody

    def __post_init__(self) -> None:
        if self.width < 64 or self.height < 64:
            raise ConfigError(f"size {self.width}x{self.height}: pictures are at least 64x64 pixels")
        if not 1 <= self.people <= 5:
            raise ConfigError(f"people {self.people}: choose 1 to 5 in a picture")
        if not 0 <= self.turn_deg <= 180:
            raise ConfigError(f"turn_deg {self.turn_deg:g}: choose 0 to 180 degrees")
        if not 0 <= self.pose_spread <= 1:
            raise ConfigError(f"pose_spread {self.pose_spread:g}: choose 0 to 1")
        if self.clothes not in CLOTHES:
            raise ConfigError(f"clothes {self.clothes!r}: choose one of {', '.join(CLOTHES)}")


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture `(H, W, 3) uint8 RGB` and the people in it whom one can see, in the camera's optical frame."""

    image: NDArray[np.uint8]
    camera: Camera
    people: tuple[SmplxParams, ...]


def random_scene(body: BodyModel, options: SceneOptions, seed: int, index: int) -> Scene:
    """Scene `index` of the set `seed`: always the same, whatever was made before."""
    rng = np.random.default_rng([seed, index])
    view = SceneCamera.random(rng, options.width, options.height)
    people = _crowd(rng, body, view, options)
    outfits = [random_clothes(rng, body, options.clothes) for _ in people]
    meshes = [body.vertices(params)[0] for params in people]
    background, light, sensor = random_background(rng, view), Light.random(rng), Sensor.random(rng)
    rendered = render(rng, body, meshes, outfits, view, background, light, sensor)
    kept = tuple(
        params for params, share in zip(people, rendered.visible, strict=True) if share >= MIN_VISIBLE_FRACTION
    )
    return Scene(rendered.image, view.camera, kept)


def _crowd(rng: np.random.Generator, body: BodyModel, view: SceneCamera, options: SceneOptions) -> list[SmplxParams]:
    """At least one person; none stands in another."""
    wanted = int(rng.integers(1, options.people + 1))
    people: list[SmplxParams] = []
    places: list[FloatArray] = []
    for _ in range(_ATTEMPTS):
        params, place = _somebody(rng, body, view, options)
        apart = all(np.linalg.norm(place - other) >= MIN_SPACING_M for other in places)
        if apart and _inside(body, params, view.camera):
            people.append(params)
            places.append(place)
        if len(people) == wanted:
            return people
    if people:
        return people
    raise ConfigError(f"size {options.width}x{options.height}: nobody fits into such a picture; choose another")


def _somebody(
    rng: np.random.Generator, body: BodyModel, view: SceneCamera, options: SceneOptions
) -> tuple[SmplxParams, FloatArray]:
    """Parameters in the optical frame, and where on the floor (x, z) that is."""
    params = random_params(rng, pose_spread=options.pose_spread, turn=np.radians(options.turn_deg))
    filled = rng.uniform(MIN_HEIGHT_FRACTION, MAX_HEIGHT_FRACTION) * options.height
    z = max(MIN_DISTANCE_M, TYPICAL_HEIGHT_M * view.camera.k[1, 1] / filled)
    half_width = 0.5 * options.width / view.camera.k[0, 0]
    place = np.array([rng.uniform(-0.8, 0.8) * half_width * z, z])
    standing = place_on_floor(body, params, place[0], view.height, place[1])
    return to_optical_frame(body, standing, view.optical_from_level), place


def _inside(body: BodyModel, params: SmplxParams, camera: Camera) -> bool:
    pixels = camera.project(body.joints(params)[0])
    inside = (pixels > 0) & (pixels < [camera.width - 1, camera.height - 1])  # False for NaN
    return bool(inside.all(axis=1).mean() >= _LEAST_INSIDE)
