"""People to RViz markers: bones, joints, a label with the id, and optionally a mesh."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import ArrayLike
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.types import Person, SmplxParams
from smplerx_ros.visualization.decimation import DecimatedMesh
from smplerx_ros.visualization.palette import BONES, person_color

from .cdr import CdrWriter

BONE_WIDTH, JOINT_DIAMETER, TEXT_HEIGHT = 0.015, 0.03, 0.12  # metres
LABEL_ABOVE_HEAD = 0.25  # metres
UNSURE_OPACITY = 0.25  # of a joint with confidence 0; opacity 1 for confidence 1 or unknown
LIFETIME_S = 2.0  # RViz removes markers after this time, even if the node has ended
NAMESPACES = ("bones", "joints", "label", "mesh")
_BONE_ENDS = np.array(BONES)  # (54, 2)
_EMPTY = np.zeros((0, 3))


@dataclass(frozen=True, eq=False)
class _Shape:
    """The fields in which markers differ."""

    namespace: str
    kind: int
    scale: float  # metres
    color: FloatArray  # (4,) RGBA, 0..1
    position: FloatArray  # (3,) metres
    points: FloatArray  # (N, 3) metres
    colors: FloatArray  # (N, 4) RGBA, or empty
    text: str = ""


class MarkerWriter:
    """Serializes the MarkerArray of each image, and deletes markers of people who have left.

    Args:
        mesh: Returns the decimated mesh of the body; called when a mesh is first shown.
        numbers: Marker ids, shared by the writers of one topic.
    """

    def __init__(self, mesh: Callable[[], DecimatedMesh], numbers: Iterator[int] | None = None) -> None:
        self._mesh = mesh
        self._numbers: dict[str, int] = {}  # marker id of each person shown
        self._next = count(1) if numbers is None else numbers
        self._mesh_shown = False

    def update(
        self,
        people: Sequence[Person],
        header: Header,
        *,
        mesh: bool,
        up: ArrayLike = (0.0, -1.0, 0.0),
        lifetime: float = LIFETIME_S,
    ) -> bytes:
        """Markers of `people` for `lifetime` seconds, and a DELETE for each marker of those who left.

        `up (3,)` is where labels go, a unit vector in the header's frame: by default that of the optical frame.
        """
        deleted = self._departed({person.id for person in people}, mesh)
        self._mesh_shown = mesh
        corners = self._corners(people) if mesh and people else None
        shown: list[tuple[int, _Shape]] = []
        for index, person in enumerate(people):
            if person.id not in self._numbers:
                self._numbers[person.id] = next(self._next)
            shapes = _skeleton(person, np.asarray(up))
            if corners is not None:
                shapes.append(_surface(person, corners[index]))
            shown += [(self._numbers[person.id], shape) for shape in shapes]
        writer = CdrWriter()
        writer.numbers("I", len(deleted) + len(shown))
        for namespace, number in deleted:
            _write(writer, header, number, Marker.DELETE, _deleted(namespace), 0.0)
        for number, shape in shown:
            _write(writer, header, number, Marker.ADD, shape, lifetime)
        return writer.message()

    def clear(self, header: Header) -> bytes | None:
        """A message that deletes all markers shown; None if there are none."""
        return self.update((), header, mesh=False) if self._numbers else None

    def _corners(self, people: Sequence[Person]) -> FloatArray:
        """The vertices of each person's triangles `(P, N, 3)`, metres; three per triangle."""
        mesh = self._mesh()
        vertices = mesh.vertices(SmplxParams.stack([person.params for person in people]))
        return vertices[:, mesh.faces.ravel()]

    def _departed(self, present: set[str], mesh: bool) -> list[tuple[str, int]]:
        """Namespaces and ids of markers to delete; they are removed from the record."""
        gone = [self._numbers.pop(known) for known in list(self._numbers) if known not in present]
        deleted = [(namespace, number) for number in gone for namespace in NAMESPACES]
        if self._mesh_shown and not mesh:
            deleted += [("mesh", number) for number in self._numbers.values()]
        return deleted


def _skeleton(person: Person, up: FloatArray) -> list[_Shape]:
    joints = np.asarray(person.joints, np.float64)
    colors = np.tile(_color(person), (len(joints), 1))
    colors[:, 3] = UNSURE_OPACITY + (1 - UNSURE_OPACITY) * np.nan_to_num(person.confidence, nan=1.0).clip(0, 1)
    ends = _BONE_ENDS.ravel()
    at_child = np.repeat(_BONE_ENDS[:, 1], 2)
    bones = _Shape("bones", Marker.LINE_LIST, BONE_WIDTH, np.zeros(4), np.zeros(3), joints[ends], colors[at_child])
    spheres = _Shape("joints", Marker.SPHERE_LIST, JOINT_DIAMETER, np.zeros(4), np.zeros(3), joints, colors)
    position = joints[JOINT_INDEX["head"]] + LABEL_ABOVE_HEAD * up
    label = _Shape(
        "label", Marker.TEXT_VIEW_FACING, TEXT_HEIGHT, _color(person), position, _EMPTY, _EMPTY, text=person.id
    )
    return [bones, spheres, label]


def _surface(person: Person, corners: FloatArray) -> _Shape:
    """An opaque mesh: RViz does not sort triangles by depth, so a translucent one would show its back in front."""
    return _Shape("mesh", Marker.TRIANGLE_LIST, 1.0, _color(person), np.zeros(3), corners, _EMPTY)


def _deleted(namespace: str) -> _Shape:
    return _Shape(namespace, 0, 0.0, np.zeros(4), np.zeros(3), _EMPTY, _EMPTY)


def _color(person: Person) -> FloatArray:
    return np.append(np.array(person_color(person.id)) / 255, 1.0)


def _write(writer: CdrWriter, header: Header, number: int, action: int, shape: _Shape, lifetime: float) -> None:
    """Write one visualization_msgs/Marker; its fields are the same from ROS 2 Humble on."""
    writer.header(header)
    writer.string(shape.namespace)
    writer.numbers("i", number, shape.kind, action)
    writer.numbers("d", *shape.position, 0.0, 0.0, 0.0, 1.0, *[shape.scale] * 3)
    writer.numbers("f", *shape.color)
    seconds, nanoseconds = divmod(round(lifetime * 1e9), 1_000_000_000)
    writer.numbers("i", seconds)
    writer.numbers("I", nanoseconds)
    writer.numbers("?", False)  # frame_locked
    writer.sequence(np.asarray(shape.points, np.float64))
    writer.sequence(np.asarray(shape.colors, np.float32))
    writer.string("")  # texture_resource
    writer.header(Header())
    writer.string("")  # texture.format
    writer.sequence(np.zeros(0, np.uint8))  # texture.data
    writer.sequence(np.zeros((0, 2), np.float32))  # uv_coordinates
    writer.string(shape.text)
    writer.string("")  # mesh_resource
    writer.string("")  # mesh_file.filename
    writer.sequence(np.zeros(0, np.uint8))  # mesh_file.data
    writer.numbers("?", False)  # mesh_use_embedded_materials
