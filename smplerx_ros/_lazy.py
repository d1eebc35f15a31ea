"""Public names that are imported when they are first used: nobody waits for what they do not use, or has to have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy(package: str, public: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package whose `public` names lie in its modules."""

    def get(name: str) -> object:
        if name not in public:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(public[name], package), name)

    def names() -> list[str]:
        return sorted({*vars(import_module(package)), *public})

    return get, names
