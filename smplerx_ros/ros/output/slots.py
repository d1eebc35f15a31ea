"""TF names that are used again: tf2 never forgets a frame, so people share a bounded set of `<prefix><slot>/` names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from smplerx_ros.types import Person

# A listener interpolates between any two transforms in its cache, whose default length is 10 s
# (tf2::BUFFER_CORE_DEFAULT_CACHE_TIME); the second on top covers images that are published late. A new transform drops
# what is too old, but since 2024 before it is stored itself (geometry2's pull request 680), so that it takes two.
SILENCE_NS = 11_000_000_000
NODE = "smplerx"  # the name by which the launch file starts the node
TIME_JUMP_NS = 1_000_000_000  # stamps this far back are a looped bag or a reset clock: tf2's listeners start anew


@dataclass(frozen=True)
class AssignedSlot:
    """A person's slot in an image; `reassigned` in that image in which another person's became theirs."""

    number: int
    reassigned: bool


@dataclass
class _Slot:
    """Who holds the slot, which camera sees them, and the stamp of its newest image with that person."""

    person: str
    camera: str
    stamp_ns: int


class Slots:
    """Numbers from 0 for people, given again only after `silence_ns` without a frame, by the clock of their camera."""

    def __init__(self, silence_ns: int = SILENCE_NS) -> None:
        self._silence_ns = silence_ns
        self._slots: dict[int, _Slot] = {}
        self._newest_ns: dict[str, int] = {}  # of each camera

    def assign(self, people: Sequence[Person], stamp_ns: int, camera: str = "") -> list[AssignedSlot]:
        """The slot of each of `people` in an image; people without one get the lowest free ones, the nearest first.

        `people` are distinct; the distance is that of the pelvis from the camera. Cameras may have clocks of their own.
        An image that lies `TIME_JUMP_NS` behind its camera's newest begins anew: listeners have emptied their caches.
        """
        newest = self._newest_ns.get(camera, stamp_ns)
        if stamp_ns < newest - TIME_JUMP_NS:
            self._slots = {number: slot for number, slot in self._slots.items() if slot.camera != camera}
            newest = stamp_ns
        self._newest_ns[camera] = max(newest, stamp_ns)
        held = {slot.person: number for number, slot in self._slots.items()}
        for person in people:  # before others look for a free one
            if person.id in held:
                slot = self._slots[held[person.id]]
                slot.stamp_ns = max(slot.stamp_ns, stamp_ns)
        reassigned = set()
        for person in sorted((person for person in people if person.id not in held), key=_distance):
            number = next(number for number in count() if self._free(number, stamp_ns))
            if number in self._slots:
                reassigned.add(number)
            held[person.id] = number
            self._slots[number] = _Slot(person.id, camera, stamp_ns)
        return [AssignedSlot(held[person.id], held[person.id] in reassigned) for person in people]

    def _free(self, number: int, stamp_ns: int) -> bool:
        """Silent for long enough by its camera's clock, and by that of the image with the stamp `stamp_ns`."""
        slot = self._slots.get(number)
        return slot is None or min(stamp_ns, self._newest_ns[slot.camera]) - slot.stamp_ns > self._silence_ns


def default_prefix(namespace: str, node: str) -> str:
    """What the names of a node's frames begin with, so that two nodes in one graph have different ones.

    `smplx_` for `/smplerx`, `robot2/smplx_` for `/robot2/smplerx`, `front/smplx_` for `/front`.
    """
    parts = [*namespace.split("/"), "" if node == NODE else node]
    return "/".join([*filter(None, parts), "smplx_"])


def _distance(person: Person) -> float:
    return float(np.linalg.norm(person.joints[0]))
