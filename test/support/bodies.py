"""The embedded body model, read once in a process: most tests need it, and no test changes it."""

from __future__ import annotations

from functools import cache

from smplerx_ros.body import BodyModel, load_body


@cache
def standin() -> BodyModel:
    return load_body()
