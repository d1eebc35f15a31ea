"""Random prefixes that keep the ids of people unique across nodes and restarts."""

from __future__ import annotations

import random
from string import ascii_lowercase

PREFIX_LETTERS = 4  # 456,976 prefixes: short, as REP-155 asks of ids, and collisions are unlikely


def random_prefix() -> str:
    """Letters that all ids of a node begin with."""
    return "".join(random.SystemRandom().choices(ascii_lowercase, k=PREFIX_LETTERS))
