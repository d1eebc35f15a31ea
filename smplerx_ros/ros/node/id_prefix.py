"""Ids of people that no other node in the graph gives, now or after a restart."""

from __future__ import annotations

import random
from string import ascii_lowercase

PREFIX_LETTERS = 4  # one of 456,976: short, as REP-155 wants ids, and hardly drawn twice by the few nodes of a graph


def random_prefix() -> str:
    """Letters that a node's ids begin with."""
    return "".join(random.SystemRandom().choices(ascii_lowercase, k=PREFIX_LETTERS))
