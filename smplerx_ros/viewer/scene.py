"""People as nodes of a viser scene: skinned meshes, skeletons and labels. The scene's world is the optical frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..body.model import BodyModel
from ..body.skeleton import JOINT_INDEX
from ..types import Person, SmplxParams
from .palette import BONES, joint_color, person_color

if TYPE_CHECKING:
    from viser import LabelHandle, LineSegmentsHandle, MeshHandle, SceneApi

    PersonNodes = dict[str, MeshHandle | LineSegmentsHandle | LabelHandle]

FloatArray = NDArray[np.floating[Any]]

BONE_WIDTH = 0.02  # metres
LABEL_ABOVE_HEAD = 0.3  # metres above the joint `head`, which is where the skull begins
MESH_OPACITY_WITH_BONES = 0.45
UP_OPTICAL = np.array([0.0, -1.0, 0.0])

_BONE_ENDS = np.array(BONES)  # (54, 2)
_BONE_COLORS = np.array([[joint_color(child)] * 2 for _, child in BONES], np.uint8)  # (54, 2, 3)


@dataclass(frozen=True)
class Parts:
    """What is shown of a person."""

    mesh: bool = True
    skeleton: bool = True
    labels: bool = True


class PeopleScene:
    """Keeps the nodes of everybody on show: `/people/<id>/mesh`, `/bones` and `/label`."""

    def __init__(self, scene: SceneApi, body: BodyModel) -> None:
        self._scene = scene
        self._body = body
        self._nodes: dict[str, PersonNodes] = {}

    def update(self, people: Sequence[Person], parts: Parts) -> None:
        """Show `people` and nobody else, each in its colour."""
        present = {person.id for person in people}
        for gone in [known for known in self._nodes if known not in present]:
            self._remove(gone, tuple(self._nodes[gone]))
            del self._nodes[gone]
        meshes = self._body.vertices(SmplxParams.stack([p.params for p in people])) if parts.mesh and people else None
        for index, person in enumerate(people):
            self._nodes.setdefault(person.id, {})
            self._show_mesh(person, None if meshes is None else meshes[index], parts)
            self._show_bones(person, parts.skeleton)
            self._show_label(person, parts.labels)

    def _show_mesh(self, person: Person, vertices: FloatArray | None, parts: Parts) -> None:
        if vertices is None:
            return self._remove(person.id, ("mesh",))
        opacity = MESH_OPACITY_WITH_BONES if parts.skeleton else None
        node: Any = self._nodes[person.id].get("mesh")
        if node is None:
            self._nodes[person.id]["mesh"] = self._scene.add_mesh_simple(
                _name(person, "mesh"), vertices, self._body.faces, color=person_color(person.id), opacity=opacity
            )
        else:
            node.vertices, node.opacity = vertices.astype(np.float32), opacity
        return None

    def _show_bones(self, person: Person, wanted: bool) -> None:
        if not wanted:
            return self._remove(person.id, ("bones",))
        ends = np.asarray(person.joints, np.float32)[_BONE_ENDS]
        node: Any = self._nodes[person.id].get("bones")
        if node is None:
            self._nodes[person.id]["bones"] = self._scene.add_line_segments(
                _name(person, "bones"), ends, _BONE_COLORS, thickness=BONE_WIDTH
            )
        else:
            node.points = ends
        return None

    def _show_label(self, person: Person, wanted: bool) -> None:
        if not wanted:
            return self._remove(person.id, ("label",))
        place = np.asarray(person.joints[JOINT_INDEX["head"]], np.float64) + LABEL_ABOVE_HEAD * UP_OPTICAL
        text = f"{person.id}  {np.linalg.norm(person.joints[0]):.1f} m"
        node: Any = self._nodes[person.id].get("label")
        if node is None:
            self._nodes[person.id]["label"] = self._scene.add_label(
                _name(person, "label"), text, position=place, anchor="bottom-center"
            )
        else:
            node.text, node.position = text, place
        return None

    def _remove(self, person_id: str, parts: Sequence[str]) -> None:
        for part in parts:
            if (node := self._nodes[person_id].pop(part, None)) is not None:
                node.remove()


def _name(person: Person, part: str) -> str:
    return f"/people/{person.id}/{part}"
