#!/usr/bin/env python3
"""Generate docs/public_api.txt, a snapshot of the public interface that a test compares with the code.

Lists Python names with their signatures, commands, parameters and messages. Run it after an intended change, and record
the change in the changelog.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "public_api.txt"
sys.path.insert(0, str(ROOT))


def python_names() -> Iterator[str]:
    """List all public names; for classes also the constructor, fields, properties and methods."""
    import smplerx_ros
    import smplerx_ros.research.evaluation
    import smplerx_ros.ros

    yield from _described(smplerx_ros, "")
    yield from _described(smplerx_ros.research.evaluation, "research.evaluation.")
    yield from (f"ros.{name}" for name in sorted(smplerx_ros.ros._PUBLIC))  # its modules need ROS


def _described(package: ModuleType, prefix: str) -> Iterator[str]:
    for plain in sorted(package._PUBLIC):
        item, name = getattr(package, plain), prefix + plain
        if not inspect.isclass(item):
            yield f"{name}{inspect.signature(item)}"
            continue
        yield f"class {name}{_constructor(item)}"
        if getattr(item, "_is_protocol", False):
            yield from (f"    {name}.{member}: {kind}" for member, kind in sorted(item.__annotations__.items()))
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


def _constructor(item: type) -> str:
    """Its signature, or the class behind an error; enumerations and protocols are not constructed."""
    if issubclass(item, Exception):
        return f"({item.__base__.__name__})"
    return "" if issubclass(item, int) or getattr(item, "_is_protocol", False) else str(inspect.signature(item))


def commands() -> Iterator[str]:
    """What follows `smplerx`."""
    from smplerx_ros.cli import COMMANDS

    yield from sorted(COMMANDS)


def parameters() -> Iterator[str]:
    """Of the estimator and of the node."""
    from smplerx_ros.config.table import PARAMETERS, ROS_PARAMETERS

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
