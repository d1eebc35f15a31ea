"""The URDF's shapes make one body in the id's colour: nothing floats, and cylinders end where joints are."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from smplerx_ros.rep155.description import JOINTS, BodyDescription
from smplerx_ros.types import SmplxParams
from smplerx_ros.visualization.palette import person_color
from support.bodies import standin

BODY = standin()
PARENT = {f"{joint.child}_p7": joint for joint in JOINTS}
OVERLAP = 0.01  # metres by which neighbours have to overlap, that no gap is seen


@dataclass(frozen=True)
class Shape:
    link: str
    axis: np.ndarray  # (50, 3) points on the axis, metres in the root link, all angles at zero
    radius: float

    def overlaps(self, other: Shape) -> bool:
        return bool(cdist(self.axis, other.axis).min() < self.radius + other.radius - OVERLAP)


def numbers(text: str) -> np.ndarray:
    return np.array([float(part) for part in text.split()])


def place(description: BodyDescription, link: str) -> np.ndarray:
    """Of a link in the root link."""
    if link not in PARENT:
        return np.zeros(3)
    joint = PARENT[link]
    return description.origin(joint.name) + place(description, f"{joint.parent}_p7")


def shapes(description: BodyDescription) -> list[Shape]:
    found = []
    for link in ElementTree.fromstring(description.urdf("p7")).iter("link"):
        for visual in link.iter("visual"):
            origin, (solid,) = visual.find("origin"), visual.find("geometry")
            half = float(solid.get("length", 0)) / 2
            axis = Rotation.from_euler("xyz", numbers(origin.get("rpy"))).as_matrix()[:, 2]
            steps = np.linspace(-half, half, 50)[:, None] * axis
            centre = place(description, link.get("name")) + numbers(origin.get("xyz"))
            found.append(Shape(link.get("name"), centre + steps, float(solid.get("radius"))))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_nothing_floats(seed: int) -> None:
    betas = np.random.default_rng(seed).normal(0, 1.5, (1, 10)) * (seed > 0)
    (description,) = BodyDescription.from_rest(BODY.rest_joints(betas))
    parts = shapes(description)
    touching = np.array([[a.overlaps(b) for b in parts] for a in parts])
    number, of = connected_components(touching)
    assert number == 1, [{parts[i].link for i in np.flatnonzero(of == k)} for k in range(number)]
    links = {part.link.removesuffix("_p7") for part in parts}
    assert {"body", "waist", "torso", "head", "l_hip", "r_knee", "l_shoulder", "r_elbow"} <= links


def test_cylinders_end_at_the_next_joint() -> None:
    (description,) = BodyDescription.from_rest(BODY.rest_joints(SmplxParams.rest(1).betas))
    tops = {part.link: part.axis[-1] for part in shapes(description) if part.link in ("body_p7", "waist_p7")}
    np.testing.assert_allclose(tops["body_p7"], place(description, "waist_p7"), atol=1e-4)
    np.testing.assert_allclose(tops["waist_p7"], place(description, "torso_p7"), atol=1e-4)


def test_every_shape_has_the_ids_colour() -> None:
    (description,) = BodyDescription.from_rest(BODY.rest_joints(SmplxParams.rest(1).betas))
    robot = ElementTree.fromstring(description.urdf("p7"))
    materials = [visual.find("material") for visual in robot.iter("visual")]
    assert materials
    for material in materials:
        rgba = numbers(material.find("color").get("rgba"))
        np.testing.assert_allclose(rgba * 255, [*person_color("p7"), 255], atol=1)
