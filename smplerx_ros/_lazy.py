"""Import the public names of a package on first use, so that unused dependencies are neither loaded nor required."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy(package: str, public: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Make `__getattr__` and `__dir__` (PEP 562) of a package.

    Args:
        package: The package's `__name__`.
        public: The module, relative or absolute, that defines each public name.
    """

    def get(name: str) -> object:
        if name not in public:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(public[name], package), name)

    def names() -> list[str]:
        return sorted({*vars(import_module(package)), *public})

    return get, names
