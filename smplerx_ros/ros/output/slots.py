"""Reuse of TF frame names: tf2 never forgets a frame, so people share a bounded set of names `<prefix><slot>/`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from smplerx_ros.types import Person

# A listener interpolates between any two transforms in its cache, whose default length is 10 s
# (tf2::BUFFER_CORE_DEFAULT_CACHE_TIME); one more second covers images that are published late. A new transform drops
# old ones, but since geometry2's pull request 680 (2024) before it is stored itself, so that two are needed.
SILENCE_NS = 11_000_000_000
NODE = "smplerx"  # name of the node in the launch file
TIME_JUMP_NS = (
    1_000_000_000  # a step back by this much is a looped bag or a reset clock, on which tf2 clears its buffers
)


@dataclass(frozen=True)
class AssignedSlot:
    """A person's slot; `reassigned` is true in the image in which it was taken over from another person."""

    number: int
    reassigned: bool


@dataclass
class _Slot:
    """The person in the slot, their camera, and the stamp of its newest image that shows them."""

    person: str
    camera: str
    stamp_ns: int


class Slots:
    """Assigns numbers from 0 to people; reuses one only `silence_ns` after its person was last seen by their camera."""

    def __init__(self, silence_ns: int = SILENCE_NS) -> None:
        self._silence_ns = silence_ns
        self._slots: dict[int, _Slot] = {}
        self._newest_ns: dict[str, int] = {}  # of each camera

    def assign(self, people: Sequence[Person], stamp_ns: int, camera: str = "") -> list[AssignedSlot]:
        """The slot of each of `people` in an image.

        People without a slot get the lowest free ones, nearest (by the pelvis) first. Cameras may have separate clocks.
        An image more than `TIME_JUMP_NS` older than its camera's newest frees that camera's slots, since listeners have
        cleared their buffers then.
        """
        newest = self._newest_ns.get(camera, stamp_ns)
        if stamp_ns < newest - TIME_JUMP_NS:
            self._slots = {number: slot for number, slot in self._slots.items() if slot.camera != camera}
            newest = stamp_ns
        self._newest_ns[camera] = max(newest, stamp_ns)
        held = {slot.person: number for number, slot in self._slots.items()}
        for person in people:  # before free slots are assigned
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
        """Whether a slot is unused for long enough, by its camera's clock and by the image's stamp."""
        slot = self._slots.get(number)
        return slot is None or min(stamp_ns, self._newest_ns[slot.camera]) - slot.stamp_ns > self._silence_ns


def default_prefix(namespace: str, node: str) -> str:
    """Prefix of a node's frame names, different for each node of a graph.

    `smplx_` for `/smplerx`, `robot2/smplx_` for `/robot2/smplerx`, `front/smplx_` for `/front`.
    """
    parts = [*namespace.split("/"), "" if node == NODE else node]
    return "/".join([*filter(None, parts), "smplx_"])


def _distance(person: Person) -> float:
    return float(np.linalg.norm(person.joints[0]))
