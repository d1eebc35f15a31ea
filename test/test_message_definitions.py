"""The message definitions as a reader of `ros2 interface show` meets them: comments, units, constants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

MESSAGES = sorted((Path(__file__).resolve().parents[1] / "msg").glob("*.msg"))
LONGEST_LINE = 120
UNIT = re.compile(
    r"\b(metres|radians|rad|pixels|seconds|m/s|m\^2|no unit|0 to 1|time|axis-angle|coefficients|lies inside)\b"
)
NUMBERS = re.compile(r"^(u?int|float|geometry_msgs|vision_msgs|builtin_interfaces/Duration|bool\[)")
CONSTANT = re.compile(r"^(\w+) ([A-Z][A-Z0-9_]*)\s*=\s*(\S+)$")
FIELD = re.compile(r"^([\w/]+(?:\[\d*\])?) ([a-z][a-z0-9_]*)$")


@dataclass(frozen=True)
class Line:
    kind: str
    name: str
    comment: str  # above it, or above the first of lines without a gap


def lines(path: Path) -> list[Line]:
    found, comment = [], ""
    fresh = True  # a comment after a gap or a field begins anew
    for text in path.read_text().splitlines():
        if text.startswith("#"):
            comment = (f"{comment} " if not fresh else "") + text[1:].strip()
            fresh = False
        elif not text.strip():
            comment, fresh = "", True
        else:
            match = CONSTANT.match(text) or FIELD.match(text)
            assert match, f"{path.name}: {text!r} is neither a field nor a constant, or has a comment behind it"
            found.append(Line(match[1], match[2], comment))
            fresh = True
    return found


def fields(path: Path) -> list[Line]:
    return [line for line in lines(path) if not line.name.isupper()]


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_lines_are_short_and_the_file_begins_with_what_it_is(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# ")
    assert max(map(len, text.splitlines())) <= LONGEST_LINE
    assert text.endswith("\n")


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_every_field_has_a_comment(path: Path) -> None:
    bare = [line.name for line in fields(path) if not line.comment and line.name != "people"]
    assert bare == []


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_every_number_has_a_unit(path: Path) -> None:
    enumerations = {line.name.lower() for line in lines(path) if line.name.isupper()}
    for line in fields(path):
        listed = any(constant.startswith(line.name) or line.name in constant for constant in enumerations)
        counted = line.name.startswith("num_")
        if NUMBERS.match(line.kind) and not listed and not counted:
            assert UNIT.search(line.comment), f"{path.name}: {line.name}: {line.comment!r} has no unit"


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_constants_are_explained_and_enumerations_begin_with_unknown(path: Path) -> None:
    text = path.read_text()
    constants = {m[2]: m[3] for m in map(CONSTANT.match, text.splitlines()) if m}
    for line in lines(path):
        if line.name.isupper():
            assert line.comment, f"{path.name}: {line.name} has no comment"
    for line in fields(path):
        values = {name: value for name, value in constants.items() if name.startswith(f"{line.name.upper()}_")}
        bits = re.search(r"\bbits\b", " ".join(c.comment for c in lines(path) if c.name in values), re.IGNORECASE)
        if values and not bits:
            assert constants[f"{line.name.upper()}_UNKNOWN"] == "0"
            assert len(set(values.values())) == len(values)


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_fields_of_constants_refer_to_them(path: Path) -> None:
    prefixes = {name.rpartition("_")[0] for name in (line.name for line in lines(path)) if name.isupper()}
    for line in fields(path):
        mine = [prefix for prefix in prefixes if prefix.startswith(line.name.upper())]
        if mine:
            assert f"{line.name.upper()}_" in line.comment, f"{path.name}: {line.name} does not name its constants"
