"""Dataclasses that hold arrays compare by identity: NumPy's comparison of values has no one truth, and no hash."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from types import ModuleType
from typing import Any, get_args, get_origin

import numpy as np
import pytest

import smplerx_ros
from smplerx_ros import Box, Camera, Frame, Person, SmplxParams

GENERATED = ("smplerx_ros.msg", "smplerx_ros.srv")  # a workspace that was built has them
IMAGE = np.zeros((48, 64, 3), np.uint8)


def modules() -> Iterator[ModuleType]:
    """All of the package but those whose extra is not installed, and scripts."""
    for found in pkgutil.walk_packages(smplerx_ros.__path__, "smplerx_ros."):
        if found.name.endswith("__main__"):
            continue
        try:
            yield importlib.import_module(found.name)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("smplerx_ros") and error.name not in GENERATED:
                raise


def dataclasses() -> dict[str, type]:
    found = (item for module in modules() for item in vars(module).values())
    classes = {item for item in found if inspect.isclass(item) and is_dataclass(item)}
    return {f"{c.__module__}.{c.__qualname__}": c for c in classes if c.__module__.startswith("smplerx_ros.")}


def annotation(cls: type, text: object) -> object:
    """What it means there; the text itself where a name is only imported for the type checker."""
    try:
        return eval(text, vars(importlib.import_module(cls.__module__))) if isinstance(text, str) else text
    except NameError:
        return text


def kinds(kind: object) -> Iterator[object]:
    """A type and what it is made of, without what functions take and return."""
    origin = get_origin(kind) or kind
    yield origin
    if hasattr(origin, "__value__"):  # an alias by `type`, as NDArray is in newer NumPy
        yield from kinds(origin.__value__)
    if origin is not Callable:
        for part in get_args(kind):
            yield from kinds(part)


def holding_arrays() -> dict[str, type]:
    """Dataclasses with an array in a field, or in a field of a field."""
    classes = dataclasses()
    parts = {n: {k for f in fields(c) for k in kinds(annotation(c, f.type))} for n, c in classes.items()}
    holding: dict[str, type] = {}
    while more := {
        name: cls
        for name, cls in classes.items()
        if name not in holding and parts[name] & {np.ndarray, *holding.values()}
    }:
        holding |= more
    return holding


HOLDING = holding_arrays()


def test_the_walk_finds_them() -> None:
    names = {name.rsplit(".", 1)[-1] for name in HOLDING}
    assert names >= {"Frame", "Person", "People", "Camera", "SmplxParams", "BodyEstimate", "Observation", "Prediction"}
    assert not names & {"Box", "Options", "Parameter"}


@pytest.mark.parametrize("name", sorted(HOLDING))
def test_by_identity(name: str) -> None:
    def blank() -> Any:
        made = object.__new__(HOLDING[name])
        for field in fields(HOLDING[name]):
            object.__setattr__(made, field.name, array)
        return made

    array = np.arange(3.0)
    one, other = blank(), blank()
    assert one == one
    assert one != other
    assert len({one, other, one}) == 2
    assert [other, one].index(one) == 1


@pytest.mark.parametrize(
    "one",
    [
        SmplxParams.rest(),
        Camera.from_fov(64, 48),
        Frame(IMAGE, Camera.from_fov(64, 48), depth=np.ones((48, 64), np.float32)),
        Person("p1", 0.9, Box(0, 0, 9, 9), SmplxParams.rest(), *(np.zeros((55, n)) for n in (3, 2)), np.ones(55)),
    ],
    ids=lambda one: type(one).__name__,
)
def test_copies_are_others(one: Any) -> None:
    copy = replace(one)
    assert copy != one
    assert copy in [one, copy]
    assert len({one, copy}) == 2
