"""Rendering of people into an image: shaded meshes, shadows on the floor, and sensor noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray, RgbImage
from smplerx_ros.body.model import BodyModel
from smplerx_ros.body.surface import vertex_normals
from smplerx_ros.geometry.rotations import normalized
from smplerx_ros.visualization.rasterizer import Raster, rasterize

from .clothing import Outfit, Suit
from .environment import SceneCamera


@dataclass(frozen=True, eq=False)
class Light:
    """A directional light with an ambient part."""

    direction_level: FloatArray  # (3,) unit vector towards the light, level frame (y down)
    ambient: float
    diffuse: float
    tint: FloatArray  # (3,) factors of red, green, blue
    shadow: float  # 0 (none) .. 1 (black)

    @classmethod
    def random(cls, rng: np.random.Generator) -> Light:
        """Draw a light from above, mostly from the camera's side."""
        direction = normalized([rng.uniform(-1, 1), rng.uniform(-1.6, -0.5), rng.uniform(-1.2, 0.4)])
        ambient = rng.uniform(0.35, 0.65)
        return cls(direction, ambient, rng.uniform(0.9, 1.15) - ambient, rng.uniform(0.9, 1.08, 3), rng.uniform(0, 0.6))


@dataclass(frozen=True)
class Sensor:
    """Image sensor: blur, exposure and noise."""

    blur: float  # pixels
    gamma: float
    gain: float
    noise: float  # standard deviation, grey levels

    @classmethod
    def random(cls, rng: np.random.Generator) -> Sensor:
        """Draw a sensor of varying quality and exposure."""
        return cls(rng.uniform(0.4, 1.0), rng.uniform(0.8, 1.25), rng.uniform(0.8, 1.15), rng.uniform(1, 6))

    def expose(self, image: FloatArray, rng: np.random.Generator) -> RgbImage:
        """Convert `image (H, W, 3)`, 0..255, to `(H, W, 3) uint8`; `rng` draws the noise."""
        blurred = cv2.GaussianBlur(image, (0, 0), self.blur)
        exposed = 255 * (blurred.clip(0, 255) / 255) ** self.gamma * self.gain
        noise = self.noise * rng.standard_normal(image.shape[:2])[..., None]
        return np.asarray((exposed + noise).clip(0, 255), np.uint8)


@dataclass(frozen=True, eq=False)
class Rendered:
    """A rendered image."""

    image: RgbImage
    visible: FloatArray  # (P,) fraction of each person's pixels in the image that no other person occludes


def render(
    rng: np.random.Generator,
    body: BodyModel,
    meshes: Sequence[FloatArray],
    outfits: Sequence[Outfit | Suit],
    view: SceneCamera,
    background: FloatArray,
    light: Light,
    sensor: Sensor,
) -> Rendered:
    """Render people in front of a background.

    Args:
        rng: Draws the sensor noise.
        body: Body model of the meshes.
        meshes: Vertices `(V, 3)` of each person, metres, optical frame.
        outfits: Of each person.
        view: The camera.
        background: `(H, W, 3)` RGB 0..255; modified in place.
        light: Illumination.
        sensor: Converts the result to an image.
    """
    count, size = len(meshes), len(body.faces)
    faces = np.concatenate([body.faces + k * len(body.v_template) for k in range(count)])
    raster = rasterize(np.concatenate(meshes), faces, view.camera)
    _cast_shadows(background, body, meshes, view, light)
    normals = np.concatenate([vertex_normals(mesh, body.faces) for mesh in meshes])
    shade = _shade(raster, faces, normals, view, light)
    at_rest = raster.interpolate(np.tile(body.v_template.astype(np.float64), (count, 1)), faces)
    owner = raster.faces // size
    colors = np.empty_like(at_rest)
    for k, outfit in enumerate(outfits):
        colors[owner == k] = outfit.colors(at_rest[owner == k], body)
    background.reshape(-1, 3)[raster.pixels] = colors * shade
    alone = [len(rasterize(mesh, body.faces, view.camera).pixels) for mesh in meshes] if count > 1 else [len(owner)]
    seen = np.bincount(owner, minlength=count)
    return Rendered(sensor.expose(background, rng), seen / np.maximum(alone, 1))


def _shade(raster: Raster, faces: NDArray[Any], normals: FloatArray, view: SceneCamera, light: Light) -> FloatArray:
    """Return the shading `(N, 3)` of covered pixels: Lambert's law, and ambient light that is brighter from above."""
    towards = view.optical_from_level @ light.direction_level
    up = view.optical_from_level @ np.array([0.0, -1.0, 0.0])
    direction = normalized(raster.interpolate(normals, faces))
    sky = light.ambient * (0.8 + 0.2 * direction @ up)
    lamp = light.diffuse * np.clip(direction @ towards, 0, None)
    return np.asarray((sky + lamp)[:, None] * light.tint)


def _cast_shadows(
    background: FloatArray, body: BodyModel, meshes: Sequence[FloatArray], view: SceneCamera, light: Light
) -> None:
    """Darken the floor where bodies cast shadows, in place."""
    dark = np.zeros(background.shape[:2])
    for mesh in meshes:
        level = mesh @ view.optical_from_level  # row vectors: applies level_from_optical
        height = view.height - level[:, 1:2]
        on_floor = level + height / light.direction_level[1] * light.direction_level
        dark[rasterize(on_floor @ view.optical_from_level.T, body.faces, view.camera).mask()] = light.shadow
    soft = cv2.GaussianBlur(dark, (0, 0), max(1.0, background.shape[0] / 160))
    background *= 1.0 - np.asarray(soft, np.float64)[..., None]
