"""Colours of people and joints, the same in overlays, RViz markers and the web viewer."""

from __future__ import annotations

import re
from zlib import crc32

from smplerx_ros.body.skeleton import JOINT_NAMES, PARENTS

Color = tuple[int, int, int]  # RGB, 0..255

# Okabe and Ito, Color Universal Design (2008), without black: distinct with colour blindness as well.
PEOPLE: tuple[Color, ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
)
LEFT: Color = (60, 220, 255)
RIGHT: Color = (255, 110, 60)
CENTRE: Color = (245, 245, 245)

BONES: tuple[tuple[int, int], ...] = tuple((parent, child) for child, parent in enumerate(PARENTS) if parent >= 0)


def person_color(person_id: str) -> Color:
    """Colour of a person by the number at the end of the id: constant, and different for successive people."""
    number = re.search(r"\d+$", person_id)
    key = int(number.group()) if number else crc32(person_id.encode())
    return PEOPLE[key % len(PEOPLE)]


def joint_color(joint: int) -> Color:
    """Colour of a joint, and of the bone that ends in it, by side of the body."""
    name = JOINT_NAMES[joint]
    return LEFT if name.startswith("left_") else RIGHT if name.startswith("right_") else CENTRE
