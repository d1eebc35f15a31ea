"""People as RViz markers: bones, joints, identity, and a mesh on request; taken down when a person leaves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from numpy.typing import ArrayLike, NDArray
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from ..body import BodyModel
from ..body.skeleton import JOINT_INDEX
from ..types import Person, SmplxParams
from ..viewer.palette import BONES, person_color

BONE_WIDTH, JOINT_DIAMETER, TEXT_HEIGHT = 0.015, 0.03, 0.12  # metres
LABEL_ABOVE_HEAD = 0.25  # metres
UNSURE_OPACITY = 0.25  # of a joint with confidence 0; 1 with confidence 1
LIFETIME = Duration(sec=2)  # who is not seen again vanishes, whatever becomes of the node
NAMESPACES = ("bones", "joints", "label", "mesh")


class MarkerWriter:
    """Makes the MarkerArray of each frame and remembers whom RViz shows, so that they can be deleted.

    `numbers` are the markers' ids, shared by the writers of one topic.
    """

    def __init__(self, body: BodyModel, numbers: Iterator[int] | None = None) -> None:
        self._body = body
        self._numbers: dict[str, int] = {}  # marker ids of the people on show
        self._next = count(1) if numbers is None else numbers
        self._mesh_shown = False

    def update(
        self, people: Sequence[Person], header: Header, *, mesh: bool, up: ArrayLike = (0.0, -1.0, 0.0)
    ) -> MarkerArray:
        """Markers of `people`, and a DELETE for each marker of those who left.

        `up (3,)` is where labels go, a unit vector in the header's frame: by default that of the optical frame.
        """
        message = MarkerArray()
        present = {person.id for person in people}
        for person_id in [known for known in self._numbers if known not in present]:
            message.markers += _deletions(self._numbers.pop(person_id), header, NAMESPACES)
        if self._mesh_shown and not mesh:
            for number in self._numbers.values():
                message.markers += _deletions(number, header, ("mesh",))
        self._mesh_shown = mesh
        vertices = self._body.vertices(SmplxParams.stack([p.params for p in people])) if mesh and people else None
        for index, person in enumerate(people):
            if person.id not in self._numbers:
                self._numbers[person.id] = next(self._next)
            number = self._numbers[person.id]
            message.markers += _skeleton(person, number, header, np.asarray(up))
            if vertices is not None:
                message.markers.append(_mesh(person, number, header, vertices[index], self._body.faces))
        return message

    def clear(self, header: Header) -> MarkerArray:
        """DELETE everything on show."""
        return self.update((), header, mesh=False)


def _skeleton(person: Person, number: int, header: Header, up: NDArray[np.floating]) -> list[Marker]:
    joints = np.asarray(person.joints, np.float64)
    points = [Point(x=x, y=y, z=z) for x, y, z in joints.tolist()]
    opacity = UNSURE_OPACITY + (1 - UNSURE_OPACITY) * np.clip(person.confidence, 0, 1)
    colors = [_color(person, alpha) for alpha in opacity.tolist()]

    bones = _marker(header, "bones", number, Marker.LINE_LIST, BONE_WIDTH)
    bones.points = [points[joint] for bone in BONES for joint in bone]
    bones.colors = [colors[child] for _, child in BONES for _ in range(2)]
    spheres = _marker(header, "joints", number, Marker.SPHERE_LIST, JOINT_DIAMETER)
    spheres.points, spheres.colors = points, colors

    label = _marker(header, "label", number, Marker.TEXT_VIEW_FACING, TEXT_HEIGHT)
    label.text, label.color = person.id, _color(person, 1.0)
    x, y, z = (joints[JOINT_INDEX["head"]] + LABEL_ABOVE_HEAD * up).tolist()
    label.pose.position = Point(x=x, y=y, z=z)
    return [bones, spheres, label]


def _mesh(
    person: Person, number: int, header: Header, vertices: NDArray[np.floating], faces: NDArray[np.int32]
) -> Marker:
    marker = _marker(header, "mesh", number, Marker.TRIANGLE_LIST, 1.0)
    marker.color = _color(person, 1.0)  # RViz does not sort triangles: a translucent body would show its back
    points = [Point(x=x, y=y, z=z) for x, y, z in np.asarray(vertices, np.float64).tolist()]
    marker.points = [points[index] for index in faces.ravel().tolist()]
    return marker


def _marker(header: Header, namespace: str, number: int, kind: int, scale: float) -> Marker:
    marker = Marker(header=header, ns=namespace, id=number, type=kind, action=Marker.ADD, lifetime=LIFETIME)
    marker.pose.orientation.w = 1.0
    marker.scale.x = marker.scale.y = marker.scale.z = scale
    return marker


def _deletions(number: int, header: Header, namespaces: Iterable[str]) -> list[Marker]:
    return [Marker(header=header, ns=name, id=number, action=Marker.DELETE) for name in namespaces]


def _color(person: Person, alpha: float) -> ColorRGBA:
    red, green, blue = (value / 255 for value in person_color(person.id))
    return ColorRGBA(r=red, g=green, b=blue, a=alpha)
