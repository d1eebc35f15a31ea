"""Commands in README, CONTRIBUTING and docs/: targets, executables, launch arguments, commands and options exist.

Cheap ones are parsed by the program's own parser, or the program is asked for its help. Commands of other packages
are not looked at.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
from launch_files import declared, load_launch_file, stand_in

from smplerx_ros.cli import build_parser
from smplerx_ros.config.arguments import given_parameters
from smplerx_ros.config.table import PARAMETERS, ROS_PARAMETERS, validate
from smplerx_ros.tools import demo
from smplerx_ros.visualization.web.options import VIEWER_PARAMETERS
from support.paths import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^ *```(?:sh|bash)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:make|python -m|python|smplerx|ros2 launch|ros2 run) [^`]+)`")
PLACEHOLDER = re.compile(r"<|\.\.\.|\b(?:INPUT|DIR|FP32|INT8|BUNDLE|DATA)\b")
PARAMETER_TYPES = {parameter.name: parameter for parameter in (*PARAMETERS, *ROS_PARAMETERS)}


@dataclass(frozen=True)
class Command:
    page: Path
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.page.stem}: {' '.join(self.words)}"


def commands() -> list[Command]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = [line for block in BLOCK.findall(text) for line in re.sub(r"\\\n\s*", " ", block).splitlines()]
        lines += [re.sub(r"\s+", " ", line) for line in INLINE.findall(BLOCK.sub("", text))]
        for line in lines:
            for part in re.split(r" && | \| ", line):
                words = shlex.split(part, comments=True)
                while words and re.fullmatch(r"\w+=\S*", words[0]):  # variables of the environment
                    del words[0]
                if words:
                    found.append(Command(page, tuple(words)))
    return list(dict.fromkeys(found))


COMMANDS = commands()


def starting(*words: str) -> list[Command]:
    return [command for command in COMMANDS if command.words[: len(words)] == words]


def named(chosen: list[Command]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    assert chosen
    return pytest.mark.parametrize("command", chosen, ids=lambda command: command.name)


@cache
def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@named(starting("make"))
def test_make(command: Command) -> None:
    targets = [word for word in command.words[1:] if "=" not in word]
    assert set(targets) <= make_targets()


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    stand_in(monkeypatch)
    return load_launch_file


@named(starting("ros2", "launch", "smplerx_ros"))
def test_launch(command: Command, load: Callable[[str], ModuleType]) -> None:
    file, *arguments = command.words[3:]
    known = set(declared(load("estimate")))
    if file == "demo.launch.py":
        known |= set(declared(load("demo")))
    else:
        assert file == "estimate.launch.py"
    for argument in arguments:
        name, assigned, value = argument.partition(":=")
        assert assigned
        assert name in known
        check_value(name, value)


def check_value(name: str, value: str) -> None:
    """A value in a command is one that the parameter takes."""
    parameter = PARAMETER_TYPES.get(name)
    if parameter is None or parameter.type is tuple or PLACEHOLDER.search(value):
        return
    typed = {"true": True, "false": False}[value] if parameter.type is bool else parameter.type(value)
    validate({name: typed}, (parameter,))


@named(starting("ros2", "run", "smplerx_ros"))
def test_run(command: Command) -> None:
    executable, *arguments = command.words[3:]
    assert os.access(ROOT / "scripts" / executable, os.X_OK)
    if executable == "smplerx":
        check_cli(arguments)
    names = {
        parameter.name for parameter in (VIEWER_PARAMETERS if executable == "viewer" else PARAMETER_TYPES.values())
    }
    given = [value.partition(":=")[0] for option, value in pairwise(arguments) if option == "-p"]
    assert set(given) <= names


def of_the_cli() -> list[Command]:
    return [*starting("python", "-m", "smplerx_ros"), *starting("smplerx"), *starting("torchrun")]


@named(of_the_cli())
def test_command_line(command: Command) -> None:
    words = command.words
    check_cli(words[1:] if words[0] == "smplerx" else words[words.index("smplerx_ros") + 1 :])


def check_cli(words: tuple[str, ...] | list[str]) -> None:
    """The parser takes the words; of a command that is only named, its name."""
    parser = build_parser()
    commands = next(action.choices for action in parser._actions if action.dest == "command")
    if not words:
        return
    assert words[0] in commands
    options = {option for action in commands.get(words[0], parser)._actions for option in action.option_strings}
    if words[0] == "bench" and len(words) > 1 and not words[1].startswith("-"):
        benchmarks = next(action.choices for action in commands["bench"]._actions if action.dest == "benchmark")
        options |= {option for action in benchmarks[words[1]]._actions for option in action.option_strings}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options
    if len(words) > 1 and "--help" not in words:
        parsed = parser.parse_args(words)
        if words[0] == "estimate":
            given_parameters(parsed)


@named(starting("python", "-m", "smplerx_ros.tools.demo"))
def test_demo(command: Command) -> None:
    given = demo._parser().parse_args(command.words[3:])
    for name, _, value in (parameter.partition(":=") for parameter in given.parameter):
        check_value(name, value)


def scripts() -> Iterator[Command]:
    for command in COMMANDS:
        if command.words[0] in ("python", "python3") and command.words[1].endswith(".py"):
            yield command


@cache
def help_of(script: str) -> str:
    done = subprocess.run([sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@named(list(scripts()))
def test_scripts(command: Command) -> None:
    script, *arguments = command.words[1:]
    assert (ROOT / script).is_file()
    for option in (word for word in arguments if word.startswith("--")):
        assert re.search(rf"{option}\b", help_of(script))


@named(starting("pip", "install"))
def test_extras(command: Command) -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = re.findall(r"^(\w+) = \[", project.split("[project.optional-dependencies]")[1], re.MULTILINE)
    for extra in re.findall(r"(?:\.|smplerx_ros)\[(\w+)\]", " ".join(command.words)):
        assert extra in extras


@pytest.mark.parametrize("line", ["estimat clip.mp4 --out x", "estimate clip.mp4 --uot x", "estimate --max-people 3"])
def test_wrong_commands_are_seen(line: str) -> None:
    with pytest.raises((AssertionError, SystemExit)):
        check_cli(line.split())
