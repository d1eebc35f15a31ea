"""A ROS domain that no other run of these tests uses on this machine at the same time."""

from __future__ import annotations

import fcntl
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

# Domains up to 101 leave room for the ports of every participant on Linux (ROS 2 documentation, "The ROS_DOMAIN_ID").
DOMAINS = range(1, 102)


@dataclass(frozen=True)
class Domain:
    """Reserved as long as the lock is open: at most as long as this process lives."""

    number: int
    lock: TextIO


def reserve_domain() -> Domain:
    for number in random.SystemRandom().sample(DOMAINS, len(DOMAINS)):
        try:
            lock = (Path(tempfile.gettempdir()) / f"smplerx_ros_test_domain_{number}.lock").open("a")
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another process has it, or another user made the file
            continue
        return Domain(number, lock)
    raise RuntimeError(f"all ROS domains from {DOMAINS[0]} to {DOMAINS[-1]} are used by tests")
