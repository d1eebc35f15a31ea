#!/usr/bin/env python3
"""Write docs/public_api.txt: everything that users build on. A test compares; what changes here changes for them.

Python names with their signatures, commands, parameters, messages. Run again after a change that is meant, and say it
in the change log.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "public_api.txt"
sys.path.insert(0, str(ROOT))


def python_names() -> Iterator[str]:
    """Each public name; of classes also the constructor, fields, properties and methods."""
    import smplerx_ros

    for name in sorted(smplerx_ros._PUBLIC):
        item = getattr(smplerx_ros, name)
        if not inspect.isclass(item):
            yield f"{name}{inspect.signature(item)}"
            continue
        yield f"class {name}{'' if issubclass(item, int) else inspect.signature(item)}"
        fields = {field.name for field in dataclasses.fields(item)} if dataclasses.is_dataclass(item) else set()
        for member, value in sorted(vars(item).items()):
            if member.startswith("_") or member in fields:
                continue
            function = getattr(value, "__func__", value)
            if isinstance(value, property):
                yield f"    {name}.{member}"
            elif inspect.isfunction(function):
                yield f"    {name}.{member}{inspect.signature(function)}"
            elif isinstance(value, int):
                yield f"    {name}.{member} = {int(value)}"


def commands() -> Iterator[str]:
    """What follows `smplerx`."""
    from smplerx_ros.cli import COMMANDS

    yield from sorted(COMMANDS)


def parameters() -> Iterator[str]:
    """Of the estimator and of the node."""
    from smplerx_ros.config import PARAMETERS, ROS_PARAMETERS

    for parameter in (*PARAMETERS, *ROS_PARAMETERS):
        kind = getattr(parameter.type, "__name__", str(parameter.type))
        yield f"{parameter.name}: {kind} = {parameter.default!r}{' (live)' if parameter.live else ''}"


def messages() -> Iterator[str]:
    """Fields and constants, without comments."""
    for path in sorted((ROOT / "msg").glob("*.msg")):
        yield path.stem
        for line in path.read_text(encoding="utf-8").splitlines():
            if field := line.split("#")[0].strip():
                yield f"    {field}"


def listing() -> str:
    """The whole file."""
    parts = {"Python": python_names, "Commands": commands, "Parameters": parameters, "Messages": messages}
    return "\n".join(line for title, lines in parts.items() for line in (f"# {title}", *lines(), ""))


if __name__ == "__main__":
    FILE.write_text(listing(), encoding="utf-8")
