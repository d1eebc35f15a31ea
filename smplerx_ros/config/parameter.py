"""One parameter: its name, what it may be, and the words for what it may not."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from math import inf, isfinite
from numbers import Integral, Real
from re import fullmatch, split

from smplerx_ros.errors import ConfigError

Value = bool | int | float | str | tuple[str, ...]

_LONGEST_SHOWN = 200  # characters of a value that errors repeat
_A_SLIP = 0.8  # least similarity (`difflib`) of a name that is another one mistyped
_LARGEST_INTEGER = (1 << 63) - 1  # of ROS parameters
_TYPE_NAMES = {
    bool: "a boolean",
    int: "an integer",
    float: "a finite number",
    str: "a string",
    tuple: "a list of strings",
}


@dataclass(frozen=True)
class Parameter:
    """One setting: what it is called, what it may be, and whether it can change while the node is configured."""

    name: str
    type: type[bool] | type[int] | type[float] | type[str] | type[tuple[str, ...]]
    default: Value
    description: str
    range: tuple[float, float] | None = None  # inclusive
    choices: tuple[str, ...] = ()
    zero: str = ""  # what 0 means where it lies outside `range` and is allowed all the same
    pattern: str = ""  # regular expression that the string, or each string of a list, has to match
    index: bool = False  # an integer stands for its digits: YAML takes an index for one
    live: bool = False  # takes effect at once; the others when the node is configured

    def check(self, value: object) -> Value:
        """The value in the parameter's own type; raises ConfigError where it cannot be used."""
        typed = self._typed(value)
        if self.choices and typed not in self.choices:
            hint = suggestion(str(typed), self.choices)
            raise ConfigError(f"parameter {self.name!r}: {shown(typed)} is not a choice; use {self.allowed}{hint}")
        if isinstance(typed, tuple):
            self._check_list(typed)
        if isinstance(typed, str) and self.pattern and not fullmatch(self.pattern, typed):
            raise ConfigError(f"parameter {self.name!r}: {shown(typed)} does not match {self.pattern}")
        if self.range and isinstance(typed, (int, float)) and not self._in_range(typed, *self.range):
            raise ConfigError(f"parameter {self.name!r}: {shown(typed)} is out of range; use {self.allowed}")
        return typed

    @property
    def allowed(self) -> str:
        """The values it takes, in words."""
        if self.choices:
            return " | ".join(self.choices)
        if self.type is bool:
            return "true | false"
        if self.range is None:
            return _TYPE_NAMES[self.type]
        text = f"{self.range[0]:g} to {self.range[1]:g}"
        return f"{text}, or 0 = {self.zero}" if self.zero else text

    def _check_list(self, strings: tuple[str, ...]) -> None:
        for string in strings:
            if self.pattern and not fullmatch(self.pattern, string):
                raise ConfigError(f"parameter {self.name!r}: {shown(string)} does not match {self.pattern}")
        if len(set(strings)) < len(strings):
            raise ConfigError(f"parameter {self.name!r}: {shown(list(strings))} holds something twice")

    def _in_range(self, number: float, least: float, most: float) -> bool:
        return least <= number <= most or (bool(self.zero) and number == 0)

    def _typed(self, value: object) -> Value:
        if self.type is bool and isinstance(value, bool):
            return value
        if self.type is str and isinstance(value, str):
            return value
        if self.type is tuple and isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
            return tuple(item for item in value if item)  # [""] stands for an empty list where ROS has none
        if isinstance(value, Integral) and not isinstance(value, bool) and abs(int(value)) <= _LARGEST_INTEGER:
            if self.type is int:
                return int(value)
            if self.index:
                return str(int(value))
        if self.type is float and isinstance(value, Real) and not isinstance(value, bool):
            number = _float(value)
            if isfinite(number):
                return number
        raise ConfigError(
            f"parameter {self.name!r}: {shown(value)} is not {_TYPE_NAMES[self.type]}; use {self.allowed}"
            f"{self._about_quotes(value)}"
        )

    def _about_quotes(self, value: object) -> str:
        """In YAML they decide what is a string."""
        if self.type is str and isinstance(value, Real):
            return ", in quotes where YAML reads a number or a boolean"
        return ", without quotes" if self.type in (bool, int, float) and isinstance(value, str) else ""


def shown(value: object) -> str:
    """`repr(value)`, shortened where it is long."""
    try:
        text = repr(value)
    except ValueError:  # more digits than Python prints
        text = f"a very large {type(value).__name__}"
    if len(text) <= _LONGEST_SHOWN:
        return text
    return f"{text[:_LONGEST_SHOWN]}... ({len(text)} characters)"


def _float(value: Real) -> float:
    """Infinite where it is too large."""
    try:
        return float(value)
    except OverflowError:
        return inf


def unknown_parameter(name: str, known: Collection[str]) -> str:
    """What to say of a name that no parameter has."""
    return f"unknown parameter {shown(name)}{suggestion(name, known) or f'; known: {sorted(known)}'}"


def suggestion(name: str, known: Collection[str]) -> str:
    """` (did you mean 'x'?)`, or nothing where no known name is close.

    A group stands for what is in it, and so does a word that is a group, in a name that is no other one mistyped.
    """
    name = name[:_LONGEST_SHOWN]
    close = (
        _of_groups([name], known)
        or get_close_matches(name, known, n=1, cutoff=_A_SLIP)
        or _of_groups(split("[._]", name), known)
        or get_close_matches(name, known, n=1)
    )
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""


def _of_groups(groups: Collection[str], known: Iterable[str]) -> list[str]:
    return [other for other in known if "." in other and other.partition(".")[0] in groups]
