"""Write results of a benchmark with the command line and the machine that produced them."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from smplerx_ros import __version__
from smplerx_ros.errors import InputError

_PACKAGES = ("numpy", "scipy", "opencv-python-headless", "onnxruntime", "torch")


@dataclass(frozen=True)
class Report:
    """Results of a benchmark, also as Markdown `text`; `name` is the stem of its files."""

    name: str
    results: dict[str, Any]
    text: str


def machine() -> dict[str, Any]:
    """Description of this machine: processor, cores, operating system, Python, and versions of packages."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "smplerx_ros": __version__,
        **{name: number for name in _PACKAGES if (number := _version(name)) is not None},
    }


def command_line() -> str:
    """Command line of this process, with paths reduced to their last component."""
    script = Path(sys.argv[0])
    start = "-m smplerx_ros" if script.stem in ("__main__", "smplerx") else f"{script.parent.name}/{script.name}"
    words = [Path(word).name if os.sep in word else word for word in sys.argv[1:]]
    return " ".join(["python", start, *words])


def write_report(
    folder: Path, name: str, results: dict[str, Any], text: str, command: str, machine: dict[str, Any]
) -> None:
    """Write `name.json` with all `results` and `name.md` with `text` (Markdown).

    Raises:
        InputError: If the files cannot be written.
    """
    about = ", ".join(f"{key} {value}" for key, value in machine.items())
    page = f"# {name}\n\n`{command}`\n\n{about}\n\n{text}\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.md").write_text(page, encoding="utf-8")
        (folder / f"{name}.json").write_text(as_json(results, command, machine) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written to ({error.strerror})") from error


def as_json(results: dict[str, Any], command: str, machine: dict[str, Any]) -> str:
    """Results as JSON, with the command line and the machine."""
    return json.dumps({"command": command, "machine": machine, **results}, indent=1)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
