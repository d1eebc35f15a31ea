"""TF names that are used again: tf2 never forgets a frame, so people share a bounded set of `<prefix><slot>/` names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from ..types import Person

# A listener interpolates between any two transforms in its cache, whose default length is 10 s
# (tf2::BUFFER_CORE_DEFAULT_CACHE_TIME). A slot whose last transform is older than that cannot be mixed up with a new
# person's; the second on top covers images that are published late.
SILENCE_NS = 11_000_000_000
NODE = "smplerx"  # the name by which the launch file starts the node
TIME_JUMP_NS = 1_000_000_000  # stamps this far back are a looped bag or a reset clock: tf2's listeners start anew


@dataclass
class _Slot:
    """Who holds the slot, and the stamp of the newest image with that person."""

    person: str
    stamp_ns: int


class Slots:
    """Numbers from 0 for people, given again only after `silence_ns` without a frame."""

    def __init__(self, silence_ns: int = SILENCE_NS) -> None:
        self._silence_ns = silence_ns
        self._slots: dict[int, _Slot] = {}
        self._newest_ns = 0

    def assign(self, people: Sequence[Person], stamp_ns: int) -> list[int]:
        """The slot of each of `people` in an image; people without one get the lowest free ones, the nearest first.

        `people` are distinct; the distance is that of the pelvis from the camera. Stamps of several cameras may
        interleave; one that lies `TIME_JUMP_NS` behind the newest begins anew.
        """
        if stamp_ns < self._newest_ns - TIME_JUMP_NS:
            self.clear()
        self._newest_ns = max(self._newest_ns, stamp_ns)
        held = {slot.person: number for number, slot in self._slots.items()}
        for person in people:  # before others look for a free one
            if person.id in held:
                slot = self._slots[held[person.id]]
                slot.stamp_ns = max(slot.stamp_ns, stamp_ns)
        new = [person for person in people if person.id not in held]
        for person in sorted(new, key=_distance):
            held[person.id] = self._lowest_free()
            self._slots[held[person.id]] = _Slot(person.id, stamp_ns)
        return [held[person.id] for person in people]

    def clear(self) -> None:
        """Free all slots: after time went back, when listeners have emptied their caches as well."""
        self._slots.clear()
        self._newest_ns = 0

    def _lowest_free(self) -> int:
        for number in count():
            slot = self._slots.get(number)
            if slot is None or self._newest_ns - slot.stamp_ns > self._silence_ns:
                return number
        raise AssertionError("unreachable")


def default_prefix(namespace: str, node: str) -> str:
    """What the names of a node's frames begin with, so that two nodes in one graph have different ones.

    `smplx_` for `/smplerx`, `robot2/smplx_` for `/robot2/smplerx`, `front/smplx_` for `/front`.
    """
    parts = [*namespace.split("/"), "" if node == NODE else node]
    return "/".join([*filter(None, parts), "smplx_"])


def _distance(person: Person) -> float:
    return float(np.linalg.norm(person.joints[0]))
