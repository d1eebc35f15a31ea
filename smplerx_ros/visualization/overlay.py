"""Overlays: people drawn on the camera's image as shaded, translucent mesh, skeleton and label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray, RgbImage
from smplerx_ros.body.skeleton import LEFT_HAND
from smplerx_ros.body.surface import vertex_normals
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.rotations import normalized
from smplerx_ros.types import Person, SmplxParams

from .palette import BONES, Color, joint_color, person_color
from .rasterizer import rasterize

MESH_OPACITY = 0.58
AMBIENT, DIFFUSE = 0.3, 1.0  # sum above 1: surfaces that face the light become white
LIGHT_OPTICAL = np.array([-0.5, -0.6, -0.7])  # towards the light: left, above and behind the camera
SURE = 0.5  # confidence from which a joint is drawn opaque
UNSURE_OPACITY = 0.3
BOX_HEIGHT_PER_WIDTH = 300  # pixels of a person's height per pixel of a bone's width
FIRST_HAND_JOINT = LEFT_HAND.start
_SUBPIXEL_BITS = 4


class Mesh(Protocol):
    """A body's mesh: the model's own, or a decimated one."""

    @property
    def faces(self) -> NDArray[np.int32]:
        """`(F, 3)` vertex indices."""

    def vertices(self, params: SmplxParams, /) -> FloatArray:
        """`(B, V, 3)` metres."""


def draw_people(image: RgbImage, people: Sequence[Person], body: Mesh, camera: Camera) -> RgbImage:
    """Draw people on a copy of an image, far ones first.

    Args:
        image: `(H, W, 3) uint8` RGB.
        people: People in the camera's optical frame.
        body: Mesh of the body model of their parameters.
        camera: The camera that they were estimated with.
    """
    canvas = image.copy()
    if not people:
        return canvas
    meshes = body.vertices(SmplxParams.stack([person.params for person in people]))
    for index in sorted(range(len(people)), key=lambda i: -float(people[i].joints[0, 2])):
        person = people[index]
        draw_mesh(canvas, meshes[index], body.faces, camera, person_color(person.id))
        draw_skeleton(canvas, person)
        _draw_label(canvas, person)
    return canvas


def draw_mesh(canvas: RgbImage, vertices: FloatArray, faces: NDArray[np.int32], camera: Camera, color: Color) -> None:
    """Blend a shaded mesh `(V, 3)` metres, optical frame, into `canvas (H, W, 3)` in place."""
    raster = rasterize(vertices, faces, camera, closed=True)
    normals = normalized(raster.interpolate(vertex_normals(vertices, faces), faces))
    light = AMBIENT + DIFFUSE * np.clip(normals @ normalized(LIGHT_OPTICAL), 0, None)[:, None]
    pixels = canvas.reshape(-1, 3)
    shaded = np.minimum(light, 1) * color + np.maximum(light - 1, 0) * 255
    pixels[raster.pixels] = (MESH_OPACITY * shaded.clip(0, 255) + (1 - MESH_OPACITY) * pixels[raster.pixels]).astype(
        np.uint8
    )


def draw_skeleton(canvas: RgbImage, person: Person) -> None:
    """Draw bones and joints into `canvas`, coloured by side; translucent if their confidence is low."""
    unsure = person.confidence < SURE
    drawn = _around(person, canvas)
    if unsure.any() and drawn.size:
        before = drawn.copy()
        _draw_joints(canvas, person, unsure)
        cv2.addWeighted(drawn, UNSURE_OPACITY, before, 1 - UNSURE_OPACITY, 0, dst=drawn)
    _draw_joints(canvas, person, ~unsure)


def _draw_joints(canvas: RgbImage, person: Person, chosen: NDArray[np.bool_]) -> None:
    """Draw the chosen joints `(55,)` and the bones that end in them; those far outside the image are left out."""
    thickness, drawable = _thickness(person), _drawable(person, canvas)
    points = np.where(drawable[:, None], person.joints_image, 0.0) * (1 << _SUBPIXEL_BITS)
    fixed = np.round(points).astype(int).tolist()
    for parent, child in BONES:
        if chosen[child] and drawable[parent] and drawable[child]:
            width = 1 if child >= FIRST_HAND_JOINT else thickness
            cv2.line(canvas, fixed[parent], fixed[child], joint_color(child), width, cv2.LINE_AA, _SUBPIXEL_BITS)
    for joint in np.flatnonzero((chosen & drawable)[:FIRST_HAND_JOINT]).tolist():
        radius = (thickness + 1) << _SUBPIXEL_BITS
        cv2.circle(canvas, fixed[joint], radius, joint_color(joint), cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)


def _around(person: Person, canvas: RgbImage) -> RgbImage:
    """The view of the image that contains all joints and bones."""
    points = person.joints_image[_drawable(person, canvas)]
    if not len(points):
        return canvas[:0]
    margin = 2 * _thickness(person) + 3
    (x0, y0), (x1, y1) = points.min(axis=0) - margin, points.max(axis=0) + margin + 1
    return canvas[max(0, int(y0)) : max(0, int(y1) + 1), max(0, int(x0)) : max(0, int(x1) + 1)]


def _draw_label(canvas: RgbImage, person: Person) -> None:
    """Draw id and score above the box, inside the image."""
    text = f"{person.id} {person.score:.2f}"
    scale = max(0.4, canvas.shape[0] / 1400)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    x = int(np.clip(person.box.x0, 0, max(0, canvas.shape[1] - width)))
    y = int(np.clip(person.box.y0 - height, height, canvas.shape[0] - 1))
    for color, thickness in (((0, 0, 0), 3), (person_color(person.id), 1)):
        cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, color, thickness, cv2.LINE_AA)


def _drawable(person: Person, canvas: RgbImage) -> NDArray[np.bool_]:
    """`(55,)`: whether joints are finite and near enough to the image for OpenCV's 32-bit drawing."""
    return np.asarray((np.abs(person.joints_image) < 10 * max(canvas.shape)).all(axis=1))


def _thickness(person: Person) -> int:
    """Thickness of a bone, pixels."""
    return max(1, round(person.box.height / BOX_HEIGHT_PER_WIDTH))
