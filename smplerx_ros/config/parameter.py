"""Definition and validation of a parameter."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from math import inf, isfinite
from numbers import Integral, Real
from re import fullmatch, split

from smplerx_ros.errors import ConfigError

Value = bool | int | float | str | tuple[str, ...]

_MAX_SHOWN = 200  # characters of a value in an error message
_TYPO_SIMILARITY = 0.8  # minimum similarity (`difflib`) of a mistyped name to the intended one
_MAX_INTEGER = (1 << 63) - 1  # of ROS parameters
_TYPE_NAMES = {
    bool: "a boolean",
    int: "an integer",
    float: "a finite number",
    str: "a string",
    tuple: "a list of strings",
}


@dataclass(frozen=True)
class Parameter:
    """A parameter with its type, default, constraints and documentation."""

    name: str
    type: type[bool] | type[int] | type[float] | type[str] | type[tuple[str, ...]]
    default: Value
    description: str
    range: tuple[float, float] | None = None  # inclusive
    choices: tuple[str, ...] = ()
    zero: str = ""  # meaning of 0, if that is allowed in addition to `range`
    pattern: str = ""  # regular expression for the string, or for each string of a list
    index: bool = False  # accepts an integer for a string, since YAML reads an index as an integer
    live: bool = False  # takes effect immediately; otherwise when the node is configured

    def check(self, value: object) -> Value:
        """Convert `value` to the parameter's type.

        Raises:
            ConfigError: If the value is invalid.
        """
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
        """Description of the allowed values."""
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
            raise ConfigError(f"parameter {self.name!r}: {shown(list(strings))} contains a string twice")

    def _in_range(self, number: float, minimum: float, maximum: float) -> bool:
        return minimum <= number <= maximum or (bool(self.zero) and number == 0)

    def _typed(self, value: object) -> Value:
        if self.type is bool and isinstance(value, bool):
            return value
        if self.type is str and isinstance(value, str):
            return value
        if self.type is tuple and isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
            return tuple(item for item in value if item)  # ROS tools may write [""] for an empty list
        if isinstance(value, Integral) and not isinstance(value, bool) and abs(int(value)) <= _MAX_INTEGER:
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
            f"{self._quotes_hint(value)}"
        )

    def _quotes_hint(self, value: object) -> str:
        """Hint at the quotes that make a value a string in YAML."""
        if self.type is str and isinstance(value, Real):
            return ", in quotes where YAML reads a number or a boolean"
        return ", without quotes" if self.type in (bool, int, float) and isinstance(value, str) else ""


def shown(value: object) -> str:
    """`repr(value)`, truncated if long."""
    try:
        text = repr(value)
    except ValueError:  # more digits than Python prints
        text = f"a very large {type(value).__name__}"
    if len(text) <= _MAX_SHOWN:
        return text
    return f"{text[:_MAX_SHOWN]}... ({len(text)} characters)"


def _float(value: Real) -> float:
    """Convert to float; infinite if too large."""
    try:
        return float(value)
    except OverflowError:
        return inf


def unknown_parameter(name: str, known: Collection[str]) -> str:
    """Error message for an unknown parameter name."""
    return f"unknown parameter {shown(name)}{suggestion(name, known) or f'; known: {sorted(known)}'}"


def suggestion(name: str, known: Collection[str]) -> str:
    """Hint ` (did you mean 'x'?)`, or "" if no known name is similar.

    For the name of a group (`tf` of `tf.body`), all of its members are suggested; also for a name that contains one, if
    no known name is very similar.
    """
    name = name[:_MAX_SHOWN]
    close = (
        _of_groups([name], known)
        or get_close_matches(name, known, n=1, cutoff=_TYPO_SIMILARITY)
        or _of_groups(split("[._]", name), known)
        or get_close_matches(name, known, n=1)
    )
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""


def _of_groups(groups: Collection[str], known: Iterable[str]) -> list[str]:
    return [other for other in known if "." in other and other.partition(".")[0] in groups]
