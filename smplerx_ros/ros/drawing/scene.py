"""One frame for the drawing process: a short JSON message, and arrays and image in shared memory."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from std_msgs.msg import Header

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.placement import Placement
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.types import NUM_JOINTS, PARAM_SIZES, Person, SmplxParams

# A person as one row: score, box, parameters, joints, joints in the image, confidence.
_SIZES = (1, 5, sum(PARAM_SIZES.values()), NUM_JOINTS * 3, NUM_JOINTS * 2, NUM_JOINTS)
_ENDS = np.cumsum(_SIZES)


@dataclass(frozen=True, eq=False)
class Scene:
    """The people in one image of one camera, and what to draw."""

    source: str  # name of the camera
    header: Header  # of the image
    people: tuple[Person, ...]  # in the camera's optical frame
    markers: bool  # publish markers
    mesh: bool  # include meshes in the markers
    target: tuple[str, Placement] | None = None  # frame of the markers, and camera pose in it; None: the camera's frame
    image: NDArray[np.uint8] | None = None  # (H, W, 3) RGB to draw on; None: no overlay
    camera: Camera | None = None  # of the image


class SharedMemory:
    """Anonymous shared memory (memfd), freed with the last process that has it open."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map: mmap.mmap | None = None

    @classmethod
    def create(cls) -> SharedMemory:
        """Create memory; the descriptor is inherited only if passed on explicitly."""
        return cls(os.memfd_create("smplerx_drawing"))

    def at_least(self, size: int) -> NDArray[np.uint8]:
        """The first `size` bytes, mapped; the memory grows if it is smaller."""
        if self._map is None or len(self._map) < size:
            if os.fstat(self.descriptor).st_size < size:
                os.ftruncate(self.descriptor, size)
            self._map = mmap.mmap(self.descriptor, os.fstat(self.descriptor).st_size)
        return np.frombuffer(self._map, np.uint8, size)

    def close(self) -> None:
        """Unmap the memory and close the descriptor."""
        self._map = None
        os.close(self.descriptor)


def write(scene: Scene, memory: SharedMemory) -> bytes:
    """Write arrays and image to `memory`; returns the message for `read`."""
    rows = np.array([_row(person) for person in scene.people], np.float64).reshape(len(scene.people), _ENDS[-1])
    shape = (0, 0, 3) if scene.image is None else scene.image.shape
    buffer = memory.at_least(rows.nbytes + int(np.prod(shape)))
    buffer[: rows.nbytes].view(np.float64)[:] = rows.ravel()
    if scene.image is not None:
        buffer[rows.nbytes :].reshape(shape)[:] = scene.image
    frame, placement = scene.target or ("", None)
    stamp = scene.header.stamp
    message = {
        "source": scene.source,
        "header": [stamp.sec, stamp.nanosec, scene.header.frame_id],
        "ids": [person.id for person in scene.people],
        "markers": scene.markers,
        "mesh": scene.mesh,
        "target": placement and [frame, _plain(asdict(placement))],
        "image": None if scene.image is None else shape,
        "camera": scene.camera and _plain(asdict(scene.camera)),
    }
    return json.dumps(message).encode()


def read(message: bytes, memory: SharedMemory) -> Scene:
    """The scene that `write` has written. Its image lies in `memory` and is valid until the next `write`."""
    values = json.loads(message)
    shape = tuple(values["image"] or (0, 0, 3))
    size = 8 * len(values["ids"]) * int(_ENDS[-1])
    buffer = memory.at_least(size + int(np.prod(shape)))
    rows = buffer[:size].view(np.float64).reshape(-1, _ENDS[-1])
    sec, nanosec, frame_id = values["header"]
    target = values["target"]
    return Scene(
        source=values["source"],
        header=Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id=frame_id),
        people=tuple(_person(name, row) for name, row in zip(values["ids"], rows, strict=True)),
        markers=values["markers"],
        mesh=values["mesh"],
        target=target and (target[0], Placement(**{name: np.array(v) for name, v in target[1].items()})),
        image=None if values["image"] is None else buffer[size:].reshape(shape),
        camera=values["camera"] and Camera(**values["camera"]),
    )


def _row(person: Person) -> FloatArray:
    parts: Sequence[Any] = (
        [person.score],
        [*person.box.xyxy, person.box.score],
        person.params.flat,
        person.joints.ravel(),
        person.joints_image.ravel(),
        person.confidence,
    )
    return np.concatenate(parts)


def _person(name: str, row: FloatArray) -> Person:
    score, box, params, joints, pixels, confidence = np.split(row, _ENDS[:-1])
    return Person(
        id=name,
        score=float(score[0]),
        box=Box(*box.tolist()),
        params=SmplxParams.from_flat(params),
        joints=joints.reshape(-1, 3).astype(np.float32),
        joints_image=pixels.reshape(-1, 2),
        confidence=confidence.copy(),
    )


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}
