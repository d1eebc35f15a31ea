"""Visual elements of a person's URDF: cylinders and spheres, in the person's colour."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.visualization.palette import person_color

# Per link: cylinders from its origin to a joint, or a sphere on top of its origin (""), with their radii in metres.
# Together they leave no gaps.
SHAPES: dict[str, tuple[tuple[str, float], ...]] = {
    "body": (("waist", 0.13),),  # belly
    "waist": (("torso", 0.12),),  # chest
    "torso": (("r_head", 0.05), ("l_y_shoulder", 0.05), ("r_y_shoulder", 0.05)),  # neck, shoulders
    "head": (("", 0.10),),
    **{f"{side}_shoulder": ((f"{side}_elbow", 0.045),) for side in ("l", "r")},
    **{f"{side}_elbow": ((f"{side}_wrist", 0.035),) for side in ("l", "r")},
    **{f"{side}_hip": ((f"{side}_knee", 0.07),) for side in ("l", "r")},
    **{f"{side}_knee": ((f"{side}_ankle", 0.05),) for side in ("l", "r")},
}


def cylinder(end: FloatArray, radius: float, person_id: str) -> ElementTree.Element:
    """The visual of a cylinder from a link's origin to `end (3,)`, metres in the link."""
    visual = _visual(end / 2, _towards(end), person_id)
    size = {"radius": f"{radius:g}", "length": f"{np.linalg.norm(end):.5f}"}
    ElementTree.SubElement(visual[1], "cylinder", size)
    return visual


def sphere(radius: float, person_id: str) -> ElementTree.Element:
    """The visual of a sphere on top of a link's origin; `radius` in metres."""
    visual = _visual(np.array([0.0, 0.0, radius]), np.zeros(3), person_id)
    ElementTree.SubElement(visual[1], "sphere", radius=f"{radius:g}")
    return visual


def numbers(values: Any) -> str:
    """Numbers in URDF's notation."""
    return " ".join(f"{float(value) + 0.0:.5f}".rstrip("0").rstrip(".") for value in values)


def _visual(position: FloatArray, rpy: FloatArray, person_id: str) -> ElementTree.Element:
    """A visual with origin, empty geometry and material."""
    visual = ElementTree.Element("visual")
    ElementTree.SubElement(visual, "origin", xyz=numbers(position), rpy=numbers(rpy))
    ElementTree.SubElement(visual, "geometry")
    material = ElementTree.SubElement(visual, "material", name=f"color_{person_id}")
    ElementTree.SubElement(material, "color", rgba=numbers([*(c / 255 for c in person_color(person_id)), 1.0]))
    return visual


def _towards(end: FloatArray) -> FloatArray:
    """Roll, pitch and yaw `(3,)`, radians, that rotate the z axis to the direction of `end (3,)`."""
    x, y, z = end / np.linalg.norm(end)
    return np.array([-np.arcsin(y), np.arctan2(x, z), 0.0])
