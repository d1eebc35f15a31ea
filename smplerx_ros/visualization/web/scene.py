"""People as nodes of a viser scene: meshes, skeletons and labels. The scene's world frame is the people's frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.model import BodyModel
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.types import Person, SmplxParams
from smplerx_ros.visualization.palette import BONES, joint_color, person_color

if TYPE_CHECKING:
    from viser import FrameHandle, SceneApi


BONE_WIDTH = 0.02  # metres
LABEL_ABOVE_HEAD = 0.3  # metres above the joint `head`, at the base of the skull
MESH_OPACITY_WITH_BONES = 0.45

_BONE_ENDS = np.array(BONES)  # (54, 2)
_BONE_COLORS = np.array([[joint_color(child)] * 2 for _, child in BONES], np.uint8)  # (54, 2, 3)


@dataclass(frozen=True)
class Parts:
    """The parts of a person that are shown."""

    mesh: bool = True
    skeleton: bool = True
    labels: bool = True


class PeopleScene:
    """The nodes of all people shown: `/people/<id>/mesh`, `/bones` and `/label`; labels are offset along `up (3,)`."""

    def __init__(self, scene: SceneApi, body: BodyModel, up: FloatArray) -> None:
        self._scene = scene
        self._body = body
        self._label_offset = LABEL_ABOVE_HEAD * up
        self._people: dict[str, FrameHandle] = {}  # by id; its children are the parts
        self._nodes: dict[tuple[str, str], Any] = {}  # the parts, by id and name

    def update(self, people: Sequence[Person], parts: Parts) -> None:
        """Replace the people shown."""
        present = {person.id for person in people}
        for gone in [known for known in self._people if known not in present]:
            self._people.pop(gone).remove()
            self._nodes = {key: node for key, node in self._nodes.items() if key[0] != gone}
        meshes = self._body.vertices(SmplxParams.stack([p.params for p in people])) if parts.mesh and people else None
        for index, person in enumerate(people):
            if person.id not in self._people:
                self._people[person.id] = self._scene.add_frame(f"/people/{person.id}", show_axes=False)
            self._show_mesh(person, None if meshes is None else meshes[index], parts)
            self._show_bones(person, parts.skeleton)
            self._show_label(person, parts.labels)

    def _show_mesh(self, person: Person, vertices: FloatArray | None, parts: Parts) -> None:
        if vertices is None:
            return self._remove(person, "mesh")
        opacity = MESH_OPACITY_WITH_BONES if parts.skeleton else None
        node = self._nodes.get((person.id, "mesh"))
        if node is None:
            self._nodes[person.id, "mesh"] = self._scene.add_mesh_simple(
                _name(person, "mesh"), vertices, self._body.faces, color=person_color(person.id), opacity=opacity
            )
        else:
            node.vertices, node.opacity = vertices.astype(np.float32), opacity
        return None

    def _show_bones(self, person: Person, wanted: bool) -> None:
        if not wanted:
            return self._remove(person, "bones")
        ends = np.asarray(person.joints, np.float32)[_BONE_ENDS]
        node = self._nodes.get((person.id, "bones"))
        if node is None:
            self._nodes[person.id, "bones"] = self._scene.add_line_segments(
                _name(person, "bones"), ends, _BONE_COLORS, thickness=BONE_WIDTH
            )
        else:
            node.points = ends
        return None

    def _show_label(self, person: Person, wanted: bool) -> None:
        if not wanted:
            return self._remove(person, "label")
        position = np.asarray(person.joints[JOINT_INDEX["head"]], np.float64) + self._label_offset
        text = f"{person.id}  {np.linalg.norm(person.joints[0]):.1f} m"
        node = self._nodes.get((person.id, "label"))
        if node is None:
            self._nodes[person.id, "label"] = self._scene.add_label(
                _name(person, "label"), text, position=position, anchor="bottom-center"
            )
        else:
            node.text, node.position = text, position
        return None

    def _remove(self, person: Person, part: str) -> None:
        node = self._nodes.pop((person.id, part), None)
        if node is not None:
            node.remove()


def _name(person: Person, part: str) -> str:
    return f"/people/{person.id}/{part}"
