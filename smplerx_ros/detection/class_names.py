"""The names of a detector's classes, as exporters write them into its file."""

from __future__ import annotations

import ast
import json
from typing import Any


def class_names(text: str) -> dict[int, str]:
    """By index: of a dictionary of either direction or a list, as Python or JSON writes it. Empty: of anything else."""
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
