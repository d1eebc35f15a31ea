"""Parse the names of a detector's classes from the metadata of its file."""

from __future__ import annotations

import ast
import json
from typing import Any


def class_names(text: str) -> dict[int, str]:
    """Names by index, from a list or a dictionary of either direction in Python's or JSON syntax; otherwise empty."""
    value = _value(text)
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {}
    for pairs in (value.items(), ((index, name) for name, index in value.items())):
        try:
            return {int(index): str(name) for index, name in pairs}
        except (ValueError, TypeError):
            continue
    return {}


def _value(text: str) -> Any:
    for read in (ast.literal_eval, json.loads):
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return None
